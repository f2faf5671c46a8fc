import type { CircuitBreakerPolicy } from 'cockatiel';
import { RecentMap } from '../../platform/recent-map.ts';
import { passingFailure } from '../step-failure.ts';
import { type Answer, isPassingStatus } from './answer.ts';

/** Failures of an origin in a row after which it is left alone. */
const FAILURES = 5;
/** For how long; then one call tries whether it is back. */
const OPEN_MILLISECONDS = 10_000;
/** Repetitions of a call inside one attempt; what lasts longer is for the next attempt. */
const REPETITIONS = 2;
const MAX_PAUSE_MILLISECONDS = 2_000;
/** Origins that are looked after; those that are called seldom begin anew. */
const MAX_ORIGINS = 1_000;

export interface CircuitOptions {
  readonly retryMilliseconds: number;
  /** Whether what was thrown is a fault of the origin or of the way there. */
  readonly isFault: (error: unknown) => boolean;
}

export interface Circuits {
  /**
   * Makes a call, unless its origin has failed too often.
   *
   * @throws StepFailure, passing, then.
   */
  through(origin: string, work: () => Promise<Answer>): Promise<Answer>;
  /** Makes a call, and again while it fails as if that might help. */
  repeat(work: () => Promise<Answer>, signal: AbortSignal): Promise<Answer>;
}

/** cockatiel is loaded by whoever calls somebody. */
export async function loadCircuits({ retryMilliseconds, isFault }: CircuitOptions): Promise<Circuits> {
  const { BrokenCircuitError, circuitBreaker, ConsecutiveBreaker, ExponentialBackoff, handleWhen, retry } =
    await import('cockatiel');
  const breakers = new RecentMap<string, CircuitBreakerPolicy>(MAX_ORIGINS);
  const failing = handleWhen(isFault).orWhenResult((answer) => (answer as Answer).status >= 500);
  const repeating = retry(
    handleWhen(isFault).orWhenResult((answer) => isWorthRepeating(answer as Answer)),
    {
      maxAttempts: REPETITIONS,
      backoff: new ExponentialBackoff({ initialDelay: retryMilliseconds, maxDelay: MAX_PAUSE_MILLISECONDS }),
    },
  );

  function breakerOf(origin: string): CircuitBreakerPolicy {
    const known = breakers.get(origin);
    const breaker =
      known ??
      circuitBreaker(failing, {
        halfOpenAfter: OPEN_MILLISECONDS,
        breaker: new ConsecutiveBreaker(FAILURES),
      });
    if (known === undefined) {
      breakers.set(origin, breaker);
    }
    return breaker;
  }

  return {
    async through(origin, work) {
      try {
        return await breakerOf(origin).execute(work);
      } catch (fault) {
        if (fault instanceof BrokenCircuitError) {
          throw passingFailure(
            `${origin} has failed ${FAILURES} times in a row, and is left alone for ${OPEN_MILLISECONDS / 1000} s.`,
          );
        }
        throw fault;
      }
    },
    repeat: (work, signal) => repeating.execute(work, signal),
  };
}

/** Who asks for a pause is asked again by the next attempt. */
function isWorthRepeating({ status, retryAfterSeconds }: Answer): boolean {
  return isPassingStatus(status) && retryAfterSeconds === undefined;
}
