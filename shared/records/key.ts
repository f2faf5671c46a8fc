import { invalid } from '../platform/errors.ts';

/** Which of the keys come first on a page. */
export type KeyOrder = 'ascending' | 'descending';

/** UTF-8 bytes. Encoded twice as long at worst, a key still fits the 1,023 bytes of a Cosmos document id. */
export const MAX_KEY_BYTES = 500;

const ESCAPES: Readonly<Record<string, string>> = {
  '/': '|',
  '~': '~0',
  '|': '~1',
  '\\': '~2',
  '?': '~3',
  '#': '~4',
  ' ': '~5',
};

/**
 * Writes a key without the characters that Cosmos forbids in ids, still readable: `/app/dm` becomes `|app|dm`. A space is
 * forbidden at the end only.
 */
export function encodeKey(key: string): string {
  return key.replace(/[/~|\\?#]| $/g, (character) => ESCAPES[character] ?? character);
}

/** @throws SkerryError `invalid` when the key does not start with a slash or is too long. */
export function checkKey(key: string): void {
  if (!key.startsWith('/')) {
    throw invalid(`The key "${key}" does not start with a slash.`, { field: 'key' });
  }
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw invalid(`The key is longer than ${MAX_KEY_BYTES} bytes.`, {
      field: 'key',
      fix: 'Use a shorter key.',
    });
  }
}

/**
 * Whether a key lies under a prefix, by whole path segments: `/app/dm` covers itself and what is below it, never
 * `/app/dm2`; with a trailing slash only what is below (docs/api.md, "Subscriptions").
 */
export function isUnder(prefix: string, key: string): boolean {
  if (prefix.endsWith('/')) {
    return key.startsWith(prefix) && key.length > prefix.length;
  }
  return key.startsWith(prefix) && (key.length === prefix.length || key[prefix.length] === '/');
}

/** The first key behind all those that are under a prefix; undefined where there is none. */
export function endOfPrefix(prefix: string): string | undefined {
  return prefix === '' ? undefined : `${prefix.replace(/\/$/, '')}0`; // '0' follows '/'.
}
