import type { Change } from '../change.ts';

/** What a change takes beside its values: keys, times, ids and the entry itself. */
const OVERHEAD_BYTES = 600;

/** Approximate: the length of both values as JSON, with an allowance for what surrounds them. */
export function changeBytes({ value, previous }: Change<unknown>): number {
  return OVERHEAD_BYTES + jsonLength(value) + jsonLength(previous?.value);
}

function jsonLength(value: unknown): number {
  return value === undefined ? 0 : JSON.stringify(value).length;
}
