import type { Container } from '@azure/cosmos';
import type { Clock } from '../../platform/clock.ts';
import { queryAll } from '../../platform/cosmos-query.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import { parseScopeId, type Scope } from '../scope.ts';
import type { Commit, Write } from '../write.ts';

const SCOPES_AT_ONCE = 8;
/** Writes of a scope that wait in memory at a time; the commit queue makes batches of them, which one by one would take one each. */
const EXPIRIES_AT_ONCE = 490;

const AUTHOR = { actor: 'system:sweep' };

/** What a sweep over lapsed records did. */
export interface ExpirySummary {
  /** Records for which an `expire` change was written. */
  readonly expired: number;
  /** Scopes that could not be finished. */
  readonly failed: readonly { readonly scope: string; readonly error: unknown }[];
}

interface LapsedKey {
  readonly scope: string;
  readonly key: string;
}

/**
 * Writes down the end of records whose `expiresAt` has passed. Any number of sweeps may run at once: each record is looked at
 * again where its `expire` change is decided.
 *
 * @param limit records that are taken up.
 * @throws SkerryError `unavailable` when not even the lapsed records can be found.
 */
export async function expireLapsed(
  { container, clock, commit }: ExpirySweepOptions,
  limit: number,
): Promise<ExpirySummary> {
  const lapsed = await queryAll<LapsedKey>(container, {
    query: `SELECT TOP ${limit} c.scope, c.key FROM c WHERE c.type = 'record' AND c.expiresAt <= @now`,
    parameters: [{ name: '@now', value: clock.now() }],
  });
  const failed: { scope: string; error: unknown }[] = [];
  let expired = 0;
  const byScope = Map.groupBy(lapsed, ({ scope }) => scope);
  await mapConcurrently([...byScope], SCOPES_AT_ONCE, async ([id, keys]) => {
    const scope = parseScopeId(id);
    const errors: unknown[] = [];
    await mapConcurrently(keys, EXPIRIES_AT_ONCE, async ({ key }) => {
      if (errors.length > 0) {
        return;
      }
      try {
        const { changed } = await commit(scope, expiryOf(key));
        expired += changed ? 1 : 0;
      } catch (error) {
        errors.push(error);
      }
    });
    if (errors.length > 0) {
      failed.push({ scope: id, error: errors[0] });
    }
  });
  return { expired, failed };
}

export interface ExpirySweepOptions {
  /** The Cosmos container `records`. */
  readonly container: Container;
  readonly clock: Clock;
  commit(scope: Scope, write: Write<unknown>): Promise<Commit<unknown>>;
}

function expiryOf(key: string): Write<unknown> {
  return {
    key,
    ...AUTHOR,
    decide: (current) => (current === undefined ? { type: 'expire' } : { type: 'keep' }),
  };
}
