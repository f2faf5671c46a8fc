import { hash } from 'node:crypto';
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import type { Clock } from '../../platform/clock.ts';
import { SkerryError } from '../../platform/errors.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import type { Claims } from '../callers.ts';
import { claimsOfToken } from './entra-claims.ts';
import { KeySetFetch } from './key-set-fetch.ts';

const ALGORITHMS = ['RS256', 'PS256', 'ES256'];
const MAX_CHARACTERS = 16 * 1024;
const CLOCK_TOLERANCE_SECONDS = 60;
const FETCH_TIMEOUT_MILLISECONDS = 5_000;
/** Tokens that a process remembers as good, and for how many milliseconds, so that a key that is taken back counts no longer. */
const MAX_REMEMBERED = 2_000;
const REMEMBERED_FOR = 5 * 60 * 1000;

export interface EntraTokensOptions {
  /** A GUID. */
  readonly tenant: string;
  /** What tokens have to be for; one of them. */
  readonly audiences: readonly string[];
  /** Without a slash at its end. */
  readonly authority: string;
  readonly clock: Clock;
}

interface Remembered {
  readonly claims: Claims;
  /** Milliseconds since the Unix epoch. */
  readonly until: number;
}

/** Access tokens of Microsoft Entra ID, of version 1 and 2, for this app and from its tenant. */
export class EntraTokens {
  readonly #options: EntraTokensOptions;
  readonly #good = new RecentMap<string, Remembered>(MAX_REMEMBERED);
  #verify: Promise<(text: string) => Promise<JWTPayload>> | undefined;

  constructor(options: EntraTokensOptions) {
    this.#options = options;
  }

  /**
   * Who a token is for; undefined for any that is not good, whatever is wrong with it.
   *
   * @throws SkerryError `unavailable` where the keys to check it with cannot be fetched.
   */
  async read(text: string): Promise<Claims | undefined> {
    if (text.length > MAX_CHARACTERS) {
      return undefined;
    }
    const now = this.#options.clock.now();
    const digest = hash('sha256', text, 'base64url');
    const known = this.#good.get(digest);
    if (known !== undefined && now < known.until) {
      return known.claims;
    }
    const payload = await this.#payloadOf(text);
    const claims = payload && claimsOfToken(payload);
    if (claims !== undefined) {
      const expiresAt = 1000 * ((payload?.exp ?? 0) + CLOCK_TOLERANCE_SECONDS);
      this.#good.set(digest, { claims, until: Math.min(expiresAt, now + REMEMBERED_FOR) });
    }
    return claims;
  }

  async #payloadOf(text: string): Promise<JWTPayload | undefined> {
    this.#verify ??= this.#loadVerifier();
    const verify = await this.#verify;
    try {
      const payload = await verify(text);
      return payload.tid === this.#options.tenant ? payload : undefined;
    } catch (error) {
      if (error instanceof SkerryError) {
        throw error;
      }
      return undefined;
    }
  }

  /** The library is loaded at the first token: most apps, and most processes, never see one. */
  async #loadVerifier() {
    const { createRemoteJWKSet, customFetch, jwtVerify } = await import('jose');
    const { tenant, audiences, authority, clock } = this.#options;
    const keySet = createRemoteJWKSet(new URL(`${authority}/${tenant}/discovery/v2.0/keys`), {
      timeoutDuration: FETCH_TIMEOUT_MILLISECONDS,
      [customFetch]: new KeySetFetch(clock).fetch,
    });
    const keyOf: JWTVerifyGetKey = async (header, token) => {
      // Else the only key of a set would do.
      if (typeof header.kid !== 'string') throw new Error('The token names no key.');
      return await keySet(header, token);
    };
    return async (text: string) => {
      const { payload } = await jwtVerify(text, keyOf, {
        algorithms: ALGORITHMS,
        audience: [...audiences],
        issuer: [`${authority}/${tenant}/v2.0`, `https://sts.windows.net/${tenant}/`],
        requiredClaims: ['exp', 'iat', 'tid'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(clock.now()),
      });
      return payload;
    };
  }
}
