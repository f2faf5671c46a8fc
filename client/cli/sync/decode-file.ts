import path from 'node:path';
import { parse as parseYaml, YAMLError } from 'yaml';
import type { Json } from '../../store/content.ts';
import { type DatabaseEntry, UndecodableFile } from './database-entry.ts';
import { placeOfKey } from './place-of-key.ts';

const MOST_VALUE_BYTES = 256 * 1024;

/** How each extension is read; other files are no file databases. */
const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  '.json': (text) => JSON.parse(text),
  '.yaml': parseYamlQuietly,
  '.yml': parseYamlQuietly,
};

export const EXTENSIONS: readonly string[] = Object.keys(PARSERS);

export function isDatabaseFile(file: string): boolean {
  return EXTENSIONS.includes(path.extname(file));
}

/**
 * Reads the text of a file, `{data: [{key, value}]}` in the format that its extension names; an empty file holds nothing.
 *
 * @param store where keys go that name none.
 * @throws UndecodableFile unless all of it can be used.
 */
export function decodeFile(file: string, text: string, store: string | undefined): readonly DatabaseEntry[] {
  if (text.trim() === '') return [];
  const content = parse(file, text);
  // An empty YAML document, such as one of comments only, is null.
  if (content === null || content === undefined) return [];
  if (isObject(content) && content.data === null) return [];
  if (!isObject(content) || !Array.isArray(content.data)) {
    throw new UndecodableFile(file, 'it must hold {"data": [{"key": …, "value": …}]}');
  }
  return content.data.map((item: unknown, index) => {
    const place = `data[${index}]`;
    if (!isObject(item) || typeof item.key !== 'string' || !('value' in item)) {
      throw new UndecodableFile(file, `${place} must be an object with a text "key" and a "value"`);
    }
    const placed = placeOfKey(item.key, store);
    if (typeof placed === 'string') throw new UndecodableFile(file, `${place} ("${item.key}"): ${placed}`);
    const fault = faultOfValue(item.value);
    if (fault !== undefined) throw new UndecodableFile(file, `${place} ("${item.key}"): ${fault}`);
    // As it will be read back: JSON knows no -0.
    return { ...placed, value: JSON.parse(JSON.stringify(item.value)) as Json };
  });
}

function parse(file: string, text: string): unknown {
  const parser = PARSERS[path.extname(file)];
  if (parser === undefined)
    throw new UndecodableFile(file, `the extension must be one of ${EXTENSIONS.join(', ')}`);
  try {
    return parser(text);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof YAMLError || error instanceof ReferenceError) {
      throw new UndecodableFile(file, `it cannot be decoded: ${error.message.trimEnd()}`);
    }
    throw error;
  }
}

function parseYamlQuietly(text: string): unknown {
  return parseYaml(text, { logLevel: 'error' });
}

/** YAML knows more than JSON does. */
function faultOfValue(value: unknown): string | undefined {
  if (!isJson(value))
    return 'the value is not JSON: it holds .inf, .nan or something else that JSON cannot say';
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > MOST_VALUE_BYTES ? `the value is larger than ${MOST_VALUE_BYTES / 1024} KiB` : undefined;
}

function isJson(value: unknown): value is Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isJson);
  return isObject(value) && Object.values(value).every(isJson);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
