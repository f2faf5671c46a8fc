import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../../shared/platform/clock.ts';
import { systemRandom } from '../../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../../shared/platform/topology.ts';
import { Records } from '../../../../shared/records/records.ts';
import type { Scope } from '../../../../shared/records/scope.ts';
import { type Follower, Watches, type WatchRange } from '../../../../shared/records/watch/index.ts';
import { type MeteredDatabase, startMeteredDatabase } from '../../../bench/product/metered-database.ts';

const MANY = 300;
/** Milliseconds in which the loop of the process looks a few times. */
const WHILE = 1_200;
/** Milliseconds in which it has looked once at all that is watched anew. */
const SETTLING = 300;
/** However busy it is, the loop looks no more often in that time. */
const MOST_LOOKS = 15;

let metered: MeteredDatabase;
let records: Records;
let watches: Watches;

beforeAll(async () => {
  metered = await startMeteredDatabase();
  const container = metered.database.container(COSMOS_CONTAINERS.records.id);
  records = new Records({ container, clock: systemClock, random: systemRandom });
  watches = new Watches({ records, container, clock: systemClock, maxHeld: 1000, isVisible: () => true });
});

afterAll(async () => {
  await metered.stop();
});

describe('watches that are held', () => {
  it('ask storage as often as one does, and not at all when nobody watches', async () => {
    const cases = [
      [scopeOf(0)],
      Array<Scope>(MANY).fill(scopeOf(0)),
      Array.from({ length: MANY }, (_, index) => scopeOf(index)),
      Array<undefined>(MANY).fill(undefined),
    ];
    for (const scopes of cases) {
      const requests = await costOf(scopes);
      expect(requests).toBeGreaterThan(0);
      expect(requests).toBeLessThan(MOST_LOOKS);
    }
    await vi.waitFor(
      async () => {
        const { requests } = await metered.measure(() => systemClock.sleep(200));
        expect(requests).toBe(0);
      },
      { timeout: 45_000 },
    );
  });

  it('are told of a change by the process that wrote it without any reading, however many they are', async () => {
    const followers = await hold(Array(MANY).fill(scopeOf(0)));
    const told = followers.map((follower) => follower.next(Date.now() + 10_000));
    const { requests } = await metered.measure(async () => {
      await put(scopeOf(0), 'key');
      for (const { changes } of await Promise.all(told)) {
        expect(changes).toHaveLength(1);
      }
    });
    close(followers);
    expect(requests).toBeLessThan(10);
  });
});

/** Requests while so many watches are held, once they are; undefined stands for all scopes. */
async function costOf(scopes: readonly (Scope | undefined)[]): Promise<number> {
  const followers = await hold(scopes);
  const { requests } = await metered.measure(async () => {
    const end = Date.now() + WHILE;
    await Promise.all(followers.map((follower) => follower.next(end)));
  });
  close(followers);
  return requests;
}

/** Watches that have waited once already, so that the loop is at rest. */
async function hold(scopes: readonly (Scope | undefined)[]): Promise<Follower[]> {
  const { cursor } = await watches.resync(rangeOf(undefined), { limit: 1 });
  const followers = await Promise.all(
    scopes.map(async (scope) => {
      const since = scope && String(await records.position(scope));
      return watches.follow(rangeOf(scope), since ?? cursor, { types: undefined, limit: 10 });
    }),
  );
  const end = Date.now() + SETTLING;
  await Promise.all(followers.map((follower) => follower.next(end)));
  return followers;
}

function close(followers: readonly Follower[]): void {
  for (const follower of followers) {
    follower.close();
  }
}

async function put(scope: Scope, name: string): Promise<void> {
  await records.commit(scope, {
    key: `/kv/${scope.name}/${name}`,
    actor: 'test',
    decide: () => ({ type: 'put', value: Date.now() }),
  });
}

function scopeOf(index: number): Scope {
  return { ns: 'cost', kind: 'kv', name: `store${index}` };
}

function rangeOf(scope: Scope | undefined): WatchRange {
  return {
    ns: 'cost',
    prefix: scope === undefined ? '/kv' : `/kv/${scope.name}`,
    scope,
    kinds: [{ kind: 'kv', isNamed: true }],
  };
}
