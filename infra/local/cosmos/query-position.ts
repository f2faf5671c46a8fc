import { createHash } from 'node:crypto';
import { badRequest } from './cosmos-error.ts';
import { entryParts, indexedValueOf, isWholeValue } from './indexed-value.ts';
import { isJsonObject, type JsonValue } from './json.ts';
import type { AccessPath } from './query-plan.ts';
import { indexPrefix, type KeyBounds } from './query-source.ts';
import { AFTER_ALL } from './store.ts';

/** A place in the results: the sort values and the item after which to go on, and how much of OFFSET and LIMIT is used. */
export interface Position {
  /** Of the query, so that a token is not used with another one. */
  readonly query: string;
  readonly sortValues: readonly (JsonValue | undefined)[];
  readonly partitionKey: string;
  readonly id: string;
  readonly skipped: number;
  readonly returned: number;
}

export function fingerprintOf(queryText: string): string {
  return createHash('sha1').update(queryText).digest('base64url').slice(0, 12);
}

/** The position as an opaque token; it holds no state of the server and outlives a restart. */
export function writeContinuation(position: Position): string {
  const sortValues = position.sortValues.map((value) => (value === undefined ? [] : [value]));
  return Buffer.from(JSON.stringify({ ...position, sortValues })).toString('base64url');
}

/** @throws CosmosError 400 for a token of another query */
export function readContinuation(token: string, query: string): Position {
  const position = parse(Buffer.from(token, 'base64url').toString());
  if (!isJsonObject(position) || position.query !== query || !Array.isArray(position.sortValues)) {
    throw badRequest('Invalid Continuation Token.');
  }
  return {
    query,
    sortValues: position.sortValues.map((entry) => (Array.isArray(entry) ? entry[0] : undefined)),
    partitionKey: String(position.partitionKey),
    id: String(position.id),
    skipped: Number(position.skipped),
    returned: Number(position.returned),
  };
}

/** Where an index scan goes on: at the last item's value, past its id when ids are all that is left to tell apart. */
export function resumeAt(
  { bounds, descending }: Extract<AccessPath, { kind: 'ordered' }>,
  from: Position,
): KeyBounds {
  const [first, ...others] = from.sortValues;
  if (from.sortValues.length === 0) return { ...bounds, start: [...bounds.start, from.id] };
  const value = indexedValueOf(first);
  const key = [...indexPrefix(bounds), ...entryParts(value)];
  const isById = others.length === 0 && isWholeValue(value);
  if (descending) return { ...bounds, end: isById ? [...key, from.id] : [...key, AFTER_ALL] };
  return { ...bounds, start: isById ? [...key, from.id] : key };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
