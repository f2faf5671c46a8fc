import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { messageOf } from './log.ts';

/**
 * Reads one of the files that describe an app.
 *
 * @throws Error that names the file, and each fault in it.
 */
export async function readJson<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema>> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new Error(`${path} cannot be read: ${error.message}`);
  });
  return parseJson(path, text, schema);
}

/** As `readJson`, with what the file holds. */
export function parseJson<Schema extends z.ZodType>(
  path: string,
  text: string,
  schema: Schema,
): z.output<Schema> {
  let content: unknown;
  try {
    // .NET's tools like to begin a file with a byte order mark.
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new Error(`${path} is not JSON: ${messageOf(error)}`);
  }
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new Error(`${path} is not valid:\n  ${describeFaults(parsed.error).join('\n  ')}`);
}

/** Each with the place where it is. */
export function describeFaults({ issues }: z.ZodError): string[] {
  return issues.map(({ path, message }) => [path.join('.'), message].filter(Boolean).join(': '));
}
