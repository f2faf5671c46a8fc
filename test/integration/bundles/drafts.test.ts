import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MemoryArchive } from '../../../shared/bundles/content/memory-archive.ts';
import { writeZip } from '../../../shared/bundles/content/write-zip.ts';
import { DraftStore, Drafts, type Version } from '../../../shared/bundles/index.ts';
import { type Clock, systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { printedSeed, runs } from '../seeded-runs.ts';
import { type BundleProcess, type BundlesFixture, filesOf, startBundles } from './bundles-fixture.ts';

const NS = 'default';
const NOTES = { author: { actor: 'test' }, message: '', labels: [] };
const UNKNOWN_ID = 'drf_01jh8000000000000000000000';

let bundles: BundlesFixture;
let one: BundleProcess & { drafts: Drafts };
let other: BundleProcess & { drafts: Drafts };

beforeAll(async () => {
  bundles = await startBundles();
  one = open();
  other = open();
});

afterAll(async () => {
  await bundles?.stop();
});

/** Drafts as another process has them. */
function open(clock: Clock = systemClock) {
  const opened = bundles.open({ clock });
  const store = new DraftStore(async () => bundles.blob.service);
  return { ...opened, drafts: new Drafts({ store, versions: opened.versions, clock, random: systemRandom }) };
}

async function publish(name: string, files: Readonly<Record<string, string>>): Promise<Version> {
  return (await one.versions.publish(NS, name, filesOf(files), NOTES)).version;
}

async function begin(name: string, files: Readonly<Record<string, string>>, from?: string): Promise<string> {
  const { draft } = await one.drafts.begin(NS, name, from);
  for (const [path, content] of Object.entries(files)) {
    await one.drafts.putFile(NS, name, draft, path, Buffer.from(content));
  }
  return draft;
}

async function upload(name: string, files: Readonly<Record<string, string>>): Promise<string> {
  const { draft, upload } = await one.drafts.begin(NS, name);
  const archive = new MemoryArchive();
  await writeZip(filesOf(files), archive);
  await putArchive(upload.url, archive.bytes);
  return draft;
}

async function putArchive(url: string, bytes: Uint8Array): Promise<void> {
  const headers = { 'x-ms-blob-type': 'BlockBlob' };
  const { status } = await fetch(url, { method: 'PUT', headers, body: Buffer.from(bytes) });
  expect(status).toBe(201);
}

async function filesIn(name: string, version: Version, { versions } = one): Promise<Record<string, string>> {
  const { files } = await versions.manifest(NS, name, version);
  const contents = await Promise.all(
    files.map(async ({ path }) => {
      const { bytes } = await versions.readFile(NS, name, version, path);
      return [path, Buffer.from(bytes).toString()] as const;
    }),
  );
  return Object.fromEntries(contents);
}

async function versionCount(name: string): Promise<number> {
  return (await one.versions.find(NS, name, 'latest').catch(() => undefined))?.version ?? 0;
}

async function blobsOfDrafts(name: string): Promise<string[]> {
  const names: string[] = [];
  const listing = bundles.blob.service
    .getContainerClient('drafts')
    .listBlobsFlat({ prefix: `${NS}/${name}/` });
  for await (const item of listing) names.push(item.name);
  return names;
}

describe.concurrent('a draft', () => {
  it('becomes a version with what was put last, leaves nothing behind, and answers the same when committed again', async () => {
    const draft = await begin('plain', { a: 'old', 'b/c': 'c', gone: 'x' });
    await one.drafts.putFile(NS, 'plain', draft, './a', Buffer.from('new'));
    await one.drafts.deleteFile(NS, 'plain', draft, 'gone');
    expect(await versionCount('plain')).toBe(0);
    const options = { ...NOTES, message: 'First', labels: ['stable'] };
    const { version, unchanged } = await one.drafts.commit(NS, 'plain', draft, options);
    expect(version).toMatchObject({ version: 1, author: 'test', message: 'First', labels: ['stable'] });
    expect(unchanged).toBe(false);
    expect(await filesIn('plain', version)).toEqual({ a: 'new', 'b/c': 'c' });
    expect(await blobsOfDrafts('plain')).toEqual([]);

    await publish('plain', { other: '' });
    for (const { drafts } of [one, other]) {
      const again = await drafts.commit(NS, 'plain', draft, { ...NOTES, precondition: { ifMatch: ['"0"'] } });
      expect(again).toEqual({ version, unchanged: false });
    }
    expect(await versionCount('plain')).toBe(2);
    await expect(one.drafts.get(NS, 'plain', draft)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(one.drafts.discard(NS, 'plain', draft)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(one.drafts.putFile(NS, 'plain', draft, 'a', Buffer.from(''))).rejects.toMatchObject({
      kind: 'not-found',
    });
  });

  it('lays puts and deletions over the version that it began with, whatever is published meanwhile', async () => {
    await publish('based', { a: 'a', b: 'b', c: 'c', d: 'd' });
    const draft = await begin('based', { b: 'B', e: 'e' }, 'latest');
    await publish('based', { z: 'z' });
    await other.drafts.deleteFile(NS, 'based', draft, 'c');
    await expect(one.drafts.deleteFile(NS, 'based', draft, 'c')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(one.drafts.deleteFile(NS, 'based', draft, 'z')).rejects.toMatchObject({ kind: 'not-found' });
    expect(await other.drafts.get(NS, 'based', draft)).toMatchObject({
      draft,
      from: 1,
      files: expect.arrayContaining([
        { path: 'b', size: 1, sha256: 'df7e70e5021544f4834bbee64a9e3789febc4be81470df629cad6ddb03320a5c' },
      ]),
      deleted: ['c'],
    });
    const { version } = await other.drafts.commit(NS, 'based', draft, NOTES);
    expect(version.version).toBe(3);
    expect(await filesIn('based', version)).toEqual({ a: 'a', b: 'B', d: 'd', e: 'e' });
  });

  it('lays them over an uploaded archive, and is refused with both an archive and a version beneath', async () => {
    const draft = await upload('uploaded', { a: 'a', b: 'b', c: 'c' });
    await one.drafts.putFile(NS, 'uploaded', draft, 'b', Buffer.from('B'));
    await one.drafts.deleteFile(NS, 'uploaded', draft, 'c');
    await expect(one.drafts.deleteFile(NS, 'uploaded', draft, 'd')).rejects.toMatchObject({
      kind: 'not-found',
    });
    expect(await one.drafts.get(NS, 'uploaded', draft)).toMatchObject({
      archive: { size: expect.any(Number) },
    });
    const { version } = await one.drafts.commit(NS, 'uploaded', draft, NOTES);
    expect(await filesIn('uploaded', version)).toEqual({ a: 'a', b: 'B' });

    const both = await one.drafts.begin(NS, 'uploaded', '1');
    const archive = new MemoryArchive();
    await writeZip(filesOf({ a: 'a' }), archive);
    await putArchive(both.upload.url, archive.bytes);
    await expect(one.drafts.commit(NS, 'uploaded', both.draft, NOTES)).rejects.toMatchObject({
      kind: 'conflict',
    });
  });

  it('that equals the newest version makes none, is over, and says the same again', async () => {
    const newest = await publish('same', { a: 'a' });
    const draft = await begin('same', { a: 'a' });
    expect(await one.drafts.commit(NS, 'same', draft, NOTES)).toEqual({ version: newest, unchanged: true });
    await publish('same', { b: 'b' });
    expect(await other.drafts.commit(NS, 'same', draft, NOTES)).toEqual({ version: newest, unchanged: true });
    expect(await blobsOfDrafts('same')).toEqual([expect.stringMatching(/draft\.json$/)]);
    await expect(one.drafts.putFile(NS, 'same', draft, 'a', Buffer.from(''))).rejects.toMatchObject({
      kind: 'not-found',
    });
    await expect(one.drafts.get(NS, 'same', draft)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('stays as it was when it is refused', async () => {
    await publish('refused', { x: 'x' });
    const draft = await begin('refused', { a: 'a', 'b/c': 'c', B: 'b' });
    const commit = (options: object) => one.drafts.commit(NS, 'refused', draft, { ...NOTES, ...options });
    await expect(commit({})).rejects.toMatchObject({
      kind: 'unprocessable',
      message: expect.stringContaining('B'),
    });
    await one.drafts.deleteFile(NS, 'refused', draft, 'B');
    await expect(commit({ precondition: { ifMatch: ['"0"'] } })).rejects.toMatchObject({
      kind: 'precondition-failed',
    });
    await expect(commit({ digest: `sha256:${'0'.repeat(64)}` })).rejects.toMatchObject({
      kind: 'unprocessable',
      field: 'digest',
    });
    await expect(commit({ ifChangedFrom: 'nothing' })).rejects.toMatchObject({ kind: 'not-found' });
    expect(await versionCount('refused')).toBe(1);
    expect(await bundles.blobsOf(NS, 'refused')).toHaveLength(2);
    const { version } = await commit({});
    expect(await filesIn('refused', version)).toEqual({ a: 'a', 'b/c': 'c' });
  });

  it('is refused without any file, with what is no zip, and with paths that are none', async () => {
    const empty = await begin('empty', {});
    await expect(one.drafts.commit(NS, 'empty', empty, NOTES)).rejects.toMatchObject({
      kind: 'unprocessable',
    });
    const { draft, upload } = await one.drafts.begin(NS, 'empty');
    await putArchive(upload.url, Buffer.from('no zip'));
    await expect(one.drafts.commit(NS, 'empty', draft, NOTES)).rejects.toMatchObject({
      kind: 'unprocessable',
    });
    await expect(one.drafts.putFile(NS, 'empty', draft, 'a/../b', Buffer.from(''))).rejects.toMatchObject({
      kind: 'unprocessable',
    });
  });

  it('is known to its bundle only, and for a day', async () => {
    const draft = await begin('owner', { a: 'a' });
    const unknown = { kind: 'not-found', field: 'draft' };
    for (const [ns, name, id] of [
      [NS, 'stranger', draft],
      ['elsewhere', 'owner', draft],
      [NS, 'owner', UNKNOWN_ID],
      [NS, 'owner', draft.slice(4)],
      [NS, 'owner', `${draft}/`],
      [NS, 'owner', 'drf_nonsense'],
    ] as const) {
      await expect(one.drafts.get(ns, name, id)).rejects.toMatchObject(unknown);
      await expect(one.drafts.commit(ns, name, id, NOTES)).rejects.toMatchObject(unknown);
      await expect(one.drafts.putFile(ns, name, id, 'a', Buffer.from(''))).rejects.toMatchObject(unknown);
      await expect(one.drafts.deleteFile(ns, name, id, 'a')).rejects.toMatchObject(unknown);
      await expect(one.drafts.discard(ns, name, id)).rejects.toMatchObject(unknown);
    }
    const tomorrow = open({ ...systemClock, now: () => Date.now() + 24 * 3_600_000 });
    await expect(tomorrow.drafts.get(NS, 'owner', draft)).rejects.toMatchObject(unknown);
    await expect(tomorrow.drafts.commit(NS, 'owner', draft, NOTES)).rejects.toMatchObject(unknown);
    const { version } = await one.drafts.commit(NS, 'owner', draft, NOTES);
    expect(await tomorrow.drafts.commit(NS, 'owner', draft, NOTES)).toEqual({ version, unchanged: false });
  });

  it('can be discarded, once', async () => {
    const draft = await begin('discarded', { a: 'a' });
    await one.drafts.discard(NS, 'discarded', draft);
    expect(await blobsOfDrafts('discarded')).toEqual([]);
    await expect(one.drafts.discard(NS, 'discarded', draft)).rejects.toMatchObject({ kind: 'not-found' });
    await expect(one.drafts.commit(NS, 'discarded', draft, NOTES)).rejects.toMatchObject({
      kind: 'not-found',
    });
  });

  it('cannot be discarded once it is a version, though nobody was told of that', async () => {
    const draft = await begin('unanswered', { a: 'a' });
    await one.versions.publish(NS, 'unanswered', filesOf({ a: 'a' }), { ...NOTES, draft: draft.slice(4) });
    await expect(other.drafts.discard(NS, 'unanswered', draft)).rejects.toMatchObject({ kind: 'not-found' });
    expect(await blobsOfDrafts('unanswered')).toEqual([]);
    expect(await one.drafts.commit(NS, 'unanswered', draft, NOTES)).toMatchObject({
      version: { version: 1 },
    });
  });

  it('is either discarded or committed by those who ask for both at a time', async () => {
    const draft = await begin('both', { a: 'a' });
    const outcomes = await Promise.allSettled([
      one.drafts.commit(NS, 'both', draft, NOTES),
      one.drafts.discard(NS, 'both', draft),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });

  it('becomes no version when it is discarded elsewhere while it is committed', async () => {
    const draft = await begin('overtaken', { a: 'a' });
    const store = new DraftStore(async () => bundles.blob.service);
    const head = store.head.bind(store);
    let calls = 0;
    store.head = async (address) => {
      calls += 1;
      // After the content was read, before it is published.
      if (calls === 3) await other.drafts.discard(NS, 'overtaken', draft);
      return await head(address);
    };
    const { versions } = one;
    const drafts = new Drafts({ store, versions, clock: systemClock, random: systemRandom });
    await expect(drafts.commit(NS, 'overtaken', draft, NOTES)).rejects.toMatchObject({ kind: 'not-found' });
    expect(calls).toBeGreaterThanOrEqual(3);
    expect(await versionCount('overtaken')).toBe(0);
    expect(await bundles.blobsOf(NS, 'overtaken')).toEqual([]);
  });

  it('becomes one version however often it is committed at the same time, by whatever processes', async () => {
    const files = Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`file${index}`, `${index}`]));
    const draft = await begin('repeated', files);
    const publications = await Promise.all(
      [one, other, open(), one].map(({ drafts }) => drafts.commit(NS, 'repeated', draft, NOTES)),
    );
    expect(new Set(publications.map(({ version }) => version.version))).toEqual(new Set([1]));
    expect(publications.every(({ unchanged }) => !unchanged)).toBe(true);
    expect(await versionCount('repeated')).toBe(1);
    expect(await filesIn('repeated', await one.versions.find(NS, 'repeated', '1'))).toEqual(files);
    expect(await bundles.blobsOf(NS, 'repeated')).toHaveLength(2);
  });

  it.each(['new', 'unchanged'])(
    'answers what another commit made of it that overtook, a version that is %s',
    async (kind) => {
      const name = `overtaken-${kind}`;
      if (kind === 'unchanged') await publish(name, { a: 'a', b: 'b' });
      const draft = await begin(name, { a: 'a', b: 'b' });
      const store = new DraftStore(async () => bundles.blob.service);
      const head = store.head.bind(store);
      let calls = 0;
      store.head = async (address) => {
        const found = await head(address);
        calls++;
        // The second is the look that proves the list of its files whole.
        if (calls === 2) await other.drafts.commit(NS, name, draft, NOTES);
        return found;
      };
      const drafts = new Drafts({ store, versions: one.versions, clock: systemClock, random: systemRandom });
      const { version, unchanged } = await drafts.commit(NS, name, draft, NOTES);
      expect({ version: version.version, unchanged }).toEqual({
        version: 1,
        unchanged: kind === 'unchanged',
      });
      expect(calls).toBeGreaterThan(2);
      expect(await versionCount(name)).toBe(1);
    },
  );

  it('makes no version after another commit found it unchanged, whatever was published since', async () => {
    const name = 'settled-meanwhile';
    const first = await publish(name, { a: '1' });
    const draft = await begin(name, { a: '1' });
    const slow = open();
    const latest = slow.records.get.bind(slow.records);
    vi.spyOn(slow.records, 'get').mockImplementationOnce(async (...address) => {
      // Its content is packed by now, and it looks which version is the newest.
      expect(await other.drafts.commit(NS, name, draft, NOTES)).toMatchObject({ unchanged: true });
      await publish(name, { a: '2' });
      return await latest(...address);
    });
    const unchanged = { version: { version: first.version }, unchanged: true };
    expect(await slow.drafts.commit(NS, name, draft, NOTES)).toMatchObject(unchanged);
    expect(await versionCount(name)).toBe(2);
  });

  it('is not published half when files are put or its archive is replaced during the commit', async () => {
    const draft = await begin('torn', { a: 'a1', b: 'b1' });
    const store = new DraftStore(async () => bundles.blob.service);
    let interfere = async () => {
      interfere = async () => {};
      await other.drafts.putFile(NS, 'torn', draft, 'b', Buffer.from('b2'));
    };
    const content = store.content.bind(store);
    store.content = async (address) => {
      const listed = await content(address);
      await interfere();
      return listed;
    };
    const drafts = new Drafts({ store, versions: one.versions, clock: systemClock, random: systemRandom });
    await expect(drafts.commit(NS, 'torn', draft, NOTES)).rejects.toMatchObject({ kind: 'conflict' });
    expect(await versionCount('torn')).toBe(0);
    const { version } = await drafts.commit(NS, 'torn', draft, NOTES);
    expect(await filesIn('torn', version)).toEqual({ a: 'a1', b: 'b2' });
  });
});

const PATHS = ['a', 'b', 'c/d', 'c/e'] as const;

type Step =
  | { readonly type: 'put'; readonly draft: number; readonly path: string; readonly content: string }
  | { readonly type: 'delete'; readonly draft: number; readonly path: string }
  | { readonly type: 'commit' | 'discard' | 'get'; readonly draft: number };

const draftNumber = fc.nat(2);
const path = fc.constantFrom(...PATHS);
const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('put' as const),
        draft: draftNumber,
        path,
        content: fc.constantFrom('', '1', '2'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), draft: draftNumber, path }) },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constantFrom('commit' as const, 'commit' as const, 'get' as const, 'discard' as const),
        draft: draftNumber,
      }),
    },
  ),
  { minLength: 6, maxLength: 24 },
);

interface Modelled {
  readonly id: string;
  files: Map<string, string>;
  state: 'open' | 'discarded' | { readonly version: number; readonly unchanged: boolean };
}

describe('drafts beside each other', () => {
  it('are each what was done to them, and versions what was committed', async () => {
    const seed = printedSeed('drafts');
    let run = 0;
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        const name = `beside${seed}-${run++}`;
        await publish(name, { a: '0', b: '0', 'c/d': '0' });
        const versions: Record<string, string>[] = [{ a: '0', b: '0', 'c/d': '0' }];
        const drafts = await Promise.all(
          [undefined, 'latest', '1'].map(
            async (from): Promise<Modelled> => ({
              id: (await one.drafts.begin(NS, name, from)).draft,
              files: new Map(from === undefined ? [] : Object.entries(versions[0] ?? {})),
              state: 'open',
            }),
          ),
        );
        for (const step of sequence) {
          const draft = drafts[step.draft];
          if (draft !== undefined) await take(step, name, draft, versions);
        }
        for (const [index, files] of versions.entries()) {
          const version = await other.versions.find(NS, name, String(index + 1));
          expect(await filesIn(name, version, other)).toEqual(files);
        }
        expect(await versionCount(name)).toBe(versions.length);
      }),
      { seed, numRuns: runs(4, 300) },
    );
  });
});

/** Does a step by one process or the other, and holds what comes of it against the model. */
async function take(step: Step, name: string, draft: Modelled, versions: Record<string, string>[]) {
  const { drafts } = step.draft === 1 ? other : one;
  const gone = { kind: 'not-found' };
  if (step.type === 'commit') {
    if (draft.state === 'discarded') {
      await expect(drafts.commit(NS, name, draft.id, NOTES)).rejects.toMatchObject(gone);
      return;
    }
    if (draft.state === 'open' && draft.files.size === 0) {
      await expect(drafts.commit(NS, name, draft.id, NOTES)).rejects.toMatchObject({ kind: 'unprocessable' });
      return;
    }
    if (draft.state === 'open') {
      const files = Object.fromEntries(draft.files);
      const unchanged = isSame(versions.at(-1) ?? {}, files);
      if (!unchanged) versions.push(files);
      draft.state = { version: versions.length, unchanged };
    }
    const { version, unchanged } = await drafts.commit(NS, name, draft.id, NOTES);
    expect({ version: version.version, unchanged }).toEqual(draft.state);
    return;
  }
  const isOpen = draft.state === 'open';
  if (step.type === 'put') {
    const put = drafts.putFile(NS, name, draft.id, step.path, Buffer.from(step.content));
    if (isOpen) {
      await put;
      draft.files.set(step.path, step.content);
    } else {
      await expect(put).rejects.toMatchObject(gone);
    }
  } else if (step.type === 'delete') {
    const deletion = drafts.deleteFile(NS, name, draft.id, step.path);
    if (isOpen && draft.files.delete(step.path)) await deletion;
    else await expect(deletion).rejects.toMatchObject(gone);
  } else if (step.type === 'discard') {
    const discard = drafts.discard(NS, name, draft.id);
    if (isOpen) await discard;
    else await expect(discard).rejects.toMatchObject(gone);
    if (isOpen) draft.state = 'discarded';
  } else {
    const got = drafts.get(NS, name, draft.id);
    if (!isOpen) await expect(got).rejects.toMatchObject(gone);
    else expect((await got).files.every(({ path }) => draft.files.has(path))).toBe(true);
  }
}

function isSame(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  return PATHS.every((path) => one[path] === other[path]);
}
