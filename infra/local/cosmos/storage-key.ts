import { createHash } from 'node:crypto';

/** LMDB keys end at 1,978 bytes; a key here holds a partition key, an id and at most one indexed value. */
const MAX_PARTITION_KEY_BYTES = 300;
const MAX_ID_BYTES = 450;
const KEPT_PREFIX = 60;

/** The part of a storage key that stands for a partition key value (its canonical JSON). */
export function partitionKeyPart(canonicalJson: string): string {
  return boundedKeyPart(canonicalJson, MAX_PARTITION_KEY_BYTES);
}

/** The part of a storage key that stands for an item id; short ids keep their order. */
export function idKeyPart(id: string): string {
  return boundedKeyPart(id, MAX_ID_BYTES);
}

function boundedKeyPart(text: string, maxBytes: number): string {
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  const digest = createHash('sha256').update(text).digest('hex');
  return `${text.slice(0, KEPT_PREFIX)}~${digest}`;
}
