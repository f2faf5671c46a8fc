import { createHash } from 'node:crypto';
import { invalid } from '../../platform/errors.ts';
import { type Scope, scopeId } from '../scope.ts';
import { type FeedPosition, type FeedRange, isFeedPosition } from './feed-position.ts';

const VERSION = 1;
/** A cursor travels in the request line, for which the host has 8 KiB, and within the cursor of a resync page once more. */
export const MAX_CURSOR_CHARACTERS = 6_000;
/** Scopes that may have changed between the beginning of a resync and their own reading. */
export const MAX_HELD_SCOPES = 100;
const MAX_TIME = 8_640_000_000_000_000;

/** Where somebody who watches several scopes stands. */
export interface WideCursor {
  readonly position: FeedPosition;
  /** All changes that were committed before are before the position, in milliseconds since the Unix epoch. */
  readonly completeSince: number;
  /**
   * By `markOf` a scope: the revision up to which its changes behind the position are known to who watches, who read its records
   * after the position was taken.
   */
  readonly held: ReadonlyMap<string, number>;
}

/** Stands for a scope in a cursor, briefly. */
export function markOf(scope: Scope): string {
  return createHash('sha256').update(scopeId(scope)).digest('base64url').slice(0, 10);
}

export function writeWideCursor({ position, completeSince, held }: WideCursor): string {
  const ranges = position.ranges.flatMap(({ end, token }) => [end, token]);
  const parts = [VERSION, position.container, completeSince, ranges, [...held].flat()];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** @throws SkerryError `invalid` for what `writeWideCursor` did not write, as far as its shape tells. */
export function readWideCursor(text: string): WideCursor {
  const cursor = text.length <= MAX_CURSOR_CHARACTERS ? takeCursor(parse(text)) : undefined;
  if (cursor === undefined) {
    throw invalid('"cursor" is none that was given out here.', {
      field: 'cursor',
      fix: 'Take it from the answer before, or leave it out and begin with a resync.',
    });
  }
  return cursor;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    return undefined;
  }
}

function takeCursor(parts: unknown): WideCursor | undefined {
  if (!Array.isArray(parts) || parts.length !== 5) {
    return undefined;
  }
  const [version, container, completeSince, rangeParts, heldParts] = parts as unknown[];
  const ranges = takePairs(rangeParts, (end, token): FeedRange | undefined =>
    typeof end === 'string' && typeof token === 'string' ? { end, token } : undefined,
  );
  const held = takePairs(heldParts, (mark, revision): [string, number] | undefined =>
    typeof mark === 'string' && isCount(revision, Number.MAX_SAFE_INTEGER) ? [mark, revision] : undefined,
  );
  if (
    version !== VERSION ||
    typeof container !== 'string' ||
    !isCount(completeSince, MAX_TIME) ||
    ranges === undefined ||
    held === undefined ||
    held.length > MAX_HELD_SCOPES ||
    !isFeedPosition({ container, ranges })
  ) {
    return undefined;
  }
  return { position: { container, ranges }, completeSince, held: new Map(held) };
}

function takePairs<Pair>(
  parts: unknown,
  take: (first: unknown, second: unknown) => Pair | undefined,
): Pair[] | undefined {
  if (!Array.isArray(parts) || parts.length % 2 !== 0) {
    return undefined;
  }
  const pairs: Pair[] = [];
  for (let index = 0; index < parts.length; index += 2) {
    const pair = take(parts[index], parts[index + 1]);
    if (pair === undefined) {
      return undefined;
    }
    pairs.push(pair);
  }
  return pairs;
}

function isCount(value: unknown, maximum: number): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= maximum;
}
