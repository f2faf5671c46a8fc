/** Time as everything in Skerry sees it, so that tests own it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after `milliseconds`. */
  sleep(milliseconds: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
};

/** RFC 3339 in UTC with milliseconds, the form of every time on the canonical API. */
export function toTimestamp(epochMilliseconds: number): string {
  return new Date(epochMilliseconds).toISOString();
}
