import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import {
  type Follower,
  Records,
  type Scope,
  Watches,
  type WatchRange,
} from '../../../shared/records/index.ts';
import { startMeteredDatabase } from '../product/metered-database.ts';
import { percentile, printTable, rounded } from '../statistics.ts';

const NS = 'bench';
const SCOPES = 1_000;

interface Held {
  readonly name: string;
  readonly watches: number;
  /** The scope of the n-th watch; undefined for all. */
  readonly scopeOf: (index: number) => Scope | undefined;
}

const oneScope = (): Scope => ({ ns: NS, kind: 'kv', name: 'store0' });
const manyScopes = (index: number): Scope => ({ ns: NS, kind: 'kv', name: `store${index % SCOPES}` });

const HELD: readonly Held[] = [
  ...[1, 100, 10_000].map((watches) => ({ name: `${watches} of one scope`, watches, scopeOf: oneScope })),
  ...[100, 10_000].map((watches) => ({
    name: `${watches} of ${Math.min(watches, SCOPES)} scopes`,
    watches,
    scopeOf: manyScopes,
  })),
  ...[1, 10_000].map((watches) => ({
    name: `${watches} of the namespace`,
    watches,
    scopeOf: () => undefined,
  })),
];

/** What held watches cost in one process: requests to Cosmos DB, memory, and how soon all are told of a change. */
export async function benchWatch(quick: boolean): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const metered = await startMeteredDatabase();
  const container = metered.database.container(COSMOS_CONTAINERS.records.id);
  const records = new Records({ container, clock: systemClock, random: systemRandom });
  const watches = new Watches({
    records,
    container,
    clock: systemClock,
    maxHeld: 100_000,
    isVisible: () => true,
  });
  const rows: string[][] = [];
  const seconds = quick ? 3 : 20;
  for (const held of HELD) {
    const { cursor } = await watches.resync(rangeOf(undefined), { limit: 1 });
    for (let index = 0; index < Math.min(held.watches, SCOPES); index += 1) {
      const scope = held.scopeOf(index);
      if (scope !== undefined) await records.position(scope);
    }
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const followers: Follower[] = [];
    for (let index = 0; index < held.watches; index += 1) {
      const scope = held.scopeOf(index);
      const since = scope && String(await records.position(scope));
      followers.push(watches.follow(rangeOf(scope), since ?? cursor, { types: undefined, limit: 10 }));
    }
    const settled = Date.now() + 3_000;
    await Promise.all(followers.map((follower) => follower.next(settled)));
    const end = Date.now() + 1000 * seconds;
    const waiting = followers.map((follower) => follower.next(end));
    collectGarbage();
    const bytes = (process.memoryUsage().heapUsed - before) / held.watches;
    const usage = await metered.measure(() => Promise.all(waiting));
    const told = followers.map(async (follower) => {
      await follower.next(Date.now() + 5_000);
      return performance.now();
    });
    const startedAt = performance.now();
    await put(records, held.scopeOf(0) ?? oneScope());
    const writtenAt = performance.now();
    const isTold = held.scopeOf(1)?.name === held.scopeOf(0)?.name ? told : told.slice(0, 1);
    const latencies = (await Promise.all(isTold)).map((at) => at - startedAt);
    for (const follower of followers) follower.close();
    await Promise.all(told);
    rows.push([
      held.name,
      rounded(usage.requests / seconds, 2),
      rounded(usage.requestUnits / seconds, 2),
      held.watches < 100 ? '' : rounded(bytes, 0),
      rounded(writtenAt - startedAt, 1),
      rounded(percentile(latencies, 0.5), 1),
      rounded(percentile(latencies, 1), 1),
    ]);
  }
  printTable(
    `Watches held for ${seconds} s in one process, nothing changing; then one change by the same process`,
    ['', 'requests/s', 'RU/s', 'bytes/watch', 'write ms', 'told p50 ms', 'told all ms'],
    rows,
  );
  await metered.stop();
}

async function put(records: Records, scope: Scope): Promise<void> {
  await records.commit(scope, {
    key: `/kv/${scope.name}/key`,
    actor: 'bench',
    decide: () => ({ type: 'put', value: Math.random() }),
  });
}

function rangeOf(scope: Scope | undefined): WatchRange {
  return {
    ns: NS,
    prefix: scope === undefined ? '/kv' : `/kv/${scope.name}`,
    scope,
    kinds: [{ kind: 'kv', isNamed: true }],
  };
}
