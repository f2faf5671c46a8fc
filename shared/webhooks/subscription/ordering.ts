import type { SubscriptionValue } from './subscription.ts';

/** The time in which a subscription that is or was ordered was not: open at a side that is absent. RFC 3339, UTC. */
export interface UnorderedTime {
  readonly from?: string;
  readonly to?: string;
}

type Ordering = Pick<SubscriptionValue, 'ordered' | 'unordered'>;
type KnownOrdering = { readonly [Name in keyof Ordering]: Ordering[Name] | undefined };

/** What is kept of a subscription that is to be ordered from now on, or not to be. */
export function withOrdering(
  { ordered, unordered }: KnownOrdering,
  isOrdered: boolean,
  now: string,
): Ordering {
  if (isOrdered === (ordered === true)) {
    return { ...(ordered && { ordered }), ...(unordered !== undefined && { unordered }) };
  }
  return isOrdered ? { ordered: true, unordered: { ...unordered, to: now } } : { unordered: { from: now } };
}

/**
 * Whether the fan-out is to wake the ordered deliveries for a change, rather than send a message for it alone: the subscription is ordered,
 * and was when the change was made.
 *
 * @param at when the change was made, RFC 3339.
 * @param clockSkewMilliseconds how far two instances' clocks may differ.
 */
export function isOrdered(
  { ordered, unordered }: Ordering,
  at: string,
  clockSkewMilliseconds: number,
): boolean {
  return ordered === true && Date.parse(at) >= timeOf(unordered?.to, 0) - clockSkewMilliseconds;
}

/**
 * Whether a change that lies behind a cursor may have been left to it. Where clocks leave that open it may have had a message of its own
 * too; its delivery tells then.
 */
export function isLeftToCursor(ordering: Ordering, at: string, clockSkewMilliseconds: number): boolean {
  const end = timeOf(ordering.unordered?.from, Number.NEGATIVE_INFINITY) + clockSkewMilliseconds;
  return isOrdered(ordering, at, clockSkewMilliseconds) || Date.parse(at) <= end;
}

function timeOf(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : Date.parse(text);
}
