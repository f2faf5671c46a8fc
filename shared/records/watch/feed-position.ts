/** Where the change feed of the container was read to: for each range of partition keys the token that Cosmos gave. */
export interface FeedPosition {
  /** Resource id of the container, which a new container of the same name does not have. */
  readonly container: string;
  /** From the lowest keys to the highest, without a gap. */
  readonly ranges: readonly FeedRange[];
}

export interface FeedRange {
  /** Where it ends, in the hexadecimal digits of effective partition keys; it begins where the one before ends. */
  readonly end: string;
  readonly token: string;
}

/** Before the lowest and behind the highest effective partition key. */
const FIRST = '';
const LAST = 'FF';

const RANGE_END = /^[0-9A-F]{1,64}$/;
/** In Azure a sequence number, which a header carries; opaque but for that. */
const TOKEN = /^[0-9A-Za-z"|:;,.#=+/_-]{1,64}$/;
const CONTAINER = /^[0-9A-Za-z+/=_-]{1,64}$/;
const MAX_RANGES = 100;

/** The position in a continuation token of the SDK, which lists the ranges in the order in which it reads them next. */
export function fromContinuation(continuation: string): FeedPosition {
  const { rid, Continuation: ranges } = JSON.parse(continuation) as SdkContinuation;
  const sorted = ranges.toSorted((one, other) => (one.minInclusive < other.minInclusive ? -1 : 1));
  return {
    container: rid,
    ranges: sorted.map(({ maxExclusive, continuationToken }) => ({
      end: maxExclusive,
      token: continuationToken,
    })),
  };
}

export function toContinuation({ container, ranges }: FeedPosition): string {
  const continuation: SdkContinuation = {
    rid: container,
    Continuation: ranges.map(({ end, token }, index) => ({
      minInclusive: ranges[index - 1]?.end ?? FIRST,
      maxExclusive: end,
      continuationToken: token,
    })),
  };
  return JSON.stringify(continuation);
}

/** Whether something could be the position of a feed, as far as its shape tells. */
export function isFeedPosition({ container, ranges }: FeedPosition): boolean {
  const areOrdered = ranges.every(
    ({ end, token }, index) =>
      RANGE_END.test(end) && TOKEN.test(token) && end > (ranges[index - 1]?.end ?? FIRST),
  );
  return (
    CONTAINER.test(container) && areOrdered && ranges.length <= MAX_RANGES && ranges.at(-1)?.end === LAST
  );
}

/** Whether a reading that began at a time has come to each range, so that its position tells where to go on in all of them. */
export function hasBegunEverywhere({ ranges }: FeedPosition): boolean {
  return ranges.every(({ token }) => token !== '');
}

/** Equal for equal positions. */
export function positionKey({ container, ranges }: FeedPosition): string {
  return [container, ...ranges.flatMap(({ end, token }) => [end, token])].join(' ');
}

/**
 * Whether a position is at another one, or behind it, in each range; false where that cannot be told: the ranges are others, or
 * the tokens no numbers.
 */
export function hasReached(position: FeedPosition, target: FeedPosition): boolean {
  return (
    position.ranges.length === target.ranges.length &&
    position.ranges.every(({ end, token }, index) => {
      const other = target.ranges[index];
      return end === other?.end && sequenceNumber(token) >= sequenceNumber(other.token);
    })
  );
}

/** Not a number for what is none. */
function sequenceNumber(token: string): number {
  return Number(/^"(\d{1,15})"$/.exec(token)?.[1]);
}

/** Undocumented, but what the SDK takes and gives as text. */
interface SdkContinuation {
  readonly rid: string;
  readonly Continuation: readonly {
    readonly minInclusive: string;
    readonly maxExclusive: string;
    readonly continuationToken: string;
  }[];
}
