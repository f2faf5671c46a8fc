import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Content, isJsonType, type Json, RawContent } from '../store/content.ts';
import type { Context } from './command.ts';
import { UsageError } from './usage-error.ts';

/** Flags of commands that take content. */
export const VALUE_FLAGS = {
  file: { placeholder: 'FILE', summary: 'read the value from a file; - is standard input' },
} as const;

/** The bytes that a user means: the argument, a file, or what is piped into the command. */
export async function readBytes(
  argument: string | undefined,
  file: string | undefined,
  { folder, readInput }: Pick<Context, 'folder' | 'readInput'>,
): Promise<Buffer> {
  if (argument !== undefined && file !== undefined) {
    throw new UsageError('The value is given twice, as an argument and by --file: leave one out.');
  }
  if (argument !== undefined) return Buffer.from(argument);
  if (file !== undefined && file !== '-') return await readFile(path.resolve(folder, file));
  return await readInput();
}

/**
 * @param type the content type; JSON without.
 * @throws UsageError when it should be JSON and is not.
 */
export function readContent(bytes: Buffer, type: string | undefined): Content {
  if (type !== undefined && !isJsonType(type)) return new RawContent(new Uint8Array(bytes), type);
  return parseJson(
    bytes.toString('utf8'),
    'The value',
    'Text is written as JSON (\'"text"\'), or stored as it is with --text.',
  );
}

/** @throws UsageError that names what was read and tells what to do. */
export function parseJson(text: string, what: string, fix = ''): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    // The parser's message quotes what it read, which may be a secret: only where it stands is told.
    const [place = ''] = / at position \d+( \(line \d+ column \d+\))?/.exec(String(error)) ?? [];
    throw new UsageError(`${what} is not JSON${place}. ${fix}`.trimEnd());
  }
}
