/** What became of one command, in milliseconds since the Unix epoch. */
export interface Course {
  /** When the sender began to send it. */
  readonly sentAt: number;
  readonly acceptedAt: number;
  /** When its first step began. */
  readonly begunAt: number;
  readonly endedAt: number;
}

/** What a round of commands came to. */
export interface Pace {
  readonly accepted: number;
  readonly completed: number;
  /** Milliseconds from sending to the first step, of each. */
  readonly delays: readonly number[];
}

/** Rates are a second's, from the first that was sent to the last that got so far. */
export function paceOf(courses: readonly Course[]): Pace {
  const startedAt = Math.min(...courses.map(({ sentAt }) => sentAt));
  const rate = (times: readonly number[]) => (1000 * courses.length) / (Math.max(...times) - startedAt);
  return {
    accepted: rate(courses.map(({ acceptedAt }) => acceptedAt)),
    completed: rate(courses.map(({ endedAt }) => endedAt)),
    delays: courses.map(({ begunAt, sentAt }) => begunAt - sentAt),
  };
}
