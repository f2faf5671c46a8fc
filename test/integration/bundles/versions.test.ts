import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BundleInput } from '../../../shared/bundles/content/bundle-input.ts';
import {
  bundleScope,
  type ChannelValue,
  channelKey,
  Versions,
  type VersionValue,
  versionKey,
} from '../../../shared/bundles/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { revisionTag } from '../../../shared/platform/http/index.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { createUlid } from '../../../shared/platform/ulid.ts';
import { injectFaults, LOST_ANSWERS } from '../records/injected-faults.ts';
import { WatchedRecords } from './bundle-world.ts';
import { type BundleProcess, type BundlesFixture, filesOf, startBundles } from './bundles-fixture.ts';
import { storageCases } from './storage-cases.ts';

const NS = 'default';
const author = { actor: 'test' };
const plain = { author };

let fixture: BundlesFixture;
/** Two processes. */
let here: BundleProcess;
let there: BundleProcess;
let names = 0;

beforeAll(async () => {
  fixture = await startBundles();
  here = fixture.open();
  there = fixture.open();
});

afterAll(() => fixture.stop());

function newName(): string {
  names += 1;
  return `bundle${names}`;
}

async function publish(
  process: BundleProcess,
  name: string,
  files: Parameters<typeof filesOf>[0],
  options: Partial<Parameters<BundleProcess['versions']['publish']>[3]> = {},
) {
  return await process.versions.publish(NS, name, filesOf(files), { ...plain, ...options });
}

async function textOf(process: BundleProcess, name: string, reference: string, path: string) {
  const version = await process.versions.find(NS, name, reference);
  return Buffer.from((await process.versions.readFile(NS, name, version, path)).bytes).toString();
}

/** The numbers of all versions, the newest first. */
async function numbersOf(process: BundleProcess, name: string): Promise<number[]> {
  const { versions } = await process.versions.list(NS, name, { limit: 1000 });
  return versions.map(({ version }) => version);
}

async function putRecord(name: string, key: string, value: unknown): Promise<void> {
  await here.records.commit(bundleScope(NS, name), {
    key,
    actor: 'test',
    decide: () => ({ type: 'put', value }),
  });
}

describe('publishing', () => {
  it('numbers versions, and reads files of each', async () => {
    const name = newName();
    const first = await publish(
      here,
      name,
      { 'a.txt': 'one', 'b/c.txt': 'x' },
      { message: 'new', labels: ['l', 'l'] },
    );
    const second = await publish(there, name, { 'a.txt': 'two'.repeat(99), empty: '' });
    expect([first, second].map(({ version, unchanged }) => [version.version, unchanged])).toEqual([
      [1, false],
      [2, false],
    ]);
    expect(first.version).toMatchObject({ message: 'new', labels: ['l'], author: 'test', files: 2, size: 4 });
    expect(await textOf(here, name, '1', 'a.txt')).toBe('one');
    expect(await textOf(here, name, '2', './a.txt')).toBe('two'.repeat(99));
    expect(await textOf(there, name, 'latest', 'empty')).toBe('');
    expect(await numbersOf(here, name)).toEqual([2, 1]);
    await expect(textOf(here, name, '2', 'b/c.txt')).rejects.toMatchObject({
      kind: 'not-found',
      field: 'path',
    });
    await expect(textOf(here, name, '2', '../a')).rejects.toMatchObject({ kind: 'unprocessable' });
  });

  it('makes no new version of the content that the newest has, and stores nothing for it', async () => {
    const name = newName();
    await publish(here, name, { a: '1' });
    const again = await publish(there, name, { a: '1' });
    expect(again).toMatchObject({ unchanged: true, version: { version: 1 } });
    await publish(here, name, { a: '2' });
    expect(await publish(there, name, { a: '1' })).toMatchObject({
      unchanged: false,
      version: { version: 3 },
    });
    expect(await fixture.blobsOf(NS, name)).toHaveLength(6);
  });

  it('makes no new version of the content that another named one has', async () => {
    const name = newName();
    await publish(here, name, { a: '1' }, { labels: ['good'] });
    await publish(here, name, { a: '2' });
    await putRecord(name, channelKey(name, 'live'), { version: 1 } satisfies ChannelValue);
    for (const ifChangedFrom of ['1', 'good', 'live']) {
      expect(await publish(there, name, { a: '1' }, { ifChangedFrom })).toMatchObject({
        unchanged: true,
        version: { version: 1 },
      });
    }
    await expect(publish(there, name, { a: '3' }, { ifChangedFrom: 'none' })).rejects.toMatchObject({
      kind: 'not-found',
    });
    const next = await publish(there, name, { a: '3' }, { ifChangedFrom: 'live' });
    expect(next).toMatchObject({ unchanged: false, version: { version: 3 } });
    expect(await fixture.blobsOf(NS, name)).toHaveLength(6);
  });

  it('looks again where a name comes to stand for another version while content is on its way', async () => {
    const name = newName();
    await publish(here, name, { a: '1' });
    await publish(here, name, { a: '2' });
    await publish(here, name, { a: '3' });
    await putRecord(name, channelKey(name, 'live'), { version: 1 } satisfies ChannelValue);
    const { archives } = there;
    const begin = archives.begin.bind(archives);
    archives.begin = async (...address) => {
      const upload = await begin(...address);
      const finish = upload.finish.bind(upload);
      upload.finish = async (manifest) => {
        await putRecord(name, channelKey(name, 'live'), { version: 2 } satisfies ChannelValue);
        await finish(manifest);
      };
      return upload;
    };
    try {
      expect(await publish(there, name, { a: '2' }, { ifChangedFrom: 'live' })).toMatchObject({
        unchanged: true,
        version: { version: 2 },
      });
    } finally {
      archives.begin = begin;
    }
    expect(await fixture.blobsOf(NS, name)).toHaveLength(6);
  });

  it('names no version as unchanged that was taken away meanwhile', async () => {
    const name = newName();
    await publish(here, name, { a: '1' });
    await publish(here, name, { a: '2' });
    const { revision: _, createdAt: _at, ...value } = await there.versions.find(NS, name, '1');
    await putRecord(name, versionKey(name, 1), { ...value, removedAt: new Date().toISOString() });
    await expect(publish(there, name, { a: '1' }, { ifChangedFrom: '1' })).rejects.toMatchObject({
      kind: 'not-found',
    });
  });

  it('holds preconditions against the newest version', async () => {
    const name = newName();
    const free = { precondition: { ifNoneMatch: '*' } } as const;
    const { version } = await publish(here, name, { a: '1' }, free);
    await expect(publish(there, name, { a: '2' }, free)).rejects.toMatchObject({
      kind: 'precondition-failed',
    });
    const ifMatch = [revisionTag(version.revision)];
    await publish(here, name, { a: '2' }, { precondition: { ifMatch } });
    await expect(publish(there, name, { a: '3' }, { precondition: { ifMatch } })).rejects.toMatchObject({
      kind: 'precondition-failed',
    });
    expect(await fixture.blobsOf(NS, name)).toHaveLength(4);
  });

  it.each([
    [{ labels: ['7'] }],
    [{ labels: ['latest'] }],
    [{ labels: ['a b'] }],
    [{ labels: Array.from({ length: 17 }, (_, index) => `l${index}`) }],
    [{ message: 'x'.repeat(2001) }],
  ])('refuses notes such as %j before anything is stored', async (notes) => {
    const name = newName();
    await expect(publish(here, name, { a: '1' }, notes)).rejects.toMatchObject({ kind: 'invalid' });
    expect(await fixture.blobsOf(NS, name)).toEqual([]);
  });

  it('keeps the content of what stands, whatever happens after it was written down', async () => {
    const name = newName();
    const records = new WatchedRecords({
      container: fixture.cosmos.connect().container(COSMOS_CONTAINERS.records.id),
      clock: systemClock,
      random: systemRandom,
    });
    let steps = 0;
    records.step = () => {
      steps += 1;
      if (steps === 2) throw new TypeError('Nobody expects this.');
    };
    const { archives, uses } = here;
    const versions = new Versions({ records, archives, uses, clock: systemClock });
    await expect(publish({ ...here, versions }, name, { a: '1' })).rejects.toThrow('Nobody expects this.');
    expect(await textOf(there, name, '1', 'a')).toBe('1');
  });

  it('leaves nothing behind where reading the files fails', async () => {
    const name = newName();
    const size = 10 * 1024 * 1024;
    const broken: BundleInput = {
      kind: 'packed',
      facts: { path: 'b', size, packedSize: size, sha256: '', crc32: 0, method: 'stored', isText: false },
      read: async function* () {
        yield randomBytes(9 * 1024 * 1024);
        throw new Error('It broke off.');
      } as unknown as BundleInput['read'],
    };
    await expect(here.versions.publish(NS, name, [broken], plain)).rejects.toThrow('It broke off.');
    expect(await fixture.blobsOf(NS, name)).toEqual([]);
    await expect(here.versions.find(NS, name, 'latest')).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('many writers', () => {
  it('of two processes each get versions of their own, without gaps, though answers of the database get lost', async () => {
    const name = newName();
    await injectFaults(
      fixture.cosmos.server,
      LOST_ANSWERS.map((rule) => ({ ...rule, seed: 7 })),
    );
    const written = new Map<number, string>();
    const writers = await Promise.allSettled(
      Array.from({ length: 8 }, async (_, writer) => {
        const process = writer % 2 === 0 ? here : there;
        for (let round = 0; round < 3; round++) {
          const text = `${writer}-${round}`;
          const { version, unchanged } = await publish(process, name, { 'a.txt': text, 'b.txt': text });
          expect(unchanged).toBe(false);
          expect(written.has(version.version)).toBe(false);
          written.set(version.version, text);
        }
      }),
    );
    await injectFaults(fixture.cosmos.server, []);
    expect(writers.filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(await numbersOf(there, name)).toEqual(Array.from({ length: 24 }, (_, index) => 24 - index));
    for (const [version, text] of written) {
      expect(await textOf(here, name, String(version), 'a.txt')).toBe(text);
      expect(await textOf(there, name, String(version), 'b.txt')).toBe(text);
    }
    expect(await fixture.blobsOf(NS, name)).toHaveLength(48);
  });

  it('of the same content make one version, and leave one archive', async () => {
    const name = newName();
    const published = await Promise.all(
      Array.from({ length: 8 }, (_, writer) => publish(writer % 2 === 0 ? here : there, name, { a: 'same' })),
    );
    expect(published.map(({ version }) => version.version)).toEqual(Array(8).fill(1));
    expect(published.filter(({ unchanged }) => !unchanged)).toHaveLength(1);
    expect(await fixture.blobsOf(NS, name)).toHaveLength(2);
  });

  it('of the same draft make one version, also when others were published since', async () => {
    const name = newName();
    await publish(here, name, { a: '0' });
    const draft = createUlid(Date.now(), systemRandom);
    const commits = Array.from({ length: 6 }, (_, writer) =>
      publish(writer % 2 === 0 ? here : there, name, { a: 'draft' }, { draft }),
    );
    const others = Array.from({ length: 6 }, (_, writer) => publish(here, name, { a: `other ${writer}` }));
    const committed = (await Promise.all([Promise.all(commits), Promise.all(others)]))[0];
    const [number] = new Set(committed.map(({ version }) => version.version));
    expect(new Set(committed.map(({ version }) => version.version)).size).toBe(1);
    expect(await numbersOf(here, name)).toHaveLength(8);
    const late = await publish(fixture.open(), name, { a: 'draft' }, { draft });
    expect(late).toMatchObject({ unchanged: false, version: { version: number, draft } });
    expect(await there.versions.committedBy(NS, name, draft)).toMatchObject({ version: number });
    const unknown = createUlid(Date.now(), systemRandom);
    expect(await there.versions.committedBy(NS, name, unknown)).toBeUndefined();
    expect(await fixture.blobsOf(NS, name)).toHaveLength(16);
  });
});

describe('finding a version', () => {
  it('takes a number, the newest, a channel and a label, in this order', async () => {
    const name = newName();
    for (const labels of [['old', 'both'], ['both'], []]) {
      await publish(here, name, { labels: labels.join(), n: String(Math.random()) }, { labels });
    }
    await putRecord(name, channelKey(name, 'live'), { version: 2, previous: 1 } satisfies ChannelValue);
    await putRecord(name, channelKey(name, 'old'), { version: 3 } satisfies ChannelValue);
    const found = async (reference: string) => (await there.versions.find(NS, name, reference)).version;
    expect([await found('latest'), await found('live'), await found('old'), await found('both')]).toEqual([
      3, 2, 3, 2,
    ]);
    for (const reference of ['0', '4', '01', '999999999999999999999', 'nobody']) {
      await expect(found(reference)).rejects.toMatchObject({ kind: 'not-found' });
    }
    await expect(here.versions.find(NS, newName(), '1')).rejects.toThrow(/There is no bundle/);
  });

  it('gives a consumer the version that the rollout of a channel has for it', async () => {
    const name = newName();
    await publish(here, name, { a: '1' });
    await publish(here, name, { a: '2' });
    const rollout = {
      version: 2,
      state: 'rolling' as const,
      steps: [{ percent: 50, bake: 60 }],
      step: 0,
      stepSince: new Date().toISOString(),
      maxFailures: 1,
      failures: [],
    };
    await putRecord(name, channelKey(name, 'live'), { version: 1, rollout } satisfies ChannelValue);
    const got = await Promise.all(
      Array.from({ length: 40 }, (_, index) => there.versions.find(NS, name, 'live', `consumer${index}`)),
    );
    expect(new Set(got.map(({ version }) => version))).toEqual(new Set([1, 2]));
    expect((await there.versions.find(NS, name, 'live')).version).toBe(1);
  });

  it('does not see what cleanup took away, though a process that saw it before reads on for a while', async () => {
    const name = newName();
    let now = Date.now();
    const reader = fixture.open({ clock: { now: () => now, sleep: systemClock.sleep } });
    await publish(reader, name, { a: '1' }, { labels: ['l'] });
    await publish(reader, name, { a: '2' });
    expect(await numbersOf(here, name)).toEqual([2, 1]);
    const key = versionKey(name, 1);
    const record = await here.records.get<VersionValue>(bundleScope(NS, name), key);
    await putRecord(name, key, { ...record?.value, removedAt: new Date().toISOString() });
    for (const reference of ['1', 'l']) {
      await expect(there.versions.find(NS, name, reference)).rejects.toMatchObject({ kind: 'not-found' });
    }
    expect(await numbersOf(there, name)).toEqual([2]);
    now += 11 * 60_000;
    await expect(reader.versions.find(NS, name, '1')).rejects.toMatchObject({ kind: 'not-found' });
    expect((await here.versions.find(NS, name, '1')).version).toBe(1);
    // A rollback is decided on what there is now.
    await expect(here.versions.rollback(NS, name, '1', plain)).rejects.toMatchObject({ kind: 'not-found' });
  });
});

describe('rolling back', () => {
  it('publishes the content of a version again, from the same archive', async () => {
    const name = newName();
    await publish(here, name, { a: '1' });
    await publish(here, name, { a: '2' });
    const { version, unchanged } = await there.versions.rollback(NS, name, '1', plain);
    expect({ version, unchanged }).toMatchObject({
      unchanged: false,
      version: { version: 3, rollbackOf: 1, message: 'Version 1 again.', labels: [] },
    });
    expect(await textOf(here, name, 'latest', 'a')).toBe('1');
    expect(await fixture.blobsOf(NS, name)).toHaveLength(4);
    expect(await here.versions.rollback(NS, name, '1', plain)).toMatchObject({
      unchanged: true,
      version: { version: 3 },
    });
  });
});

storageCases(() => fixture);

describe('the directory', () => {
  it('lists bundles by name, and keeps what is set for them', async () => {
    const ns = 'directory';
    await here.versions.publish(ns, 'b', filesOf({ a: '1' }), plain);
    const { bundles } = here;
    const set = { description: 'Templates', retention: { versions: 5, days: 1.5 } };
    const { bundle, created } = await bundles.configure(ns, 'a', set, plain);
    expect({ bundle, created }).toMatchObject({ created: true, bundle: { name: 'a', latest: 0, ...set } });
    const again = await bundles.configure(ns, 'a', set, plain);
    expect(again).toEqual({ created: false, bundle });
    await there.versions.publish(ns, 'a', filesOf({ a: '1' }), plain);
    expect(await bundles.get(ns, 'a')).toMatchObject({ latest: 1, ...set });
    const first = await there.bundles.list(ns, { limit: 1 });
    expect(first).toMatchObject({ bundles: [{ name: 'a' }], next: 'a' });
    const second = await there.bundles.list(ns, { limit: 1, after: 'a' });
    expect(second.bundles.map(({ name, latest }) => [name, latest])).toEqual([['b', 1]]);
    expect(second.next).toBeUndefined();
    await bundles.configure(ns, 'b', {}, plain);
    expect((await bundles.get(ns, 'b'))?.latest).toBe(1);
  });
});
