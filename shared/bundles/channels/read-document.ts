import type { Document } from 'yaml';
import { createTimedRunner, isOutOfTime, type TimedRunner } from '../../platform/timed-runner.ts';
import type { Json } from '../../records/index.ts';

/** Others of the process wait while YAML is read, some seconds for each MB of the slowest. */
const MAX_YAML_BYTES = 256 * 1024;
/** Longer than so much honest YAML takes on a busy machine. */
const MAX_READ_MILLISECONDS = 2_000;
/** Uses of anchors, those in anchored content counted each time: more and small files grow huge. */
const MAX_ALIASES = 1_000;

/** What stands in a file, or why that cannot be told. */
export type DocumentReading = { readonly value: Json } | { readonly fault: string };

let runner: TimedRunner | undefined;

/** Reads a file as YAML (1.2, with merge keys) where its name ends so, else as JSON. */
export async function readDocument(path: string, bytes: Uint8Array): Promise<DocumentReading> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { fault: 'is not UTF-8' };
  }
  if (!/\.ya?ml$/i.test(path)) return readJson(text);
  return bytes.length > MAX_YAML_BYTES
    ? { fault: `has ${bytes.length} bytes of YAML; ${MAX_YAML_BYTES} are the most that are read` }
    : await readYaml(text);
}

function readJson(text: string): DocumentReading {
  try {
    return { value: JSON.parse(text) as Json };
  } catch (error) {
    return { fault: `is not JSON: ${messageOf(error)}` };
  }
}

async function readYaml(text: string): Promise<DocumentReading> {
  const yaml = await import('yaml');
  runner ??= createTimedRunner(MAX_READ_MILLISECONDS);
  return runner(
    (): DocumentReading => {
      // The library looks for equal keys by comparing each with each.
      const document = yaml.parseDocument(text, { merge: true, prettyErrors: false, uniqueKeys: false });
      const [fault] = [...document.errors, ...document.warnings];
      const repeated = repeatedKey(document, yaml);
      if (fault !== undefined || repeated !== undefined) {
        return { fault: `is not YAML: ${fault?.message ?? `the key "${repeated}" stands there twice`}` };
      }
      return { value: document.toJS({ maxAliasCount: MAX_ALIASES }) as Json };
    },
    (error) => ({
      fault: isOutOfTime(error) ? 'takes too long to read' : `is not YAML: ${messageOf(error)}`,
    }),
  );
}

/** A key that a mapping holds twice: readers do not agree which of them counts. */
function repeatedKey(
  document: Document,
  { visit, isScalar }: Pick<typeof import('yaml'), 'visit' | 'isScalar'>,
): string | undefined {
  let repeated: string | undefined;
  visit(document, {
    Map(_key, { items }) {
      const seen = new Set<string>();
      for (const { key } of items) {
        const name = isScalar(key) ? String(key.value) : undefined;
        if (name === undefined || name === '<<') continue;
        if (seen.has(name)) repeated = name;
        seen.add(name);
      }
      return repeated === undefined ? undefined : visit.BREAK;
    },
  });
  return repeated;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
