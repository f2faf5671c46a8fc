import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Catalog } from '../../../infra/local/cosmos/catalog.ts';
import { ExpirySweeper } from '../../../infra/local/cosmos/expiry-sweeper.ts';
import { AtomicGroup } from '../../../infra/local/cosmos/item-operations.ts';
import { partitionKeyOf } from '../../../infra/local/cosmos/partition-key.ts';
import { Store } from '../../../infra/local/cosmos/store.ts';

let folder: string;
let store: Store;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cosmos-sweeper-'));
  store = new Store(folder);
});
afterEach(async () => {
  vi.useRealTimers();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

it('leaves no row of an expired or overwritten item, and all rows of the others', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
  const catalog = new Catalog(store, 3);
  await catalog.createDatabase({ id: 'd' });
  const definition = {
    id: 'c',
    partitionKey: { paths: ['/scope'] },
    indexingPolicy: { includedPaths: [{ path: '/rank/?' }], excludedPaths: [{ path: '/*' }] },
    defaultTtl: -1,
  };
  const container = await catalog.createContainer('d', definition);
  const sweeper = new ExpirySweeper(store, catalog);
  for (const scope of ['a', 'b', 'c', 'd']) {
    const bodies = [
      { id: 'short', scope, rank: 1, ttl: 5 },
      { id: 'kept', scope, rank: 2 },
    ];
    const execute = (type: 'Create' | 'Upsert') =>
      store.commit(() => {
        const group = new AtomicGroup(store, container, partitionKeyOf(scope));
        return group.execute(
          bodies.map((body) => ({ type, body })),
          false,
        );
      });
    await execute('Create');
    bodies.forEach((body, number) => {
      body.rank = number;
    });
    await execute('Upsert');
  }
  const { heads, bodies, feed, partitionFeed, index, expiry } = store;
  const counts = () =>
    [heads, bodies, feed, partitionFeed, index, expiry].map((table) => table.getKeysCount());
  expect(counts()).toEqual([8, 8, 8, 8, 8, 4]);
  vi.advanceTimersByTime(4000);
  await store.commit(() => undefined);
  expect(counts()).toEqual([8, 8, 8, 8, 8, 4]);
  vi.advanceTimersByTime(3000);
  await vi.waitFor(() => expect(counts()).toEqual([4, 4, 4, 4, 4, 0]), 45_000);
  sweeper.stop();
});
