import { invalid } from '../../platform/errors.ts';
import { type FeedPosition, type FeedRange, isFeedPosition } from './feed-position.ts';

const VERSION = 2;
/** A cursor travels in the request line, for which the host has 8 KiB, and within the cursor of a resync page once more. */
export const MAX_CURSOR_CHARACTERS = 6_000;
const MAX_TIME = 8_640_000_000_000_000;

/** Where somebody who watches several scopes stands. */
export interface WideCursor {
  readonly position: FeedPosition;
  /** All changes that were committed before are before the position, in milliseconds since the Unix epoch. */
  readonly completeSince: number;
}

export function writeWideCursor({ position, completeSince }: WideCursor): string {
  const ranges = position.ranges.flatMap(({ end, token }) => [end, token]);
  return Buffer.from(JSON.stringify([VERSION, position.container, completeSince, ranges])).toString(
    'base64url',
  );
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
  if (!Array.isArray(parts) || parts.length !== 4) {
    return undefined;
  }
  const [version, container, completeSince, rangeParts] = parts as unknown[];
  const ranges = takeRanges(rangeParts);
  if (
    version !== VERSION ||
    typeof container !== 'string' ||
    !isTime(completeSince) ||
    ranges === undefined ||
    !isFeedPosition({ container, ranges })
  ) {
    return undefined;
  }
  return { position: { container, ranges }, completeSince };
}

function takeRanges(parts: unknown): FeedRange[] | undefined {
  if (!Array.isArray(parts) || parts.length % 2 !== 0 || parts.some((part) => typeof part !== 'string')) {
    return undefined;
  }
  return Array.from({ length: parts.length / 2 }, (_, index) => ({
    end: String(parts[2 * index]),
    token: String(parts[2 * index + 1]),
  }));
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MAX_TIME;
}
