import { createHash } from 'node:crypto';
import { badRequest } from './cosmos-error.ts';
import { isJsonObject, type JsonValue } from './json.ts';
import type { EpkRange } from './partition-ranges.ts';
import type { SelectQuery } from './sql/syntax.ts';

type SortValues = readonly (JsonValue | undefined)[];

/** The token is a header, of which HTTP clients take 16 KB in all. */
const MAX_SORT_VALUES = 4000;

/**
 * A place in the results: the sort values and the item after which to go on, and how much of OFFSET and LIMIT is used. A physical
 * partition begins after the item without id at its lowest key.
 */
export interface Position {
  readonly sortValues: SortValues;
  /** Given instead of sort values that are too long for a header: they are read from the item, and must be these. */
  readonly fingerprint?: string | undefined;
  readonly partitionKey: string;
  readonly id: string;
  readonly itemNumber: number;
  readonly skipped: number;
  readonly returned: number;
}

/** Where the results of a physical partition begin. */
export function startOf({ minInclusive }: EpkRange): Position {
  return { sortValues: [], partitionKey: minInclusive, id: '', itemNumber: 0, skipped: 0, returned: 0 };
}

/** The position as an opaque token; it holds no state of the server and outlives a restart. */
export function writeContinuation(position: Position, { shape }: SelectQuery): string {
  const text = textOf(position.sortValues);
  const isLong = text.length > MAX_SORT_VALUES;
  const values = isLong
    ? { sortValues: [], fingerprint: fingerprintOf(text) }
    : { sortValues: JSON.parse(text) };
  const token = { ...position, ...values, query: fingerprintOf(shape) };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** @throws CosmosError 400 for a token of another query; another filter is not minded, as clients change it to resume */
export function readContinuation(token: string, { shape }: SelectQuery): Position {
  const position = parse(Buffer.from(token, 'base64url').toString());
  if (
    !isJsonObject(position) ||
    position.query !== fingerprintOf(shape) ||
    !Array.isArray(position.sortValues)
  ) {
    throw badRequest('Invalid Continuation Token.');
  }
  return {
    sortValues: position.sortValues.map((entry) => (Array.isArray(entry) ? entry[0] : undefined)),
    fingerprint: typeof position.fingerprint === 'string' ? position.fingerprint : undefined,
    partitionKey: String(position.partitionKey),
    id: String(position.id),
    itemNumber: Number(position.itemNumber),
    skipped: Number(position.skipped),
    returned: Number(position.returned),
  };
}

/** The position with the sort values of its item. @throws CosmosError 400 when they are not what they were */
export function withSortValues(position: Position, sortValues: SortValues | undefined): Position {
  const isSame = sortValues !== undefined && fingerprintOf(textOf(sortValues)) === position.fingerprint;
  if (!isSame) throw badRequest('Invalid Continuation Token.');
  return { ...position, sortValues };
}

/** JSON that keeps undefined apart from null. */
function textOf(sortValues: SortValues): string {
  return JSON.stringify(sortValues.map((value) => (value === undefined ? [] : [value])));
}

function fingerprintOf(text: string): string {
  return createHash('sha1').update(text).digest('base64url').slice(0, 12);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
