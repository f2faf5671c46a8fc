import type { Clock } from '../../platform/clock.ts';
import { toTimestamp } from '../../platform/clock.ts';
import { invalid, notFound, type SkerryError, unprocessable } from '../../platform/errors.ts';
import type { Author, Caller } from '../../platform/http/index.ts';
import type { Records } from '../../records/index.ts';
import { ACCESS_SCOPE, TOKENS, tokenKey } from '../access-scope.ts';
import { checkGrant } from '../policy/check-grant.ts';
import { rulesFor } from '../policy/rights.ts';
import { parseBinding } from '../policy/role.ts';
import type { Roles } from '../roles.ts';
import type { LastUses } from './last-uses.ts';
import { digestOfToken, newTokenText, type Token, type TokenValue, tokenIdOf, toToken } from './token.ts';

/** So that a process has all of them in memory. */
const MAX_TOKENS = 4_000;

export interface TokenInput {
  readonly name: string;
  readonly roles: readonly string[];
  readonly ns: readonly string[];
  /** RFC 3339. */
  readonly expiresAt?: string | undefined;
}

/** A token whose use was looked up. */
export interface TokenEntry extends Token {
  /** RFC 3339, UTC, to five minutes; absent where it was never used. */
  readonly lastUsedAt?: string;
}

export interface TokensOptions {
  readonly records: Pick<Records, 'get' | 'commit' | 'list' | 'listAll'>;
  readonly roles: Pick<Roles, 'find'>;
  readonly lastUses: Pick<LastUses, 'of' | 'forget'>;
  readonly clock: Clock;
}

/** Skerry's own tokens. All methods throw SkerryError `unavailable` when the database does not answer. */
export class Tokens {
  readonly #options: TokensOptions;

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /**
   * A new token, and its text, which is nowhere to be had again.
   *
   * @param caller who grants what it allows.
   * @throws SkerryError `unprocessable` for a role that does not exist, and beyond 4,000 tokens; `invalid` for an end in the past;
   *   `forbidden` where the caller may not do themselves what the token allows.
   */
  async create(
    { name, roles, ns, expiresAt }: TokenInput,
    caller: Caller,
    author: Author,
  ): Promise<{ readonly token: Token; readonly text: string }> {
    const { records, clock } = this.#options;
    for (const role of new Set(roles)) await this.#checkRole(role, ns, caller);
    const end = expiresAt === undefined ? undefined : Date.parse(expiresAt);
    if (end !== undefined && end <= clock.now()) {
      throw invalid('The token would have expired already.', {
        field: 'expiresAt',
        fix: 'Give a time to come, or none.',
      });
    }
    await this.#checkRoom();
    const text = newTokenText();
    const digest = digestOfToken(text);
    const value: TokenValue = {
      name,
      roles: [...new Set(roles)],
      ns: [...new Set(ns)],
      sha256: digest.toString('hex'),
      createdBy: author.actor,
    };
    const { record } = await records.commit<TokenValue>(ACCESS_SCOPE, {
      key: tokenKey(tokenIdOf(digest)),
      ...author,
      decide: () => ({ type: 'put', value, ...(end !== undefined && { expiresAt: end }) }),
    });
    if (record === undefined) {
      throw new Error('The token vanished in the commit that wrote it.');
    }
    return { token: toToken(record), text };
  }

  /** Those that have not ended, in the order of their ids. */
  async list(page: { readonly after?: string | undefined; readonly limit?: number | undefined }): Promise<{
    readonly tokens: readonly TokenEntry[];
    readonly next?: string;
  }> {
    const { records, next } = await this.#options.records.list<TokenValue>(ACCESS_SCOPE, {
      ...page,
      prefix: TOKENS,
    });
    const tokens = await this.#withUses(records.map(toToken));
    return { tokens, ...(next !== undefined && { next }) };
  }

  /** @throws SkerryError `not-found`. */
  async get(id: string): Promise<TokenEntry> {
    const record = await this.#options.records.get<TokenValue>(ACCESS_SCOPE, tokenKey(id));
    const [token] = record === undefined ? [] : await this.#withUses([toToken(record)]);
    if (token === undefined) {
      throw unknownToken(id);
    }
    return token;
  }

  /**
   * Ends a token: at once in this process, within five seconds in all others.
   *
   * @throws SkerryError `not-found`.
   */
  async revoke(id: string, author: Author): Promise<void> {
    await this.#options.records.commit<TokenValue>(ACCESS_SCOPE, {
      key: tokenKey(id),
      ...author,
      decide(current) {
        if (current === undefined) {
          throw unknownToken(id);
        }
        return { type: 'delete' };
      },
    });
    await this.#options.lastUses.forget(id).catch(() => {});
  }

  async #withUses(tokens: readonly Token[]): Promise<TokenEntry[]> {
    const uses = await this.#options.lastUses.of(tokens.map(({ id }) => id));
    return tokens.map((token) => {
      const usedAt = uses.get(token.id);
      return usedAt === undefined ? token : { ...token, lastUsedAt: toTimestamp(usedAt) };
    });
  }

  async #checkRole(text: string, within: readonly string[], caller: Caller): Promise<void> {
    const binding = parseBinding(text);
    const role = binding && (await this.#options.roles.find(binding.role));
    if (role === undefined) {
      throw unprocessable(`There is no role "${text}".`, {
        field: 'roles',
        fix: 'Name roles that GET /api/v1/roles lists, perhaps with a service, as in agent:web.',
      });
    }
    checkGrant(caller, rulesFor(role.allow, binding?.service), within);
  }

  async #checkRoom(): Promise<void> {
    const { records } = await this.#options.records.listAll(ACCESS_SCOPE, { prefix: TOKENS });
    if (records.length >= MAX_TOKENS) {
      throw unprocessable(`There are ${MAX_TOKENS} tokens, which is as many as there can be.`, {
        fix: 'Revoke tokens that nobody uses any more.',
      });
    }
  }
}

/** The error for a token that does not exist. */
export function unknownToken(id: string): SkerryError {
  return notFound(`There is no token "${id}".`, { fix: 'GET /api/v1/tokens lists the tokens.' });
}
