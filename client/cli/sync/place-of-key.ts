import { LEDGER_STORE } from './ledger.ts';

/** How agents of cn-infra write keys: below their microservice label. */
const LABELLED = /^\/vnf-agent\/([^/]+)\/(.+)$/s;
const STORE_NAME = /^(?!\.{1,2}$)[0-9A-Za-z._-]{1,128}$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what keys may not hold
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f]/;
const MOST_BYTES = 500;

/**
 * Where a key of a file belongs: the label of `/vnf-agent/LABEL/KEY` is the store; other keys go, as they are, into the
 * store that the user named.
 *
 * @returns what is wrong with the key as a text: Skerry would refuse it, but perhaps after some of the file has been written.
 */
export function placeOfKey(
  key: string,
  otherwise: string | undefined,
): { readonly store: string; readonly key: string } | string {
  const [, label, below] = LABELLED.exec(key) ?? [];
  const store = label ?? otherwise;
  const inner = below ?? key;
  if (store === undefined) {
    return 'the key names no store: it must begin with /vnf-agent/LABEL/, or --store must say where such keys go';
  }
  if (!isStoreName(store)) return `the label "${store}" must be 1 to 128 of the characters 0-9 A-Z a-z . _ -`;
  if (store === LEDGER_STORE) return `the store "${LEDGER_STORE}" is where syncs remember what they put`;
  if (inner === '') return 'the key is empty';
  if (CONTROL_CHARACTER.test(inner)) return 'the key holds a control character';
  if (inner.split('/').some((segment) => segment === '.' || segment === '..')) {
    return 'the key holds a segment "." or ".."';
  }
  if (/%2f/i.test(inner))
    return 'the key holds "%2F", which servers take for a slash: write the slash as it is';
  if (Buffer.byteLength(`/kv/${store}/${inner}`) > MOST_BYTES)
    return `the key is longer than ${MOST_BYTES} bytes`;
  return { store, key: inner };
}

export function isStoreName(name: string): boolean {
  return STORE_NAME.test(name);
}

/** The key as agents know it, from a key within the store of their label. */
export function labelledKey(store: string, key: string): string {
  return `/vnf-agent/${store}/${key}`;
}
