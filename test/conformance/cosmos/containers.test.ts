import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  ChangeFeedMode,
  type Container,
  PartitionKeyDefinitionVersion,
  PartitionKeyKind,
} from '@azure/cosmos';
import { open } from 'lmdb';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startCosmosServer } from '../../../infra/local/cosmos/server.ts';
import { indexOnly, isEmulator, openAccount, refusal, type TestAccount } from './account.ts';

let account: TestAccount;

beforeAll(async () => {
  account = await openAccount();
});
afterAll(async () => account.close());

describe('databases and containers', () => {
  it('a container keeps its partition key, indexing policy and time to live', async () => {
    const indexingPolicy = indexOnly('/type/?', '/revision/?');
    const container = await account.container({ indexingPolicy, defaultTtl: -1 });
    const { resource } = await container.read();
    expect(resource).toMatchObject({ defaultTtl: -1, partitionKey: { paths: ['/scope'] } });
    expect(resource?.indexingPolicy).toMatchObject({ indexingMode: 'consistent', ...indexingPolicy });
  });

  it('createIfNotExists finds what is there', async () => {
    const container = await account.container();
    const again = await account.database.containers.createIfNotExists({
      id: container.id,
      partitionKey: '/scope',
    });
    expect(again.statusCode).toBe(200);
    expect((await account.client.databases.createIfNotExists({ id: account.database.id })).statusCode).toBe(
      200,
    );
  });

  it('creating what is there is 409, reading what is not is 404', async () => {
    const { id } = await account.container();
    expect(await refusal(() => account.container({ id }))).toMatchObject({ code: 409 });
    expect(await refusal(() => account.client.databases.create({ id: account.database.id }))).toMatchObject({
      code: 409,
    });
    expect(await refusal(() => account.database.container('none').read())).toMatchObject({ code: 404 });
    expect(await refusal(() => account.client.database('none').read())).toMatchObject({ code: 404 });
  });

  it('a container of a database that is not there lacks its owner, which is 404/1003', async () => {
    const nowhere = account.client.database('none');
    const partitionKey = { paths: ['/scope'] };
    for (const call of [
      () => nowhere.container('c').read(),
      () => nowhere.containers.create({ id: 'c', partitionKey }),
      () => nowhere.containers.readAll().fetchAll(),
    ]) {
      expect(await refusal(call)).toMatchObject({ code: 404, substatus: 1003 });
    }
    expect((await refusal(() => account.database.container('none').read())).substatus).not.toBe(1003);
  });

  it('a time to live is a whole number of seconds up to 2147483647, or -1', async () => {
    for (const defaultTtl of [0, -2, 1.5, 2147483648]) {
      expect(await refusal(() => account.container({ defaultTtl }))).toMatchObject({ code: 400 });
    }
    const container = await account.container({ defaultTtl: 2147483647 });
    for (const ttl of [0, -2, 1.5, 2147483648]) {
      const create = () => container.items.create({ id: 'a', scope: 's', ttl });
      expect(await refusal(create)).toMatchObject({ code: 400 });
    }
    expect((await container.items.create({ id: 'a', scope: 's', ttl: 2147483647 })).statusCode).toBe(201);
  });

  it('lists name all of them', async () => {
    const { id } = await account.container();
    const containers = await account.database.containers.readAll().fetchAll();
    expect(containers.resources.map((container) => container.id)).toContain(id);
    const databases = await account.client.databases.readAll().fetchAll();
    expect(databases.resources.map((database) => database.id)).toContain(account.database.id);
  });

  it('lists come in pages, and a query filters them', async () => {
    const own = await Promise.all([account.container(), account.container()]);
    const pages = account.database.containers.readAll({ maxItemCount: 1 });
    const seen: string[] = [];
    while (pages.hasMoreResults()) {
      const { resources } = await pages.fetchNext();
      expect(resources.length).toBeLessThanOrEqual(1);
      seen.push(...resources.map(({ id }) => id));
    }
    expect(seen).toEqual(expect.arrayContaining(own.map(({ id }) => id)));
    expect(new Set(seen).size).toBe(seen.length);
    const byId = (id: string) => ({
      query: 'SELECT * FROM root r WHERE r.id = @id',
      parameters: [{ name: '@id', value: id }],
    });
    const found = await account.database.containers.query<{ id: string }>(byId(own[1].id)).fetchAll();
    expect(found.resources.map(({ id }) => id)).toEqual([own[1].id]);
    const databases = account.client.databases.query<{ id: string }>(byId(account.database.id));
    expect((await databases.fetchAll()).resources.map(({ id }) => id)).toEqual([account.database.id]);
  });

  it('a deleted container takes its items along; made again it is empty and has another rid', async () => {
    const container = await account.container();
    await container.items.create({ id: 'a', scope: 's' });
    const before = await container.read();
    await container.delete();
    await account.container({ id: container.id });
    const fresh = account.connect().database(account.database.id).container(container.id);
    expect((await fresh.item('a', 's').read()).statusCode).toBe(404);
    expect((await fresh.read()).resource?._rid).not.toBe(before.resource?._rid);
  });

  it('a replaced container has another index and time to live, for what it holds already too', async () => {
    const container = await account.container({ indexingPolicy: indexOnly('/type/?') });
    for (const revision of [3, 1, 2]) {
      await container.items.create({ id: `i${revision}`, scope: 's', type: 'change', revision });
    }
    const byRevision = async () => {
      const query = 'SELECT VALUE c.id FROM c WHERE c.revision >= 2 ORDER BY c.revision';
      return (await container.items.query<string>(query, { partitionKey: 's' }).fetchAll()).resources;
    };
    expect(await refusal(byRevision)).toMatchObject({ code: 400 });
    const before = await container.read();
    const definition = {
      id: container.id,
      partitionKey: { paths: ['/scope'] },
      indexingPolicy: indexOnly('/revision/?', '/type/?'),
      defaultTtl: -1,
    };
    const { resource } = await container.replace(definition);
    expect(resource).toMatchObject({ defaultTtl: -1, _rid: before.resource?._rid });
    expect(resource?._etag).not.toBe(before.resource?._etag);
    expect((await container.read()).resource?.indexingPolicy).toMatchObject(definition.indexingPolicy);
    await vi.waitFor(async () => expect(await byRevision()).toEqual(['i2', 'i3']), 45_000);
    await container.items.create({ id: 'i4', scope: 's', type: 'change', revision: 4, ttl: 60 });
    await container.item('i2', 's').delete();
    expect(await byRevision()).toEqual(['i3', 'i4']);
  });

  it('a container keeps its id and its partition key', async () => {
    const container = await account.container();
    const replace = (id: string, path: string) =>
      refusal(() => container.replace({ id, partitionKey: { paths: [path] } }));
    expect(await replace(container.id, '/other')).toMatchObject({ code: 400 });
    expect(await replace('other', '/scope')).toMatchObject({ code: 400 });
    expect(
      await refusal(() =>
        account.database.container('none').replace({ id: 'none', partitionKey: { paths: ['/scope'] } }),
      ),
    ).toMatchObject({ code: 404 });
  });

  it('a policy without the root path is refused', async () => {
    const indexingPolicy = { includedPaths: [{ path: '/type/?' }], excludedPaths: [] };
    expect(await refusal(() => account.container({ indexingPolicy }))).toMatchObject({ code: 400 });
  });

  it('what the emulator lacks is refused when a container asks for it', async ({ skip }) => {
    skip(!isEmulator, 'the service has both');
    const uniqueKeyPolicy = { uniqueKeys: [{ paths: ['/name'] }] };
    expect(await refusal(() => account.container({ uniqueKeyPolicy }))).toMatchObject({ code: 501 });
    const partitionKey = { paths: ['/a', '/b'], kind: PartitionKeyKind.MultiHash };
    expect(await refusal(() => account.container({ partitionKey }))).toMatchObject({ code: 501 });
  });

  it('a partition key is hashed by version 2, an older version is refused', async ({ skip }) => {
    skip(!isEmulator, 'the service has both');
    const { resource } = await (await account.container()).read();
    expect(resource?.partitionKey).toEqual({ paths: ['/scope'], kind: 'Hash', version: 2 });
    const partitionKey = { paths: ['/scope'], version: PartitionKeyDefinitionVersion.V1 };
    expect(await refusal(() => account.container({ partitionKey }))).toMatchObject({ code: 501 });
  });

  const unsupported: [string, number, (container: Container) => Promise<unknown>][] = [
    ['deleting all items of a partition key', 501, (c) => c.deleteAllItemsForPartitionKey('s')],
    [
      'a stored procedure',
      501,
      (c) => c.scripts.storedProcedures.create({ id: 'p', body: 'function () {}' }),
    ],
    ['running a stored procedure', 501, (c) => c.scripts.storedProcedure('p').execute('s')],
    ['a trigger', 501, (c) => c.scripts.triggers.readAll().fetchAll()],
    [
      'a user-defined function',
      501,
      (c) => c.scripts.userDefinedFunctions.create({ id: 'f', body: 'function () {}' }),
    ],
    ['conflicts', 501, (c) => c.conflicts.readAll().fetchAll()],
    ['users', 501, (c) => c.database.users.create({ id: 'u' })],
    ['permissions', 501, (c) => c.database.user('u').permissions.readAll().fetchAll()],
    [
      'the feed of all versions and deletes',
      501,
      (c) =>
        c.items.getChangeFeedIterator({ changeFeedMode: ChangeFeedMode.AllVersionsAndDeletes }).readNext(),
    ],
    [
      'a trigger that a write names',
      501,
      (c) => c.items.create({ id: 'a', scope: 's' }, { preTriggerInclude: 't' }),
    ],
    [
      'an indexing directive',
      501,
      (c) => c.items.create({ id: 'a', scope: 's' }, { indexingDirective: 'exclude' }),
    ],
  ];
  it.each(unsupported)('%s is refused with %i and a reason', async (_, code, call) => {
    if (!isEmulator) return;
    const container = await account.container();
    const refused = await refusal(() => call(container));
    expect(refused).toMatchObject({ code });
    expect(refused.message).toMatch(/not supported/);
    expect((await container.items.readAll().fetchAll()).resources).toEqual([]);
  });

  it('provisioned throughput may be asked for, and none is kept', async ({ skip }) => {
    skip(!isEmulator, 'depends on the account');
    for (const throughput of [{ throughput: 400 }, { maxThroughput: 4000 }]) {
      const container = await account.container(throughput);
      expect((await container.readOffer()).resource).toBeUndefined();
    }
  });

  it('a wrong key is 401', async () => {
    const client = account.connect({ key: Buffer.from('wrong').toString('base64') });
    expect(await refusal(() => client.databases.readAll().fetchAll())).toMatchObject({ code: 401 });
  });
});

describe.runIf(isEmulator)('the emulator as a server', () => {
  it('a taken port is refused with EADDRINUSE', async () => {
    const server = await startCosmosServer({ port: 0 });
    await expect(startCosmosServer({ port: server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await server.stop();
  });

  it('once the control plane is denied, creating, replacing and deleting entities is 403/5300, all else works', async () => {
    const own = await openAccount();
    const container = await own.container();
    own.server?.denyControlPlane();
    const definition = { id: container.id, partitionKey: { paths: ['/scope'] } };
    const denied = { code: 403, substatus: 5300, message: expect.stringContaining('data plane') };
    for (const call of [
      () => own.client.databases.create({ id: 'd' }),
      () => own.client.databases.createIfNotExists({ id: 'd' }),
      () => own.database.containers.create(definition),
      () => container.replace(definition),
      () => container.delete(),
      () => own.database.delete(),
    ]) {
      expect(await refusal(call)).toMatchObject(denied);
    }
    expect((await own.database.containers.createIfNotExists(definition)).statusCode).toBe(200);
    await container.items.create({ id: 'a', scope: 's' });
    expect((await container.items.readAll().fetchAll()).resources).toHaveLength(1);
    await own.close();
  });

  it('a number of partitions that cannot be is refused', async () => {
    for (const partitions of [0, -1, 1.5, 101, Number.NaN]) {
      await expect(startCosmosServer({ port: 0, partitions })).rejects.toThrow(RangeError);
    }
  });

  it('data that another version wrote is refused, not misread', async () => {
    const dataFolder = await mkdtemp(path.join(tmpdir(), 'cosmos-layout-'));
    const old = open({ path: dataFolder, maxDbs: 8, encoding: 'binary' });
    await old.openDB('meta', { encoding: 'json' }).put(['nextDatabase'], 1);
    await old.close();
    const free = await startCosmosServer({ port: 0 });
    await free.stop();
    const start = () => startCosmosServer({ port: free.port, dataFolder });
    await expect(start()).rejects.toThrow(/another version/);
    await expect(start()).rejects.toThrow(/another version/);
    await rm(dataFolder, { recursive: true, force: true });
  });

  it('an unsigned request is 401 with a JSON body', async () => {
    const response = await fetch(`${account.server?.endpoint}dbs`);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'Unauthorized', message: expect.any(String) });
  });
});
