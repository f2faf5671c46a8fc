import { randomUUID } from 'node:crypto';
import type { Container } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchOf, openAccount, postItems, refusal, type TestAccount } from './account.ts';

let account: TestAccount;
let container: Container;

beforeAll(async () => {
  account = await openAccount();
  container = await account.container();
});
afterAll(async () => account.close());

describe('atomic batches', () => {
  it('all operations succeed together, each with its own status, etag and charge', async () => {
    const scope = randomUUID();
    await container.items.create({ id: 'kept', scope, value: 1 });
    await container.items.create({ id: 'gone', scope });
    const { code, result } = await container.items.batch(
      [
        { operationType: 'Create', resourceBody: { id: 'new', scope } },
        { operationType: 'Upsert', resourceBody: { id: 'kept', scope, value: 2 } },
        { operationType: 'Read', id: 'kept' },
        { operationType: 'Replace', id: 'kept', resourceBody: { id: 'kept', scope, value: 3 } },
        { operationType: 'Delete', id: 'gone' },
      ],
      scope,
    );
    expect(code).toBe(200);
    expect(result?.map(({ statusCode }) => statusCode)).toEqual([201, 200, 200, 200, 204]);
    expect(result?.[2]?.resourceBody).toMatchObject({ value: 2 });
    expect(result?.[0]?.eTag).toBe((await container.item('new', scope).read()).etag);
    expect(result?.every(({ requestCharge }) => requestCharge > 0)).toBe(true);
    expect((await container.item('kept', scope).read()).resource?.value).toBe(3);
    expect((await container.item('gone', scope).read()).statusCode).toBe(404);
  });

  it('one refused operation undoes all: 207, its own status, 424 for the others before and after it', async () => {
    const scope = randomUUID();
    await container.items.create({ id: 'taken', scope });
    const { code, result } = await container.items.batch(
      batchOf({ id: 'before', scope }, { id: 'taken', scope }, { id: 'after', scope }),
      scope,
    );
    expect(code).toBe(207);
    expect(result?.map(({ statusCode }) => statusCode)).toEqual([424, 409, 424]);
    expect((await container.item('before', scope).read()).statusCode).toBe(404);
    expect((await container.item('after', scope).read()).statusCode).toBe(404);
  });

  it('ifMatch of an operation is checked', async () => {
    const scope = randomUUID();
    const { etag } = await container.items.create({ id: 'a', scope, value: 1 });
    const replace = (ifMatch: string, value: number) =>
      container.items.batch(
        [{ operationType: 'Replace', id: 'a', ifMatch, resourceBody: { id: 'a', scope, value } }],
        scope,
      );
    expect((await replace(etag, 2)).code).toBe(200);
    const late = await replace(etag, 3);
    expect([late.code, late.result?.[0]?.statusCode]).toEqual([207, 412]);
    expect((await container.item('a', scope).read()).resource?.value).toBe(2);
  });

  it('a read sees what came before it in the batch, and nothing of what comes after it', async () => {
    const scope = randomUUID();
    await container.items.create({ id: 'a', scope, value: 1 });
    await container.items.create({ id: 'b', scope, value: 1 });
    const replace = (value: number) => ({
      operationType: 'Replace' as const,
      id: 'a',
      resourceBody: { id: 'a', scope, value },
    });
    const read = (id: string) => ({ operationType: 'Read' as const, id });
    const { code, result } = await container.items.batch(
      [read('a'), replace(2), read('a'), replace(3), read('b'), { operationType: 'Delete', id: 'b' }],
      scope,
    );
    expect(code).toBe(200);
    const values = [0, 2, 4].map((index) => result?.[index]?.resourceBody?.value);
    expect(values).toEqual([1, 2, 1]);
  });

  it('of two batches that create the same id exactly one succeeds', async () => {
    const scope = randomUUID();
    const attempts = Array.from({ length: 20 }, (_, number) =>
      container.items.batch(batchOf({ id: 'c:1', scope, number }, { id: `r:${number}`, scope }), scope),
    );
    const outcomes = await Promise.all(attempts);
    expect(outcomes.filter(({ code }) => code === 200)).toHaveLength(1);
    const { resources } = await container.items
      .query('SELECT VALUE COUNT(1) FROM c', { partitionKey: scope })
      .fetchAll();
    expect(resources).toEqual([2]);
  });

  it('a hundred operations pass, a batch of more than 2 MB is 413 and writes nothing', async () => {
    const scope = randomUUID();
    const bodies = Array.from({ length: 100 }, (_, number) => ({ id: String(number), scope }));
    expect((await container.items.batch(batchOf(...bodies), scope)).code).toBe(200);
    const big = [0, 1, 2].map((number) => ({ id: `big-${number}`, scope, value: 'x'.repeat(800 * 1024) }));
    expect(await refusal(() => container.items.batch(batchOf(...big), scope))).toMatchObject({ code: 413 });
    expect((await container.item('big-0', scope).read()).statusCode).toBe(404);
  });

  it('contentResponseOnWriteEnabled false leaves the bodies out', async () => {
    const scope = randomUUID();
    const { result } = await container.items.batch(batchOf({ id: 'a', scope }), scope, {
      contentResponseOnWriteEnabled: false,
    });
    expect(result?.[0]).toMatchObject({ statusCode: 201, eTag: expect.any(String) });
    expect(result?.[0]?.resourceBody).toBeUndefined();
  });

  it('an item of another partition refuses the batch', async () => {
    const scope = randomUUID();
    const { code, result } = await container.items.batch(batchOf({ id: 'a', scope: 'other' }), scope);
    expect([code, result?.[0]?.statusCode]).toEqual([207, 400]);
  });

  it('too many operations and none are 400, an unknown one is too', async () => {
    const scope = randomUUID();
    const bodies = Array.from({ length: 101 }, (_, number) => ({ id: String(number), scope }));
    const headers = {
      'x-ms-cosmos-is-batch-request': 'true',
      'x-ms-cosmos-batch-atomic': 'true',
      'x-ms-documentdb-partitionkey': JSON.stringify([scope]),
    };
    for (const operations of [batchOf(...bodies), [], [{ operationType: 'Explode', id: 'a' }]]) {
      expect(await postItems(account, container, headers, operations)).toMatchObject({ status: 400 });
    }
    expect((await container.item('0', scope).read()).statusCode).toBe(404);
  });
});

describe('bulk requests', () => {
  it('each operation stands for itself, in whatever partition', async () => {
    const first = randomUUID();
    const scopes = [first, ...Array.from({ length: 8 }, () => randomUUID())];
    await container.items.create({ id: 'taken', scope: first });
    const outcomes = await container.items.executeBulkOperations([
      ...scopes.map((scope) => ({
        operationType: 'Create' as const,
        partitionKey: scope,
        resourceBody: { id: 'new', scope },
      })),
      { operationType: 'Create', partitionKey: first, resourceBody: { id: 'taken', scope: first } },
      { operationType: 'Read', partitionKey: first, id: 'taken' },
      { operationType: 'Delete', partitionKey: first, id: 'nothing' },
    ]);
    expect(outcomes.map(({ response, error }) => response?.statusCode ?? error?.code)).toEqual([
      ...scopes.map(() => 201),
      409,
      200,
      404,
    ]);
    for (const scope of scopes) expect((await container.item('new', scope).read()).statusCode).toBe(200);
  });

  it('unless it is to go on, the first refusal stops those after it', async () => {
    const scope = randomUUID();
    const create = (id: string) => ({
      operationType: 'Create' as const,
      partitionKey: scope,
      resourceBody: { id, scope },
    });
    const operations = () => [create('a'), create('a'), create('b')];
    const stopped = await container.items.bulk(operations(), { continueOnError: false });
    expect(stopped.map(({ statusCode }) => statusCode)).toEqual([201, 409, 424]);
    const wentOn = await container.items.bulk(operations(), { continueOnError: true });
    expect(wentOn.map(({ statusCode }) => statusCode)).toEqual([409, 409, 201]);
  });
});
