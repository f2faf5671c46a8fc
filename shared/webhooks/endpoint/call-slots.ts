import type { EndpointHealth } from './endpoint-health.ts';

/** How far ahead times are set apart: not so far that a rate which changes meanwhile would matter for days. */
export const SLOT_HORIZON_MILLISECONDS = 60 * 60 * 1_000;

const MINUTE_MILLISECONDS = 60_000;

/** What is set apart at a time, whatever rate an endpoint comes up with: a second's worth of it could fill the memory. */
const MAX_SLOTS = 500;

/** Times at which calls may be made, set apart for whoever wrote `health`. */
export interface ReservedSlots {
  /** In milliseconds since the Unix epoch, ascending; fewer than were asked for where these are many, or would lie beyond the horizon. */
  readonly slots: readonly number[];
  readonly health: EndpointHealth;
}

/**
 * Sets times apart so that no minute has more of them than an endpoint allows (the generic cell rate algorithm, with no
 * burst saved up): each lies an interval after the one before, whoever took that.
 */
export function reserveSlots(
  health: EndpointHealth,
  ratePerMinute: number,
  count: number,
  now: number,
): ReservedSlots {
  const interval = MINUTE_MILLISECONDS / ratePerMinute;
  const first = Math.max(health.nextSlotAt ?? 0, now);
  const fitting = Math.floor((now + SLOT_HORIZON_MILLISECONDS - first) / interval) + 1;
  const reserved = Math.max(0, Math.min(count, fitting, MAX_SLOTS));
  if (reserved === 0) {
    return { slots: [], health };
  }
  const slots = Array.from({ length: reserved }, (_, nth) => first + nth * interval);
  return { slots, health: { ...health, nextSlotAt: first + reserved * interval } };
}
