import { describe, expect, it } from 'vitest';
import { Retries, type RetryPolicy, retryDelay, toRetryPolicy } from '../../../infra/local/host/retry.ts';
import type { RetryContext } from '../../../infra/local/host/rpc.ts';
import { ManualClock } from './manual-clock.ts';

const exponential: RetryPolicy = {
  strategy: 'exponentialBackoff',
  maxRetryCount: 9,
  minimumInterval: 1000,
  maximumInterval: 10_000,
};
const fixed = (maxRetryCount: number): RetryPolicy => ({
  strategy: 'fixedDelay',
  maxRetryCount,
  delayInterval: 5000,
});
const random = { fraction: () => 0.5 };

describe('the pause before a retry', () => {
  it('is always the same with a fixed delay', () => {
    expect([1, 2, 3].map((retry) => retryDelay(fixed(3), retry, random))).toEqual([5000, 5000, 5000]);
  });

  it('is the minimum, then grows by powers of two up to the maximum', () => {
    const delays = [1, 2, 3, 4, 5].map((retry) => retryDelay(exponential, retry, random));
    expect(delays).toEqual([1000, 3000, 5000, 9000, 10_000]);
  });

  it('is spread by a fifth', () => {
    expect(retryDelay(exponential, 2, { fraction: () => 0 })).toBeCloseTo(2600);
    expect(retryDelay(exponential, 2, { fraction: () => 0.999_999 })).toBeCloseTo(3400);
  });
});

describe('retrying', () => {
  function failing(policy: RetryPolicy, signal = new AbortController().signal) {
    const clock = new ManualClock(0);
    const contexts: RetryContext[] = [];
    const retries = new Retries({ clock, random, signal });
    const outcome = retries
      .run(policy, async (context) => {
        contexts.push(context);
        throw new Error(`attempt ${contexts.length}`);
      })
      .catch((error: unknown) => (error as Error).message);
    return { clock, contexts, outcome, retries };
  }

  it('ends with the last error once the policy is exhausted', async () => {
    const { clock, contexts, outcome, retries } = failing(fixed(2));
    await clock.settle();
    expect(retries.waitingCount).toBe(1);
    await clock.advance(4999);
    expect(contexts).toEqual([{ retryCount: 0, maxRetryCount: 2 }]);
    await clock.advance(1);
    await clock.advance(5000);
    expect(await outcome).toBe('attempt 3');
    expect(retries.waitingCount).toBe(0);
    expect(contexts.map(({ retryCount, exception }) => [retryCount, exception?.message])).toEqual([
      [0, undefined],
      [1, 'attempt 1'],
      [2, 'attempt 2'],
    ]);
  });

  it('goes on for ever with a count of -1, until the host stops', async () => {
    const stop = new AbortController();
    const { clock, contexts, outcome } = failing(fixed(-1), stop.signal);
    await clock.settle();
    for (let retry = 0; retry < 50; retry++) await clock.advance(5000);
    expect(contexts).toHaveLength(51);
    stop.abort();
    expect(await outcome).toBe('attempt 51');
  });
});

describe("a function's policy", () => {
  it("has the library's whole seconds as milliseconds", () => {
    const options = { retryStrategy: 'fixedDelay', maxRetryCount: 2, delayInterval: { seconds: 5 } };
    expect(toRetryPolicy(options)).toEqual(fixed(2));
  });

  it.each([
    [{ retryStrategy: 'fixedDelay', maxRetryCount: 1 }, 'delayInterval: Invalid input'],
    [{ retryStrategy: 'fixedDelay', delayInterval: { seconds: 1 } }, 'maxRetryCount'],
    [{ retryStrategy: 'linear', maxRetryCount: 1 }, 'strategy: Invalid'],
  ])('%j is refused', (options, message) => {
    expect(() => toRetryPolicy(options)).toThrow(message);
  });
});
