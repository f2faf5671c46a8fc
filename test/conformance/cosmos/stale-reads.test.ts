import { ChangeFeedStartFrom, ConsistencyLevel, type Container } from '@azure/cosmos';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { indexOnly, isEmulator, openAccount, type TestAccount } from './account.ts';

/** Long enough that no test outlives it; short enough in the one that waits for it. */
const FAR_BEHIND_MS = 60_000;
const DEADLINE = { timeout: 45_000, interval: 20 };

let account: TestAccount;
let strong: Container;
let eventual: Container;

beforeAll(async () => {
  if (isEmulator) account = await openAccount({ staleMs: FAR_BEHIND_MS });
});
afterAll(async () => account?.close());
beforeEach(async () => {
  strong = await account.container({ indexingPolicy: indexOnly('/n/?') });
  eventual = sameContainer(ConsistencyLevel.Eventual);
});

function sameContainer(consistencyLevel: ConsistencyLevel): Container {
  return account.connect({ consistencyLevel }).database(account.database.id).container(strong.id);
}

describe.runIf(isEmulator)('reads weaker than Strong lag behind', () => {
  it('a new item is seen by strong reads alone', async () => {
    await strong.items.create({ id: 'a', scope: 's', n: 1 });
    expect((await strong.item('a', 's').read()).statusCode).toBe(200);
    expect((await eventual.item('a', 's').read()).statusCode).toBe(404);
    for (const query of [
      'SELECT * FROM c',
      'SELECT * FROM c WHERE c.n = 1 ORDER BY c.n',
      "SELECT * FROM c WHERE c.id = 'a'",
    ]) {
      expect((await strong.items.query(query, { partitionKey: 's' }).fetchAll()).resources).toHaveLength(1);
      expect((await eventual.items.query(query, { partitionKey: 's' }).fetchAll()).resources).toEqual([]);
    }
  });

  it('a client that asks for Strong itself is not stale', async () => {
    await strong.items.create({ id: 'a', scope: 's' });
    const { statusCode } = await strong.item('a', 's').read({ consistencyLevel: ConsistencyLevel.Strong });
    expect(statusCode).toBe(200);
  });

  it('the change feed of a lagging reader has not got there yet, and loses nothing for it', async () => {
    await strong.items.create({ id: 'a', scope: 's' });
    const iterator = eventual.items.getChangeFeedIterator({
      changeFeedStartFrom: ChangeFeedStartFrom.Beginning('s'),
    });
    const page = await iterator.readNext();
    expect(page.statusCode).toBe(304);
    const resumed = strong.items.getChangeFeedIterator({
      changeFeedStartFrom: ChangeFeedStartFrom.Continuation(page.continuationToken),
    });
    expect((await resumed.readNext()).result).toHaveLength(1);
  });

  it('a session reads its own writes', async () => {
    const session = sameContainer(ConsistencyLevel.Session);
    await session.items.create({ id: 'own', scope: 's', n: 1 });
    expect((await session.item('own', 's').read()).statusCode).toBe(200);
    expect(
      (await session.items.query('SELECT * FROM c', { partitionKey: 's' }).fetchAll()).resources,
    ).toHaveLength(1);
    expect((await sameContainer(ConsistencyLevel.Session).item('own', 's').read()).statusCode).toBe(404);
  });

  it('after the lag every reader sees what was written, changed and deleted', async () => {
    const quick = await openAccount({ staleMs: 300 });
    const container = await quick.container();
    const lagging = quick
      .connect({ consistencyLevel: ConsistencyLevel.ConsistentPrefix })
      .database(quick.database.id)
      .container(container.id);
    await container.items.create({ id: 'a', scope: 's', n: 1 });
    const numberSeen = async () => (await lagging.item('a', 's').read()).resource?.n;
    await vi.waitFor(async () => expect(await numberSeen()).toBe(1), DEADLINE);
    await container.items.upsert({ id: 'a', scope: 's', n: 2 });
    await container.items.upsert({ id: 'a', scope: 's', n: 3 });
    expect(await numberSeen()).toBe(1);
    await vi.waitFor(async () => expect(await numberSeen()).toBe(3), DEADLINE);
    await container.item('a', 's').delete();
    expect(await numberSeen()).toBe(3);
    const { resources } = await lagging.items
      .query('SELECT VALUE c.n FROM c', { partitionKey: 's' })
      .fetchAll();
    expect(resources).toEqual([3]);
    await vi.waitFor(async () => expect(await numberSeen()).toBeUndefined(), DEADLINE);
    await quick.close();
  });
});
