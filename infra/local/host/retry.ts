import { z } from 'zod';
import type { Random } from '../../../shared/platform/random.ts';
import type { HostClock } from './clock.ts';
import { describeFaults } from './read-json.ts';
import type { FunctionMetadata, RetryContext } from './rpc.ts';

/** A policy whose intervals are written as `interval` reads them; `maxRetryCount` -1 retries for ever. */
export function retryPolicySchema(interval: z.ZodType<number>) {
  const maxRetryCount = z.int().min(-1);
  return z.discriminatedUnion('strategy', [
    z.object({ strategy: z.literal('fixedDelay'), maxRetryCount, delayInterval: interval }),
    z.object({
      strategy: z.literal('exponentialBackoff'),
      maxRetryCount,
      minimumInterval: interval,
      maximumInterval: interval,
    }),
  ]);
}

/** Intervals in milliseconds. */
export type RetryPolicy = z.output<ReturnType<typeof retryPolicySchema>>;

const seconds = z.object({ seconds: z.number() }).transform((duration) => duration.seconds * 1000);
const registeredPolicy = retryPolicySchema(seconds);

/**
 * The policy that a function registered. The library has rounded its intervals to whole seconds.
 *
 * @throws Error for an unknown strategy or a missing interval.
 */
export function toRetryPolicy(options: NonNullable<FunctionMetadata['retryOptions']>): RetryPolicy {
  const parsed = registeredPolicy.safeParse({ ...options, strategy: options.retryStrategy });
  if (parsed.success) return parsed.data;
  throw new Error(`its retry policy is not valid: ${describeFaults(parsed.error).join('; ')}`);
}

/** The pause before retry number `retry` (1 is the first), in milliseconds (webjobs-sdk, `ExponentialBackoffRetryAttribute`). */
export function retryDelay(policy: RetryPolicy, retry: number, random: Pick<Random, 'fraction'>): number {
  if (policy.strategy === 'fixedDelay') return policy.delayInterval;
  const { minimumInterval, maximumInterval } = policy;
  if (retry === 1) return Math.min(minimumInterval, maximumInterval);
  const growth = (0.8 + 0.4 * random.fraction()) * 2 ** (retry - 1) * minimumInterval;
  return Math.min(minimumInterval + growth, maximumInterval);
}

export interface RetryTools {
  readonly clock: HostClock;
  readonly random: Pick<Random, 'fraction'>;
  /** Ends the waiting when the host stops. */
  readonly signal: AbortSignal;
}

/** Runs what may fail, again and again as a policy says. */
export class Retries {
  readonly #tools: RetryTools;
  #waiting = 0;

  constructor(tools: RetryTools) {
    this.#tools = tools;
  }

  /** How many wait for their next attempt. */
  get waitingCount(): number {
    return this.#waiting;
  }

  /**
   * Calls `attempt` until it succeeds, the policy is exhausted, or the host stops.
   *
   * @throws the last attempt's error.
   */
  async run(policy: RetryPolicy, attempt: (context: RetryContext) => Promise<unknown>): Promise<void> {
    const { maxRetryCount } = policy;
    let context: RetryContext = { retryCount: 0, maxRetryCount };
    for (let retry = 1; ; retry++) {
      try {
        await attempt(context);
        return;
      } catch (error) {
        if (maxRetryCount !== -1 && retry > maxRetryCount) throw error;
        if (!(await this.#wait(policy, retry))) throw error;
        context = { retryCount: retry, maxRetryCount, exception: toRpcException(error) };
      }
    }
  }

  /** False if the host stops meanwhile. */
  async #wait(policy: RetryPolicy, retry: number): Promise<boolean> {
    const { clock, random, signal } = this.#tools;
    this.#waiting++;
    await clock.sleep(retryDelay(policy, retry, random), signal);
    this.#waiting--;
    return !signal.aborted;
  }
}

function toRpcException(error: unknown): NonNullable<RetryContext['exception']> {
  const { message, stack = '' } = error instanceof Error ? error : new Error(String(error));
  return { message, stackTrace: stack, source: '' };
}
