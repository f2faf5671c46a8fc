import { createHash } from 'node:crypto';
import { badRequest } from './cosmos-error.ts';
import { isJsonObject, type JsonValue } from './json.ts';
import type { EpkRange } from './partition-ranges.ts';
import type { SelectQuery } from './sql/syntax.ts';

/**
 * A place in the results: the sort values and the item after which to go on, and how much of OFFSET and LIMIT is used. A physical
 * partition begins after the item without id at its lowest key.
 */
export interface Position {
  readonly sortValues: readonly (JsonValue | undefined)[];
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
  const sortValues = position.sortValues.map((value) => (value === undefined ? [] : [value]));
  const query = fingerprintOf(shape);
  return Buffer.from(JSON.stringify({ ...position, sortValues, query })).toString('base64url');
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
    partitionKey: String(position.partitionKey),
    id: String(position.id),
    itemNumber: Number(position.itemNumber),
    skipped: Number(position.skipped),
    returned: Number(position.returned),
  };
}

function fingerprintOf(shape: string): string {
  return createHash('sha1').update(shape).digest('base64url').slice(0, 12);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
