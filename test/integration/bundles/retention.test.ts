import { BlobServiceClient, type ContainerClient } from '@azure/storage-blob';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  BundleSweeper,
  bundleKey,
  bundleScope,
  channelKey,
  RolloutAlarms,
  type VersionValue,
} from '../../../shared/bundles/index.ts';
import type { CleanupSummary } from '../../../shared/bundles/retention/bundle-cleanup.ts';
import { FolderWalk } from '../../../shared/bundles/retention/folder-walk.ts';
import { toTimestamp } from '../../../shared/platform/clock.ts';
import { Sweep, type SweepSummary } from '../../../shared/records/index.ts';
import { printedSeed, runs, seededRandom } from '../seeded-runs.ts';
import { type BundleWorld, DAY, HOUR, NS, startBundleWorld } from './bundle-world.ts';

const NOTHING: CleanupSummary = {
  removed: 0,
  deleted: 0,
  retained: 0,
  orphans: 0,
  drafts: 0,
  overdue: 0,
  isCutOff: false,
  failed: [],
};

let world: BundleWorld;
let count = 0;
let name: string;

beforeAll(async () => {
  world = await startBundleWorld();
});

beforeEach(() => {
  count += 1;
  name = `bundle${count}`;
});

// Cleanup looks at whatever has blobs.
afterEach(() => world.clear());

afterAll(() => world.stop());

async function publishMany(versions: number): Promise<VersionValue[]> {
  const values: VersionValue[] = [];
  for (let version = 1; version <= versions; version++) values.push(await world.publish(name));
  return values;
}

describe('old versions', () => {
  test('are taken from readers, and an hour later deleted with their content', async () => {
    const published = await publishMany(3);
    const cleanup = world.cleanup({ rule: { versions: 2, days: 1 } });
    world.clock.advance(DAY - 1);
    expect(await cleanup.run(), 'all are young').toEqual(NOTHING);
    world.clock.advance(1);
    expect(await cleanup.run()).toEqual({ ...NOTHING, removed: 1 });
    expect(await world.stored(name)).toEqual({ found: [2, 3], removed: [1] });
    expect(await world.blobs('bundles', `${NS}/${name}/`), 'who reads may finish').toHaveLength(6);

    world.clock.advance(HOUR - 1);
    expect(await cleanup.run()).toEqual(NOTHING);
    world.clock.advance(1);
    expect(await cleanup.run()).toEqual({ ...NOTHING, deleted: 1 });
    expect(await world.stored(name)).toEqual({ found: [2, 3], removed: [] });
    const left = published.slice(1).flatMap(({ blob }) => [`${blob}.json`, `${blob}.zip`]);
    expect(await world.blobs('bundles', `${NS}/${name}/`)).toEqual(left.toSorted());
  });

  test('stay as long as the bundle itself says', async () => {
    await publishMany(4);
    await world.records.commit(bundleScope(NS, name), {
      key: bundleKey(name),
      actor: 'test',
      decide: () => ({ type: 'put', value: { latest: 4, retention: { versions: 3, days: 10 } } }),
    });
    world.clock.advance(9 * DAY);
    await world.cleanup().run();
    expect((await world.stored(name)).found).toEqual([1, 2, 3, 4]);
    world.clock.advance(DAY);
    await world.cleanup().run();
    expect((await world.stored(name)).found).toEqual([2, 3, 4]);
  });

  test('stay as long as a channel, a rollout or a consumer has them', async () => {
    await publishMany(8);
    const steps = [{ percent: 10, bake: 60 }];
    const rollout = {
      version: 3,
      state: 'rolling',
      steps,
      step: 0,
      stepSince: '2030-01-01T00:00:00.000Z',
      maxFailures: 1,
      failures: [],
    } as const;
    await world.putChannel(name, 'production', { version: 1, previous: 2, rollout });
    await world.putChannel(name, 'test', { version: 4 });
    await world.putConsumer(name, 'host-1', 5);
    world.clock.advance(2 * DAY);
    await world.cleanup().run();
    expect(await world.stored(name)).toEqual({ found: [1, 2, 3, 4, 5, 8], removed: [6, 7] });
  });

  test('stay as long as a channel has them that moved at the same moment', async () => {
    await publishMany(3);
    world.clock.advance(2 * DAY);
    const records = world.openRecords();
    records.beforeTransaction = async () => {
      records.beforeTransaction = async () => {};
      await world.putChannel(name, 'late', { version: 1 });
    };
    await world.cleanup({ records }).run();
    expect(await world.stored(name)).toEqual({ found: [1, 3], removed: [2] });
  });

  test('stay as long as somebody reads them, and so does the content of one that was taken away before', async () => {
    await publishMany(4);
    world.clock.advance(2 * DAY);
    await world.uses.note(NS, name, 1);
    const cleanup = world.cleanup();
    await cleanup.run();
    expect(await world.stored(name)).toEqual({ found: [1, 4], removed: [2, 3] });
    await expect(world.versions.find(NS, name, '3')).rejects.toMatchObject({ kind: 'not-found' });
    // A reader who began a moment before, whose use comes a moment after.
    await world.uses.note(NS, name, 3);
    expect(await world.versions.find(NS, name, '3')).toMatchObject({ version: 3 });

    world.clock.advance(13 * HOUR);
    await cleanup.run();
    expect(await world.stored(name)).toEqual({ found: [1, 4], removed: [3] });
    await world.uses.note(NS, name, 3);
    world.clock.advance(24 * HOUR);
    await cleanup.run();
    expect(await world.stored(name), 'only one of them is still read').toEqual({
      found: [4],
      removed: [1, 3],
    });
    expect(await world.blobs('bundles', `${NS}/${name}/`)).toHaveLength(6);
    world.clock.advance(12 * HOUR);
    await expect(
      world.versions.find(NS, name, '3'),
      'who found it just before the end of its use had no time to read it',
    ).rejects.toMatchObject({ kind: 'not-found' });
    await cleanup.run();
    expect(await world.stored(name)).toEqual({ found: [4], removed: [3] });
    world.clock.advance(HOUR);
    await cleanup.run();
    expect(await world.stored(name)).toEqual({ found: [4], removed: [] });
    expect(await world.blobs('bundles', `${NS}/${name}/`)).toHaveLength(2);
    expect(await sweep(), 'what is left of the readers').toMatchObject({ collected: 2, failed: [] });
    expect(await world.leases.due(world.clock.now(), 10)).toEqual([]);
  });

  test('leave content to the versions that share it', async () => {
    const [first] = await publishMany(2);
    const { version: again } = await world.versions.rollback(NS, name, '1', {
      author: { actor: 'test' },
      message: '',
      labels: [],
    });
    expect(again.blob).toBe(first?.blob);
    world.clock.advance(2 * DAY);
    const cleanup = world.cleanup();
    await cleanup.run();
    world.clock.advance(2 * HOUR);
    await cleanup.run();
    expect(await world.stored(name)).toEqual({ found: [3], removed: [] });
    expect(await world.blobs('bundles', `${NS}/${name}/`)).toEqual([
      `${again.blob}.json`,
      `${again.blob}.zip`,
    ]);
  });

  test('wait until storage lets go of them', async () => {
    await publishMany(3);
    let isRetained = true;
    const connection = await world.blob.writeOnce({
      retentionMilliseconds: DAY,
      now: () => Date.now() + (isRetained ? 0 : 2 * DAY),
    });
    const cleanup = world.cleanup({ service: BlobServiceClient.fromConnectionString(connection) });
    world.clock.advance(2 * DAY);
    expect(await cleanup.run()).toEqual({ ...NOTHING, removed: 2 });
    world.clock.advance(HOUR);
    expect(await cleanup.run()).toEqual({ ...NOTHING, retained: 2 });
    expect(await world.stored(name)).toEqual({ found: [3], removed: [1, 2] });
    isRetained = false;
    expect(await cleanup.run()).toEqual({ ...NOTHING, deleted: 2 });
    expect(await world.blobs('bundles', `${NS}/${name}/`)).toHaveLength(2);
  });
});

async function sweep(): Promise<SweepSummary> {
  const { records, leases, uses, clock } = world;
  const alarms = new RolloutAlarms({ records, leases, clock });
  return await new Sweep({ records, leases, clock, sweepers: [new BundleSweeper({ alarms, uses })] }).run();
}

test('whoever reads a version finishes on it, however soon others are published and cleaned up', async () => {
  const random = seededRandom(printedSeed('retention, readers'));
  const processes = [world.openProcess(), world.openProcess()];
  let published = 1;
  const cleanup = world.cleanup({ rule: { versions: 1, days: 0 } });
  const readers = [1, 2, 3, 4].map(() => ({ pinned: 0, reads: 0 }));

  const publish = async () => {
    await world.publish(name);
    published += 1;
  };
  const read = async (reader: (typeof readers)[number]) => {
    const process = processes[Math.floor(random() * processes.length)] ?? world;
    const reference = reader.reads > 0 ? String(reader.pinned) : 'latest';
    const version = await process.versions.find(NS, name, reference);
    const { bytes } = await process.versions.readFile(NS, name, version, 'number.txt');
    reader.reads = reader.reads > 0 ? reader.reads - 1 : Math.floor(8 * random());
    reader.pinned = version.version;
    return [version.version, Buffer.from(bytes).toString()] as const;
  };

  const first = await world.publish(name);
  const offset = Number(await textOf(first.version));
  for (let step = 0; step < runs(8, 150); step++) {
    const [, , ...seen] = await Promise.all([publish(), cleanup.run(), ...readers.map(read)]);
    for (const [version, text] of seen) expect(text, `version ${version}`).toBe(String(version - 1 + offset));
    world.clock.advance(Math.floor(6 * HOUR * random()));
  }
  world.clock.advance(37 * HOUR);
  await cleanup.run();
  world.clock.advance(HOUR);
  await cleanup.run();
  expect(await world.stored(name)).toEqual({ found: [published], removed: [] });
  expect(await world.blobs('bundles', `${NS}/${name}/`)).toHaveLength(2);
});

async function textOf(version: number): Promise<string> {
  const found = await world.versions.find(NS, name, String(version));
  return Buffer.from((await world.versions.readFile(NS, name, found, 'number.txt')).bytes).toString();
}

describe('what was never published', () => {
  test('is deleted after a day, also where there is no such bundle', async () => {
    const { blob } = await world.publish(name);
    const [lost, elsewhere] = [world.newBlob(), world.newBlob()];
    await world.upload(name, lost);
    await world.upload(`${name}-never`, elsewhere);
    await world.upload(name, 'no-ulid');
    world.clock.advance(DAY);
    const young = world.newBlob();
    await world.upload(name, young);
    const cleanup = world.cleanup();
    expect(await cleanup.run(), 'an upload may be under way').toEqual(NOTHING);
    world.clock.advance(1);
    expect(await cleanup.run()).toEqual({ ...NOTHING, orphans: 4 });
    const left = [blob, young, 'no-ulid'].flatMap((one) => [`${one}.json`, `${one}.zip`]);
    expect(await world.blobs('bundles', `${NS}/${name}/`)).toEqual(left.toSorted());
    expect(await world.blobs('bundles', `${NS}/${name}-never/`)).toEqual([]);
  });

  test('drafts are deleted an hour after their day, what tells of them first', async () => {
    const draft = await putDraft();
    // As the holder of an upload URL may leave it.
    const archive = world.blob.service
      .getContainerClient('drafts')
      .getBlobClient(`${NS}/${name}/${draft}/archive.zip`);
    await archive.createSnapshot();
    await archive.getBlobLeaseClient().acquireLease(-1);
    world.clock.advance(1);
    const young = await putDraft();
    world.clock.advance(DAY + HOUR);
    expect(await world.cleanup().run()).toEqual({ ...NOTHING, drafts: 1 });
    expect(await world.blobs('drafts', `${NS}/${name}/${draft}/`)).toEqual([]);
    expect(await world.blobs('drafts', `${NS}/${name}/${young}/`)).toHaveLength(4);
  });
});

async function putDraft(): Promise<string> {
  const draft = world.newBlob();
  const container = world.blob.service.getContainerClient('drafts');
  for (const blob of ['archive.zip', 'draft.json', 'files/a', 'files/b']) {
    await container.getBlockBlobClient(`${NS}/${name}/${draft}/${blob}`).upload('x', 1);
  }
  return draft;
}

describe('a cleanup', () => {
  test('wakes a rollout whose alarm was lost', async () => {
    await publishMany(2);
    const rollout = {
      version: 2,
      state: 'rolling',
      steps: [{ percent: 10, bake: 60 }],
      step: 0,
      stepSince: toTimestamp(world.clock.now()),
      maxFailures: 1,
      failures: [],
    } as const;
    await world.putChannel(name, 'production', { version: 1, rollout });
    const production = () => world.records.get(bundleScope(NS, name), channelKey(name, 'production'));
    const cleanup = world.cleanup({ rule: { versions: 9, days: 9 } });
    expect(await cleanup.run(), 'it bakes').toEqual(NOTHING);
    world.clock.advance(HOUR);
    expect(await sweep()).toMatchObject({ advanced: 0 });
    expect(await cleanup.run()).toEqual({ ...NOTHING, overdue: 1 });
    expect(await sweep()).toMatchObject({ advanced: 1 });
    expect(await production()).toMatchObject({ value: { version: 2, rollout: { state: 'done' } } });
    expect(await cleanup.run()).toEqual(NOTHING);
  });

  test('goes on where another one died, after whichever step, and no version that is found ever lacks content', async () => {
    const random = seededRandom(printedSeed('retention'));
    const steps = await dieAfter(Number.POSITIVE_INFINITY);
    expect(steps).toBeGreaterThan(15);
    const isLong = runs(0, 1) === 1;
    const all = Array.from({ length: steps }, (_, lives) => lives);
    const sample = Array.from({ length: 2 }, () => Math.floor(random() * steps));
    for (const lives of isLong ? all : sample) await dieAfter(lives);
  });

  test('counts what it does of all bundles', async () => {
    const names = ['a', 'b', 'c', 'd'].map((each) => `${name}-${each}`);
    for (const each of names) for (const _ of [1, 2, 3]) await world.publish(each);
    world.clock.advance(2 * DAY);
    const cleanup = world.cleanup({ records: world.openRecords() });
    expect(await cleanup.run()).toEqual({ ...NOTHING, removed: 8 });
    world.clock.advance(HOUR);
    expect(await cleanup.run()).toEqual({ ...NOTHING, deleted: 8 });
  });

  test('may run beside others', async () => {
    await publishMany(6);
    await world.upload(name, world.newBlob());
    world.clock.advance(2 * DAY);
    const runs = () =>
      Promise.all([1, 2, 3].map(() => world.cleanup({ records: world.openRecords() }).run()));
    const first = await runs();
    world.clock.advance(HOUR);
    const second = await runs();
    expect([...first, ...second].flatMap(({ failed }) => failed)).toEqual([]);
    expect(
      first.reduce((sum, { removed }) => sum + removed, 0),
      'each is taken away once',
    ).toBe(5);
    expect(await world.stored(name)).toEqual({ found: [6], removed: [] });
    expect(await world.blobs('bundles', `${NS}/${name}/`)).toHaveLength(2);
  });

  test('goes through all folders, page by page, and on from where it was cut off', async () => {
    const container = world.blob.service.getContainerClient('drafts');
    const names = ['a', 'b', 'c', 'd', 'e'].flatMap((folder) => [`walk/${folder}/1/x`, `walk/${folder}/1/y`]);
    await Promise.all(names.map((each) => container.getBlockBlobClient(each).upload('x', 1)));
    const walk = new FolderWalk(() => Promise.resolve(container), { depth: 3, pageSize: 3 });
    const visited: string[] = [];
    let isOver = false;
    const visit = async ({ path, blobs }: { path: readonly string[]; blobs: readonly string[] }) => {
      visited.push(...blobs.map((blob) => [...path, blob].join('/')));
      isOver = visited.length >= 4;
    };
    expect(await walk.walk(visit, () => isOver)).toBe(false);
    const before = visited.splice(0);
    expect(before.length).toBeLessThan(names.length);
    expect(await walk.walk(visit, () => false)).toBe(true);
    expect(visited.length, 'it does not begin anew').toBeLessThan(names.length);
    expect([...new Set([...before, ...visited])].toSorted()).toEqual(names);

    // However little it gets done in the time that it has, also of what a single request lists.
    const slow = new FolderWalk(() => Promise.resolve(container), { depth: 3, pageSize: 5_000 });
    const seen = new Set<string>();
    const see = async ({ path }: { path: readonly string[] }) => {
      seen.add(path.join('/'));
      isOver = true;
    };
    for (let run = 0; run < 5; run += 1) {
      isOver = false;
      await slow.walk(see, () => isOver);
    }
    expect(seen.size).toBe(5);
    await Promise.all(names.map((each) => container.deleteBlob(each)));
  });
});

/**
 * Lets a process clean up a bundle that has something of everything, and die after so many steps, each the beginning or the end of a
 * call that changes something; then another one.
 *
 * @returns how many steps it came to.
 */
async function dieAfter(lives: number): Promise<number> {
  count += 1;
  name = `mortal${count}`;
  await publishMany(2);
  world.clock.advance(2 * DAY);
  await world.cleanup().run();
  await publishMany(2);
  await world.upload(name, world.newBlob());
  const draft = await putDraft();
  world.clock.advance(DAY + HOUR + 1);

  let steps = 0;
  const step = () => {
    steps += 1;
    if (steps > lives) throw new Error('This process has died.');
  };
  const records = world.openRecords();
  records.step = step;
  await world.cleanup({ records, service: mortalService(step) }).run();
  expect((await world.stored(name)).found, `after ${lives} steps`).toContain(4);
  await expectWhole(draft);

  await world.cleanup().run();
  world.clock.advance(HOUR);
  expect(await world.cleanup().run()).toMatchObject({ failed: [] });
  expect(await world.stored(name), `after ${lives} steps`).toEqual({ found: [4], removed: [] });
  expect(await world.blobs('bundles', `${NS}/${name}/`)).toHaveLength(2);
  expect(await world.blobs('drafts', `${NS}/${name}/`)).toEqual([]);
  await world.clear();
  return steps;
}

/** Storage, as a process sees it that may die before and after each deletion. */
function mortalService(step: () => void): BlobServiceClient {
  const { service } = world.blob;
  const mortal = (container: ContainerClient) =>
    ({
      listBlobsFlat: (...call: Parameters<ContainerClient['listBlobsFlat']>) =>
        container.listBlobsFlat(...call),
      getBlobClient: (blob: string) => ({
        async delete() {
          step();
          await container.getBlobClient(blob).delete();
          step();
        },
      }),
    }) as unknown as ContainerClient;
  return {
    getContainerClient: (container: string) => mortal(service.getContainerClient(container)),
  } as BlobServiceClient;
}

/** Whatever is found has its content. */
async function expectWhole(draft: string): Promise<void> {
  const { records } = await world.records.list<VersionValue>(bundleScope(NS, name), {
    prefix: `${bundleKey(name)}/versions/`,
  });
  const blobs = new Set(await world.blobs('bundles', `${NS}/${name}/`));
  for (const { value } of records.filter((record) => record.value.removedAt === undefined)) {
    expect(blobs).toContain(`${value.blob}.zip`);
    expect(blobs).toContain(`${value.blob}.json`);
  }
  const ofDraft = await world.blobs('drafts', `${NS}/${name}/${draft}/`);
  if (ofDraft.includes('draft.json')) expect(ofDraft).toHaveLength(4);
}
