import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TokenBuckets } from '../../../shared/platform/token-buckets.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const policies = fc.record({
  perSecond: fc.oneof(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0.1, max: 1, noNaN: true })),
  burst: fc.integer({ min: 1, max: 50 }),
});
const steps = fc.array(
  fc.record({ wait: fc.integer({ min: 0, max: 3_000 }), name: fc.constantFrom('a', 'b') }),
  {
    maxLength: 200,
  },
);

/** A bucket as it is told in a textbook: what flows in, what is taken, and no more than it holds. */
class NaiveBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** Undefined where rounding decides. */
  take(now: number): boolean | undefined {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) * this.#perSecond) / 1000);
    this.#at = now;
    return Math.abs(this.#tokens - 1) < 1e-6 ? undefined : this.#tokens >= 1;
  }

  pay(): void {
    this.#tokens -= 1;
  }
}

it('each name has a bucket as it is told in a textbook, and is told how long to wait', () => {
  fc.assert(
    fc.property(policies, steps, (policy, moves) => {
      let now = 1_700_000_000_000;
      const clock = { now: () => now, sleep: async () => {} };
      const buckets = new TokenBuckets(policy, clock);
      const naive = new Map(
        ['a', 'b'].map((name) => [name, new NaiveBucket(policy.perSecond, policy.burst, now)]),
      );
      for (const { wait, name } of moves) {
        now += wait;
        const expected = naive.get(name)?.take(now);
        const refusedFor = buckets.take(name);
        if (expected !== undefined) {
          expect(refusedFor === 0).toBe(expected);
        }
        if (refusedFor === 0) {
          naive.get(name)?.pay();
        } else {
          expect(refusedFor).toBeLessThanOrEqual(1000 / policy.perSecond + 1e-3);
          now += Math.ceil(refusedFor + 1e-3);
          expect(buckets.look(name)).toBe(0);
        }
      }
    }),
    { seed: printedSeed('token-buckets'), numRuns: runs(200, 20_000) },
  );
});

it('remembers no more buckets than it may, and of those the ones that were used last', () => {
  const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, { now: () => 0, sleep: async () => {} }, 2);
  expect(['a', 'b', 'c'].map((name) => buckets.take(name))).toEqual([0, 0, 0]);
  expect(['c', 'b', 'a'].map((name) => buckets.take(name))).toEqual([1000, 1000, 0]);
});

it('a clock that is set back empties no bucket for longer than filling it takes', () => {
  let now = 1_000_000;
  const buckets = new TokenBuckets({ perSecond: 10, burst: 2 }, { now: () => now, sleep: async () => {} });
  buckets.take('a');
  now = 0;
  expect(buckets.look('a')).toBeLessThanOrEqual(100);
});
