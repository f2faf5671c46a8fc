import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ChangeFeedStartFrom, type Container, CosmosClient } from '@azure/cosmos';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type CosmosServer, startCosmosServer } from '../../../infra/local/cosmos/server.ts';
import { type HostProcess, HostStartError, startHost } from './host-process.ts';

const PATIENCE = { timeout: 45_000, interval: 20 };

let dataFolder: string;
let cosmos: CosmosServer;
let client: CosmosClient;
let items: Container;

/** Each test has lease containers of its own, so that none resumes where another has stopped. */
let leases: string;
let testNumber = 0;

beforeAll(async () => {
  dataFolder = await mkdtemp(path.join(tmpdir(), 'host-cosmos-'));
  cosmos = await startCosmosServer({ port: 0, dataFolder });
  client = new CosmosClient(cosmos.connectionString);
  const { database } = await client.databases.createIfNotExists({ id: 'db' });
  ({ container: items } = await database.containers.createIfNotExists({ id: 'items', partitionKey: '/pk' }));
});

beforeEach(() => {
  testNumber++;
  leases = `leases-${testNumber}`;
});

afterAll(async () => {
  client.dispose();
  await cosmos.stop();
  await rm(dataFolder, { recursive: true });
});

async function start(
  environment: Record<string, string> = {},
  commandLine: readonly string[] = [],
  fixture = 'cosmos',
): Promise<HostProcess> {
  const settings = {
    COSMOS: cosmos.connectionString,
    ITEMS: 'items',
    LEASES: leases,
    CREATE_LEASES: 'true',
    ...environment,
  };
  const host = await startHost(fixture, settings, commandLine);
  onTestFinished(() => host.kill());
  return host;
}

const id = (name: string) => `${name}-${testNumber}`;
const create = (name: string) =>
  items.items.create({ id: id(name), pk: 'p', at: '2026-01-01T00:00:00.000Z' });

function deliveriesOf(host: HostProcess, name: string): string[][] {
  return host.reports.filter((report) => report.name === name).map(({ ids }) => ids as string[]);
}

const deliveredTo = (host: HostProcess, name: string) => deliveriesOf(host, name).flat();

describe('the change feed', () => {
  it('delivers what is written from the start on, with system properties and without metadata', async () => {
    const host = await start();
    await create('first');
    await vi.waitFor(() => expect(deliveredTo(host, 'careless')).toEqual([id('first')]), PATIENCE);
    const report = host.reports.find(({ name }) => name === 'careless');
    expect(report?.documents).toEqual([
      expect.objectContaining({
        pk: 'p',
        at: '2026-01-01T00:00:00.000Z',
        _ts: expect.any(Number),
        _etag: expect.any(String),
      }),
    ]);
    expect(report?.triggerMetadata).toEqual({});
  });

  it('delivers what was there before, in pages, if it is to start from the beginning', async () => {
    await create('a');
    await create('b');
    await create('c');
    const host = await start();
    await vi.waitFor(() => expect(deliveredTo(host, 'careful')).toContain(id('c')), PATIENCE);
    expect(Math.max(...deliveriesOf(host, 'careful').map(({ length }) => length))).toBe(2);
    expect(deliveredTo(host, 'careless')).not.toContain(id('a'));
  });

  it('goes on where it stopped, missing nothing that was written meanwhile', async () => {
    const first = await start();
    await create('before');
    await vi.waitFor(() => expect(deliveredTo(first, 'careless')).toEqual([id('before')]), PATIENCE);
    first.signal('SIGTERM');
    expect(await first.exited).toBe(0);
    await create('meanwhile');
    const second = await start();
    await vi.waitFor(() => expect(deliveredTo(second, 'careless')).toEqual([id('meanwhile')]), PATIENCE);
  });

  it('misses nothing that was written while a host was away that had read nothing yet', async () => {
    const first = await start();
    await first.kill();
    await create('meanwhile');
    const second = await start();
    await vi.waitFor(() => expect(deliveredTo(second, 'careless')).toEqual([id('meanwhile')]), PATIENCE);
  });

  it('begins again from the beginning if its host was killed before it had read anything', async () => {
    const { container } = await client.database('db').containers.createIfNotExists({
      id: id('empty'),
      partitionKey: '/pk',
    });
    const first = await start({ ITEMS: container.id });
    await first.kill();
    const second = await start({ ITEMS: container.id });
    await container.items.create({ id: 'late', pk: 'p' });
    await vi.waitFor(() => expect(deliveredTo(second, 'careful')).toEqual(['late']), PATIENCE);
  });

  it('delivers a batch again whose host was killed in its midst', async () => {
    const first = await start();
    await create('hang');
    await vi.waitFor(() => expect(deliveredTo(first, 'careful')).toContain(id('hang')), PATIENCE);
    await first.kill();
    const second = await start();
    await vi.waitFor(() => expect(deliveredTo(second, 'careful')).toContain(id('hang')), PATIENCE);
    await items.item(id('hang'), 'p').delete();
  });

  it('delivers a batch again whose worker was killed in its midst, to another worker', async () => {
    const host = await start({}, ['--workers', '2']);
    await create('hang');
    const pids = () =>
      host.reports
        .filter(({ name, ids }) => name === 'careful' && (ids as string[]).includes(id('hang')))
        .map(({ pid }) => pid as number);
    await vi.waitFor(() => expect(pids()).toHaveLength(1), PATIENCE);
    process.kill(pids()[0] ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(pids()).toHaveLength(2), PATIENCE);
    expect(pids()[1]).not.toBe(pids()[0]);
    await items.item(id('hang'), 'p').delete();
  });

  it('begins at a time, if it is to', async () => {
    await create('early');
    // The service remembers changes by the second.
    const nextSecond = async (after = Math.floor(Date.now() / 1000)) => {
      await vi.waitFor(() => expect(Math.floor(Date.now() / 1000)).toBeGreaterThan(after), PATIENCE);
    };
    await nextSecond();
    const time = new Date(Math.floor(Date.now() / 1000) * 1000).toISOString();
    await nextSecond();
    await create('late');
    const host = await start({ FROM_TIME: time });
    await vi.waitFor(() => expect(deliveredTo(host, 'timed')).toEqual([id('late')]), PATIENCE);
  });

  it('rewrites dates in strict mode, as .NET does on their way', async () => {
    const host = await start({}, ['--strict']);
    await create('dated');
    await vi.waitFor(() => expect(deliveredTo(host, 'careless')).toEqual([id('dated')]), PATIENCE);
    const report = host.reports.find(({ name }) => name === 'careless');
    expect(report?.documents).toEqual([expect.objectContaining({ at: '2026-01-01T00:00:00Z' })]);
  });
});

describe('the change feed of a container with several physical partitions', () => {
  /** Names of documents by the feed range that they are in. */
  async function namesByRange(container: Container): Promise<string[][]> {
    const ranges = await container.getFeedRanges();
    return Promise.all(
      ranges.map(async (range) => {
        const changeFeedStartFrom = ChangeFeedStartFrom.Beginning(range);
        const page = await container.items.getChangeFeedIterator({ changeFeedStartFrom }).readNext();
        return (page.result as { id: string }[]).map((document) => document.id);
      }),
    );
  }

  it('is delivered range by range: side by side, but in each one batch at a time', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'host-cosmos-'));
    const spread = await startCosmosServer({ port: 0, dataFolder: folder, partitions: 4 });
    const spreadClient = new CosmosClient(spread.connectionString);
    onTestFinished(async () => {
      spreadClient.dispose();
      await spread.stop();
      await rm(folder, { recursive: true });
    });
    const { database } = await spreadClient.databases.createIfNotExists({ id: 'db' });
    const { container } = await database.containers.createIfNotExists({ id: 'items', partitionKey: '/pk' });
    const names = Array.from({ length: 40 }, (_, index) => `item-${index}`);
    await container.items.create({ id: 'hang', pk: 'hang' });
    for (const name of names) await container.items.create({ id: name, pk: name });
    const ranges = await namesByRange(container);
    expect(ranges.map(({ length }) => length > 2)).toEqual([true, true, true, true]);
    const others = ranges.filter((range) => !range.includes('hang')).flat();

    const host = await start({ COSMOS: spread.connectionString });
    const delivered = () => deliveredTo(host, 'careful');
    await vi.waitFor(
      () => expect(delivered()).toEqual(expect.arrayContaining(['hang', ...others])),
      PATIENCE,
    );
    const ofBlocked = deliveriesOf(host, 'careful').filter((batch) => !others.includes(batch[0] ?? ''));
    expect(ofBlocked.filter((batch) => batch.includes('hang'))).toHaveLength(1);
    expect(ofBlocked.at(-1)).toContain('hang');
    for (const range of ranges) {
      const order = delivered().filter((name) => range.includes(name));
      expect(order).toEqual(range.slice(0, order.length));
    }

    await host.kill();
    const second = await start({ COSMOS: spread.connectionString });
    await vi.waitFor(() => expect(deliveredTo(second, 'careful')).toContain('hang'), PATIENCE);
    expect(deliveredTo(second, 'careful').filter((name) => others.includes(name))).toEqual([]);
  });
});

describe('a batch that fails', () => {
  it('is lost without a retry policy, and the log says so', async () => {
    const host = await start();
    await create('bad');
    await vi.waitFor(
      () => expect(host.output()).toContain("1 changes are lost for function 'careless'"),
      PATIENCE,
    );
    await create('good');
    await vi.waitFor(() => expect(deliveredTo(host, 'careless')).toEqual([id('bad'), id('good')]), PATIENCE);
  });

  it('is tried again as its policy says', async () => {
    const host = await start();
    await create('bad');
    const attempts = () =>
      host.reports
        .filter(({ name, ids }) => name === 'careful' && (ids as string[]).includes(id('bad')))
        .map(({ retryCount }) => retryCount);
    await vi.waitFor(() => expect(attempts()).toEqual([0, 1, 2]), PATIENCE);
  });
});

describe('a batch that outlives functionTimeout', () => {
  it('has failed: it is lost without a retry policy', async () => {
    const host = await start({}, [], 'brief-timeout-cosmos');
    await create('stall');
    const loss = "1 changes are lost for function 'careless'";
    await vi.waitFor(() => expect(host.output()).toContain(loss), PATIENCE);
    await create('good');
    await vi.waitFor(() => expect(deliveredTo(host, 'careless').at(-1)).toBe(id('good')), PATIENCE);
    expect(deliveredTo(host, 'careless')).toEqual([id('stall'), id('good')]);
  });

  it('comes again, to a new worker, with one', async () => {
    const host = await start({}, [], 'brief-timeout-cosmos');
    await create('hang');
    const pids = () => {
      const deliveries = host.reports.filter(
        ({ name, ids }) => name === 'careful' && (ids as string[]).includes(id('hang')),
      );
      return new Set(deliveries.map(({ pid }) => pid));
    };
    await vi.waitFor(() => expect(pids().size).toBe(2), PATIENCE);
    await items.item(id('hang'), 'p').delete();
  });
});

describe('a batch that goes on failing', () => {
  it('is lost once its policy is exhausted', async () => {
    const host = await start();
    await create('worst');
    const loss = /changes are lost for function 'careful': a failed batch is not delivered again\n/;
    await vi.waitFor(() => expect(host.output()).toMatch(loss), PATIENCE);
    await create('fine');
    await vi.waitFor(() => expect(deliveredTo(host, 'careful')).toContain(id('fine')), PATIENCE);
  });

  it('holds up what follows for as long as a policy without end tries', async () => {
    const host = await start();
    await create('stuck');
    await vi.waitFor(() => expect(deliveriesOf(host, 'stubborn').length).toBeGreaterThan(3), PATIENCE);
    await create('next');
    await vi.waitFor(() => expect(deliveredTo(host, 'careless')).toContain(id('next')), PATIENCE);
    expect(deliveredTo(host, 'stubborn')).not.toContain(id('next'));
    host.send({ type: 'let go' });
    await vi.waitFor(() => expect(deliveredTo(host, 'stubborn').at(-1)).toBe(id('next')), PATIENCE);
  });
});

describe('a Cosmos DB', () => {
  it('without the lease container fails the start, unless it may be created', async () => {
    await expect(start({ CREATE_LEASES: 'false' })).rejects.toThrow(HostStartError);
    await expect(start({ CREATE_LEASES: 'false' })).rejects.toThrow(`'db/${leases}' does not exist`);
  });

  it('whose lease container is gone when a worker takes over is asked until it is back', async () => {
    const { containers } = client.database('db');
    const { container } = await containers.create({ id: leases, partitionKey: '/id' });
    const host = await start({ CREATE_LEASES: 'false' });
    await create('before');
    await vi.waitFor(() => expect(deliveredTo(host, 'careless')).toEqual([id('before')]), PATIENCE);
    await container.delete();
    process.kill(host.reports[0]?.pid as number, 'SIGKILL');
    const refusal = `trying on: Error: Cosmos DB container 'db/${leases}' does not exist`;
    await vi.waitFor(() => expect(host.output()).toContain(refusal), PATIENCE);
    expect((await fetch(`${host.url}/api/alive`)).status).toBe(200);
    const status = async () => (await (await fetch(`${host.url}/admin/host/status`)).json()) as object;
    await vi.waitFor(async () => {
      expect(await status()).toMatchObject({
        errors: expect.arrayContaining([`Cosmos DB container 'db/${leases}' does not exist.`]) as string[],
      });
    }, PATIENCE);
    await containers.create({ id: leases, partitionKey: '/id' });
    await vi.waitFor(async () => {
      await items.items.upsert({ id: id('after'), pk: 'p' });
      expect(deliveredTo(host, 'careless')).toContain(id('after'));
      expect(await status()).not.toHaveProperty('errors');
    }, PATIENCE);
  });

  it('that is away leaves HTTP answering, and is listened to once it is back', async () => {
    const { port } = cosmos;
    await cosmos.stop();
    const host = await start();
    expect(await (await fetch(`${host.url}/api/alive`)).text()).toBe('alive');
    await vi.waitFor(
      () => expect(host.output()).toContain("Cosmos DB for function 'careless' does not answer"),
      PATIENCE,
    );
    cosmos = await startCosmosServer({ port, dataFolder });
    await vi.waitFor(
      () => expect(host.output()).toContain("Cosmos DB for function 'careless' answers again"),
      PATIENCE,
    );
    await create('back');
    await vi.waitFor(() => expect(deliveredTo(host, 'careless')).toEqual([id('back')]), PATIENCE);

    await cosmos.stop();
    const outages = () => host.output().split("'careless' does not answer").length - 1;
    await vi.waitFor(() => expect(outages()).toBe(2), PATIENCE);
    cosmos = await startCosmosServer({ port, dataFolder });
    await create('again');
    await vi.waitFor(
      () => expect(deliveredTo(host, 'careless')).toEqual([id('back'), id('again')]),
      PATIENCE,
    );
    expect(outages()).toBe(2);
  });

  it('that is away when the host stops makes no worker fail', async () => {
    const { port } = cosmos;
    await cosmos.stop();
    const host = await start();
    await vi.waitFor(() => expect(host.output()).toContain('does not answer'), PATIENCE);
    host.signal('SIGTERM');
    expect(await host.exited).toBe(0);
    expect(host.output()).not.toContain('uncaught');
    cosmos = await startCosmosServer({ port, dataFolder });
  });
});
