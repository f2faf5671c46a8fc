import { ChangeFeedStartFrom, type Container } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openAccount, refusal, type TestAccount } from './account.ts';

const DEADLINE = { timeout: 45_000, interval: 50 };

let account: TestAccount;

beforeAll(async () => {
  account = await openAccount();
});
afterAll(async () => account.close());

const isGone = async (container: Container, id: string) =>
  (await container.item(id, 's').read()).statusCode === 404;

async function countOf(container: Container): Promise<number> {
  const { resources } = await container.items.query<number>('SELECT VALUE COUNT(1) FROM c').fetchAll();
  return resources[0] ?? -1;
}

describe.concurrent('time to live', () => {
  it('an expired item is hidden from reads, queries and writes, and its id is free', async () => {
    const container = await account.container({ defaultTtl: -1 });
    await container.items.create({ id: 'short', scope: 's', ttl: 1 });
    await container.items.create({ id: 'kept', scope: 's' });
    await vi.waitFor(async () => expect(await isGone(container, 'short')).toBe(true), DEADLINE);
    expect(await countOf(container)).toBe(1);
    const replace = () => container.item('short', 's').replace({ id: 'short', scope: 's' });
    expect(await refusal(replace)).toMatchObject({ code: 404 });
    expect((await container.items.create({ id: 'short', scope: 's' })).statusCode).toBe(201);
  });

  it('an expired item is not told of by the change feed, and a reader that had it is told of nothing', async () => {
    const container = await account.container({ defaultTtl: -1 });
    const read = (changeFeedStartFrom: ChangeFeedStartFrom) =>
      container.items.getChangeFeedIterator<{ id: string }>({ changeFeedStartFrom }).readNext();
    await container.items.create({ id: 'short', scope: 's', ttl: 2 });
    const before = await read(ChangeFeedStartFrom.Beginning('s'));
    expect(before.result.map(({ id }) => id)).toEqual(['short']);
    await vi.waitFor(async () => expect(await isGone(container, 'short')).toBe(true), DEADLINE);
    expect((await read(ChangeFeedStartFrom.Beginning('s'))).statusCode).toBe(304);
    expect((await read(ChangeFeedStartFrom.Continuation(before.continuationToken))).statusCode).toBe(304);
  });

  it("a container's own time can be set and taken away, and counts for what it holds already", async () => {
    const container = await account.container();
    await container.items.create({ id: 'default', scope: 's' });
    await container.items.create({ id: 'longer', scope: 's', ttl: 3600 });
    const definition = { id: container.id, partitionKey: { paths: ['/scope'] } };
    await container.replace({ ...definition, defaultTtl: 1 });
    await vi.waitFor(async () => expect(await isGone(container, 'default')).toBe(true), DEADLINE);
    expect(await isGone(container, 'longer')).toBe(false);
    await container.replace(definition);
    expect((await container.read()).resource?.defaultTtl).toBeUndefined();
  });

  it("a container's own time applies to items without one; -1 keeps an item for good", async () => {
    const container = await account.container({ defaultTtl: 1 });
    await container.items.create({ id: 'default', scope: 's' });
    await container.items.create({ id: 'forever', scope: 's', ttl: -1 });
    await container.items.create({ id: 'longer', scope: 's', ttl: 3600 });
    await vi.waitFor(async () => expect(await countOf(container)).toBe(2), DEADLINE);
    expect(await isGone(container, 'default')).toBe(true);
  });

  it('a rewrite starts the time anew', async () => {
    const container = await account.container({ defaultTtl: -1 });
    await container.items.create({ id: 'renewed', scope: 's', ttl: 1 });
    await container.items.create({ id: 'witness', scope: 's', ttl: 1 });
    await container.items.upsert({ id: 'renewed', scope: 's', ttl: 3600 });
    await vi.waitFor(async () => expect(await isGone(container, 'witness')).toBe(true), DEADLINE);
    expect(await isGone(container, 'renewed')).toBe(false);
  });

  it('without a time on the container the ttl of an item means nothing', async () => {
    const container = await account.container();
    const expiring = await account.container({ defaultTtl: -1 });
    for (const target of [container, expiring]) await target.items.create({ id: 'a', scope: 's', ttl: 1 });
    await vi.waitFor(async () => expect(await isGone(expiring, 'a')).toBe(true), DEADLINE);
    expect(await isGone(container, 'a')).toBe(false);
  });

  it('a time that is no whole positive number is a 400', async () => {
    const container = await account.container({ defaultTtl: -1 });
    for (const ttl of [0, -2, 1.5]) {
      expect(await refusal(() => container.items.create({ id: 'a', scope: 's', ttl }))).toMatchObject({
        code: 400,
      });
    }
  });
});
