import { CosmosClient, PartitionKeyKind } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

  it('lists name all of them', async () => {
    const { id } = await account.container();
    const containers = await account.database.containers.readAll().fetchAll();
    expect(containers.resources.map((container) => container.id)).toContain(id);
    const databases = await account.client.databases.readAll().fetchAll();
    expect(databases.resources.map((database) => database.id)).toContain(account.database.id);
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

  it('without the control plane creating and deleting entities is 403, everything else works', async () => {
    const server = await startCosmosServer({ port: 0 });
    server.denyControlPlane();
    const client = new CosmosClient(server.connectionString);
    expect(await refusal(() => client.databases.create({ id: 'd' }))).toMatchObject({ code: 403 });
    expect((await client.databases.readAll().fetchAll()).resources).toEqual([]);
    client.dispose();
    await server.stop();
  });

  it('an unsigned request is 401 with a JSON body', async () => {
    const response = await fetch(`${account.server?.endpoint}dbs`);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'Unauthorized', message: expect.any(String) });
  });
});
