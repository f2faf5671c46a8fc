import { randomUUID } from 'node:crypto';
import type { Container, JSONValue } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAccount, postItems, refusal, type TestAccount } from './account.ts';

let account: TestAccount;
let container: Container;

beforeAll(async () => {
  account = await openAccount();
  container = await account.container();
});
afterAll(async () => account.close());

const newItem = () => ({ id: randomUUID(), scope: 's', value: { a: [1, 'ü', null] } });

describe('items', () => {
  it('a created item comes back whole, with the system properties', async () => {
    const item = newItem();
    const { statusCode, resource } = await container.items.create(item);
    expect(statusCode).toBe(201);
    expect(resource).toMatchObject(item);
    expect(resource).toMatchObject({
      _rid: expect.stringMatching(/^[\w+=-]+$/),
      _self: expect.stringContaining('/docs/'),
      _etag: expect.stringMatching(/^"[0-9a-f-]+"$/),
      _ts: expect.any(Number),
    });
    const read = await container.item(item.id, 's').read();
    expect(read.resource).toEqual(resource);
    expect(read.etag).toBe(resource?._etag);
  });

  it('creating an id that is there is 409', async () => {
    const item = newItem();
    await container.items.create(item);
    expect(await refusal(() => container.items.create(item))).toMatchObject({ code: 409 });
  });

  it('the same id lives once in each partition', async () => {
    const item = newItem();
    await container.items.create(item);
    await container.items.create({ ...item, scope: 'other', value: 2 });
    expect((await container.item(item.id, 's').read()).resource?.value).toEqual(item.value);
    expect((await container.item(item.id, 'other').read()).resource?.value).toBe(2);
  });

  it('reading what is not there is 404 without a resource', async () => {
    const { statusCode, resource } = await container.item('nothing', 's').read();
    expect(statusCode).toBe(404);
    expect(resource).toBeUndefined();
  });

  it('an upsert answers 201 for the first and 200 for the next', async () => {
    const item = newItem();
    expect((await container.items.upsert(item)).statusCode).toBe(201);
    const again = await container.items.upsert({ ...item, value: 2 });
    expect(again.statusCode).toBe(200);
    expect((await container.item(item.id, 's').read()).resource?.value).toBe(2);
  });

  it('every write changes the etag, also within a second', async () => {
    const item = newItem();
    const etags = new Set<string>();
    for (let count = 0; count < 5; count++) etags.add((await container.items.upsert(item)).etag);
    expect(etags.size).toBe(5);
  });

  it('a replace with If-Match succeeds on the current etag and is 412 on an older one', async () => {
    const item = newItem();
    const { etag } = await container.items.create(item);
    const condition = { accessCondition: { type: 'IfMatch', condition: etag } };
    expect((await container.item(item.id, 's').replace({ ...item, value: 1 }, condition)).statusCode).toBe(
      200,
    );
    const late = await refusal(() => container.item(item.id, 's').replace({ ...item, value: 2 }, condition));
    expect(late.code).toBe(412);
    expect((await container.item(item.id, 's').read()).resource?.value).toBe(1);
  });

  it('an upsert or a delete with an older etag is 412', async () => {
    const item = newItem();
    const { etag } = await container.items.create(item);
    await container.items.upsert(item);
    const condition = { accessCondition: { type: 'IfMatch', condition: etag } };
    expect(await refusal(() => container.items.upsert(item, condition))).toMatchObject({ code: 412 });
    expect(await refusal(() => container.item(item.id, 's').delete(condition))).toMatchObject({ code: 412 });
  });

  it('a read with If-None-Match is 304 while the item is unchanged', async () => {
    const item = newItem();
    const { etag } = await container.items.create(item);
    const condition = { accessCondition: { type: 'IfNoneMatch', condition: etag } };
    expect((await container.item(item.id, 's').read(condition)).statusCode).toBe(304);
    await container.items.upsert({ ...item, value: 2 });
    expect((await container.item(item.id, 's').read(condition)).statusCode).toBe(200);
  });

  it('If-None-Match * is 304 for any item that is there', async () => {
    const item = newItem();
    const condition = { accessCondition: { type: 'IfNoneMatch', condition: '*' } };
    expect((await container.item(item.id, 's').read(condition)).statusCode).toBe(404);
    await container.items.create(item);
    expect((await container.item(item.id, 's').read(condition)).statusCode).toBe(304);
  });

  it('If-Match * needs an item, whichever it is', async () => {
    const item = newItem();
    const condition = { accessCondition: { type: 'IfMatch', condition: '*' } };
    expect(await refusal(() => container.items.upsert(item, condition))).toMatchObject({ code: 412 });
    await container.items.create(item);
    expect((await container.items.upsert({ ...item, value: 2 }, condition)).statusCode).toBe(200);
    expect((await container.item(item.id, 's').delete(condition)).statusCode).toBe(204);
  });

  it('a condition that means nothing to the operation is refused, not ignored', async ({ skip }) => {
    skip(account.server === undefined, 'not known of the service');
    const item = newItem();
    await container.items.create(item);
    const ifNone = { accessCondition: { type: 'IfNoneMatch', condition: '*' } };
    expect(await refusal(() => container.items.upsert(item, ifNone))).toMatchObject({ code: 501 });
    const ifMatch = { accessCondition: { type: 'IfMatch', condition: '*' } };
    expect(await refusal(() => container.item(item.id, 's').read(ifMatch))).toMatchObject({ code: 501 });
  });

  it('a write without a partition key in its header is 400/1001', async () => {
    const answer = await postItems(account, container, {}, { id: randomUUID(), scope: 's' });
    expect(answer).toMatchObject({ status: 400, subStatus: 1001 });
  });

  it('an item that belongs to another partition than its header says is 400/1001', async () => {
    const headers = { 'x-ms-documentdb-partitionkey': '["t"]' };
    const answer = await postItems(account, container, headers, { id: randomUUID(), scope: 's' });
    expect(answer).toMatchObject({ status: 400, subStatus: 1001 });
  });

  it('replacing or deleting what is not there is 404', async () => {
    const item = newItem();
    expect(await refusal(() => container.item(item.id, 's').replace(item))).toMatchObject({ code: 404 });
    expect(await refusal(() => container.item(item.id, 's').delete())).toMatchObject({ code: 404 });
  });

  it('a deleted item is gone and its id is free', async () => {
    const item = newItem();
    await container.items.create(item);
    expect((await container.item(item.id, 's').delete()).statusCode).toBe(204);
    expect((await container.item(item.id, 's').read()).statusCode).toBe(404);
    expect((await container.items.create(item)).statusCode).toBe(201);
  });

  it('ids with spaces, percent signs and other alphabets are addressable', async () => {
    for (const id of ['a b', 'r:%2Fapp%2Fdm', 'größe-日本', "it's", 'a+b&c=d', '"quoted"', 'x'.repeat(255)]) {
      await container.items.upsert({ id, scope: 's' });
      expect((await container.item(id, 's').read()).resource?.id).toBe(id);
      expect((await container.item(id, 's').delete()).statusCode).toBe(204);
    }
  });

  it('long ids and partition keys that share their beginning stay apart', async () => {
    const long = 'k'.repeat(900);
    const scope = 'p'.repeat(1900);
    for (const end of ['a', 'b']) await container.items.create({ id: long + end, scope: scope + end, end });
    for (const end of ['a', 'b']) {
      expect((await container.item(long + end, scope + end).read()).resource?.end).toBe(end);
    }
    expect((await container.item(`${long}a`, `${scope}b`).read()).statusCode).toBe(404);
  });

  it('a partition key may have 2048 bytes, not more', async () => {
    const id = randomUUID();
    const scope = 'é'.repeat(1024);
    await container.items.create({ id, scope });
    expect((await container.item(id, scope).read()).statusCode).toBe(200);
    expect(await refusal(() => container.items.create({ id, scope: `${scope}x` }))).toMatchObject({
      code: 400,
    });
  });

  it('a partition key path may be nested and quoted', async () => {
    const nested = await account.container({ partitionKey: { paths: ['/a/"b c"'] } });
    await nested.items.create({ id: 'x', a: { 'b c': 'p' } });
    expect((await nested.item('x', 'p').read()).statusCode).toBe(200);
    const query = `SELECT VALUE c.id FROM c WHERE c.a["b c"] = 'p'`;
    expect((await nested.items.query(query).fetchAll()).resources).toEqual(['x']);
  });

  it('numbers, booleans, null and a missing value are partition keys of their own', async () => {
    const id = randomUUID();
    for (const scope of [1, true, null, '1', 'true', 'null']) {
      await container.items.create({ id, scope, mark: JSON.stringify(scope) });
    }
    await container.items.create({ id, mark: 'missing' });
    expect((await container.item(id, 1).read()).resource?.mark).toBe('1');
    expect((await container.item(id, true).read()).resource?.mark).toBe('true');
    expect((await container.item(id, null).read()).resource?.mark).toBe('null');
    expect((await container.item(id, 'null').read()).resource?.mark).toBe('"null"');
    expect((await container.item(id, undefined).read()).resource?.mark).toBe('missing');
  });

  it('an item of more than 2 MB is 413', async () => {
    const item = { ...newItem(), value: 'x'.repeat(2 * 1024 * 1024) };
    expect(await refusal(() => container.items.create(item))).toMatchObject({ code: 413 });
    expect((await container.item(item.id, 's').read()).statusCode).toBe(404);
  });

  it('an item may be nested 128 levels deep, not more', async () => {
    const nested = (levels: number): JSONValue => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
    const deep = { ...newItem(), value: nested(127) };
    expect((await container.items.create(deep)).statusCode).toBe(201);
    expect((await container.item(deep.id, 's').read()).resource?.value).toEqual(deep.value);
    for (const levels of [128, 1000]) {
      const item = { ...newItem(), value: nested(levels) };
      expect(await refusal(() => container.items.create(item))).toMatchObject({ code: 400 });
    }
  });

  it('an id with a slash is refused', async () => {
    expect((await refusal(() => container.items.create({ id: 'a/b', scope: 's' }))).message).toMatch(/id/i);
  });

  it('an item in a container or database that is not there is 404/1003', async () => {
    const lost = account.database.container('nowhere');
    const known = { code: 404, substatus: 1003 };
    expect(await refusal(() => lost.items.batch([{ operationType: 'Read', id: 'a' }], 's'))).toMatchObject(
      known,
    );
    expect(
      await refusal(() => lost.items.query('SELECT * FROM c', { partitionKey: 's' }).fetchAll()),
    ).toMatchObject(known);
  });

  it('patch is refused, not ignored', async ({ skip }) => {
    skip(account.server === undefined, 'the service patches');
    const item = newItem();
    await container.items.create(item);
    const patch = () => container.item(item.id, 's').patch([{ op: 'replace', path: '/value', value: 1 }]);
    expect(await refusal(patch)).toMatchObject({ code: 501 });
    expect((await container.item(item.id, 's').read()).resource?.value).toEqual(item.value);
  });
});
