import { invalid } from '../platform/errors.ts';
import type { Scope } from '../records/index.ts';

export const STORE_KIND = 'kv';

/** Of the whole key, `/kv/STORE/KEY`, as the log has it. */
const MAX_KEY_BYTES = 500;

const CONTROL_CHARACTER = /\p{Cc}/u;

export function storeScope(ns: string, store: string): Scope {
  return { ns, kind: STORE_KIND, name: store };
}

/**
 * The record's key behind a key of a store.
 *
 * @param field what an error calls the key.
 * @throws SkerryError `invalid` for a key that is empty, too long, holds control characters, "%2F", or a segment "." or "..".
 */
export function recordKeyOf(store: string, key: string, field = 'key'): string {
  if (key === '') {
    throw invalid('The key is empty.', { field, fix: 'Name a key of the store.' });
  }
  return recordPrefixOf(store, key, field);
}

/** As `recordKeyOf`, for a prefix of keys, which may be empty. */
export function recordPrefixOf(store: string, prefix: string, field = 'prefix'): string {
  const whole = keyPrefix(store) + prefix;
  if (Buffer.byteLength(whole) > MAX_KEY_BYTES) {
    throw invalid(`The key is longer than ${MAX_KEY_BYTES - keyPrefix(store).length} bytes.`, {
      field,
      fix: 'Use a shorter key.',
    });
  }
  if (!prefix.isWellFormed() || CONTROL_CHARACTER.test(prefix)) {
    throw invalid('The key holds a control character, or half of one beyond U+FFFF.', {
      field,
      fix: 'Use characters that can be written.',
    });
  }
  if (prefix.split('/').some((segment) => segment === '.' || segment === '..')) {
    throw invalid('The key holds a segment "." or "..", which the way to the server may resolve.', {
      field,
      fix: 'Give the segment another name.',
    });
  }
  if (/%2f/i.test(prefix)) {
    throw invalid('The key holds "%2F", which the server before Azure\'s host takes for an escaped slash.', {
      field,
      fix: 'Write the slash as it is, or leave the percent sign out.',
    });
  }
  return whole;
}

/** A key as the end of a path of this API, with those slashes escaped that servers on the way may drop. */
export function pathOfKey(store: string, key: string): string {
  const end = /^\/|\/\/|\/$/.test(key)
    ? encodeURIComponent(key)
    : key.split('/').map(encodeURIComponent).join('/');
  return `${STORE_KIND}/${store}/${end}`;
}

/** The key of a store behind a record's. */
export function storeKeyOf(store: string, recordKey: string): string {
  return recordKey.slice(keyPrefix(store).length);
}

function keyPrefix(store: string): string {
  return `/${STORE_KIND}/${store}/`;
}
