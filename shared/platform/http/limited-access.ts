import { hash } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { SkerryError } from '../errors.ts';
import { rateLimited } from '../rate-limited.ts';
import { RecentMap } from '../recent-map.ts';
import { TokenBuckets } from '../token-buckets.ts';
import type { Access, AccessControl, Credentials } from './access.ts';
import { addressBlock } from './address-block.ts';
import { actorAt, type Caller, isAnybody } from './caller.ts';

/** How many seconds' worth of requests may come at once. */
const BURST_SECONDS = 2;
/** The part of a caller's requests that may come from one address with credentials that are not accepted. */
const FAILURE_SHARE = 0.1;
/** Credentials that are remembered as accepted. */
const MAX_ACCEPTED = 10_000;
const UNGUESSABLE = /^Bearer +(?:skt_[\w-]{43}|eyJ[\w-]*\.[\w-]+\.[\w-]+) *$/i;

/**
 * Lets nobody ask more often than they may, before anything of a request is read: callers by who they are, those without
 * credentials by their address. Who fails to sign in is looked at more closely: while an address has failed too often, credentials
 * from there that could be a guess are not even looked at unless they were accepted lately, so that nobody guesses on, and who works
 * behind the same address as a mistaken neighbour goes on working.
 */
export class LimitedAccess implements AccessControl {
  readonly #access: AccessControl;
  readonly #requests: Limit;
  readonly #failures: Limit;
  readonly #accepted = new RecentMap<string, true>(MAX_ACCEPTED);

  /** @param perSecond requests of one caller in this process. */
  constructor(access: AccessControl, perSecond: number, clock: Clock) {
    this.#access = access;
    this.#requests = new Limit('caller', perSecond, clock, {
      detail: 'More requests came than one caller may make.',
      fix: 'Wait as long as Retry-After says; a watch (/api/v1/watch) tells of changes without being asked again.',
    });
    this.#failures = new Limit('signin', FAILURE_SHARE * perSecond, clock, {
      detail: 'Too many credentials that came from this address were not accepted.',
      fix: 'Check the token, and wait as long as Retry-After says.',
    });
  }

  isOffered(access: Access, credentials: Credentials): boolean {
    return this.#access.isOffered(access, credentials);
  }

  /** @throws SkerryError `too-many-requests`, and what the access control throws. */
  async admit(access: Access, credentials: Credentials): Promise<Caller> {
    const address = actorAt(addressBlock(credentials.clientAddress ?? ''));
    const guess = guessIn(credentials);
    if (guess !== undefined && this.#accepted.get(guess) === undefined) {
      this.#failures.check(address);
    }
    try {
      const caller = await this.#access.admit(access, credentials);
      const { actor } = caller.maker;
      this.#requests.take(isAnybody(actor) ? address : actor);
      if (guess !== undefined && !isAnybody(actor)) {
        this.#accepted.set(guess, true);
      }
      return caller;
    } catch (error) {
      if (error instanceof SkerryError && error.kind === 'unauthorized') {
        (hasCredentials(credentials) ? this.#failures : this.#requests).take(address);
      }
      throw error;
    }
  }
}

function hasCredentials({ headers }: Credentials): boolean {
  return Boolean(headers.get('authorization') || headers.get('x-ms-client-principal'));
}

/**
 * A digest of credentials that may be a guess, as are all but 256 random bits and what somebody else has signed or vouches for. Nothing
 * is kept that would be of use to a thief.
 */
function guessIn({ headers }: Credentials): string | undefined {
  const text = headers.get('authorization');
  return !text || UNGUESSABLE.test(text) ? undefined : hash('sha256', text, 'base64');
}

class Limit {
  readonly #buckets: TokenBuckets;
  readonly #refusal: (milliseconds: number) => SkerryError;

  constructor(name: string, perSecond: number, clock: Clock, words: { detail: string; fix: string }) {
    const burst = Math.max(1, Math.ceil(BURST_SECONDS * perSecond));
    const policy = { name, quota: burst, windowSeconds: burst / perSecond };
    this.#buckets = new TokenBuckets({ perSecond, burst }, clock);
    this.#refusal = (milliseconds) => rateLimited(policy, milliseconds / 1000, words);
  }

  /** @throws SkerryError `too-many-requests` where nothing is left to take. */
  take(name: string): void {
    this.#refuse(this.#buckets.take(name));
  }

  check(name: string): void {
    this.#refuse(this.#buckets.look(name));
  }

  #refuse(milliseconds: number): void {
    if (milliseconds > 0) throw this.#refusal(milliseconds);
  }
}
