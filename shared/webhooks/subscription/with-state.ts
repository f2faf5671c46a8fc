import { toTimestamp } from '../../platform/clock.ts';
import type { SubscriptionState, SubscriptionValue } from './subscription.ts';

/**
 * The value in another state. From one inactive state to the next `stateSince` stays, since it tells from when on changes must be
 * recovered once the subscription is active again.
 *
 * @param now milliseconds since the Unix epoch.
 * @param reason for people.
 */
export function withState(
  value: SubscriptionValue,
  state: SubscriptionState,
  now: number,
  reason?: string,
): SubscriptionValue {
  const { reason: _, stateSince, ...rest } = value;
  const staysInactive = value.state !== 'active' && state !== 'active';
  const since = staysInactive ? stateSince : toTimestamp(now);
  return {
    ...rest,
    state,
    ...(reason !== undefined && { reason }),
    ...(since !== undefined && { stateSince: since }),
  };
}
