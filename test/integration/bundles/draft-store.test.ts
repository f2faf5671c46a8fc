import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collect } from '../../../shared/bundles/content/content-chunks.ts';
import { packFile } from '../../../shared/bundles/content/pack-file.ts';
import { DraftStore } from '../../../shared/bundles/storage/draft-store.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { createUlid } from '../../../shared/platform/ulid.ts';
import type { BlobFixture } from '../blob-fixture.ts';
import { shareBlob } from '../shared-blob.ts';

const MIB = 1024 * 1024;

let blob: BlobFixture;
let store: DraftStore;

beforeAll(async () => {
  blob = await shareBlob();
  store = new DraftStore(async () => blob.service);
});

afterAll(async () => {
  await blob?.stop();
});

function newAddress() {
  return { ns: 'default', name: 'web', ulid: createUlid(Date.now(), systemRandom) };
}

async function begin() {
  const draft = newAddress();
  await store.begin(draft, {});
  return draft;
}

async function put(draft: ReturnType<typeof newAddress>, path: string, content: string | Uint8Array) {
  const { facts, data } = await packFile(path, Buffer.from(content));
  await store.put(draft, facts, data);
  return { facts, data };
}

describe('a stored draft', () => {
  it('holds what was put last and what was deleted, with all that packing found out', async () => {
    const draft = await begin();
    await put(draft, 'ä/ö ü?#%.txt', 'old');
    const { facts, data } = await put(draft, 'ä/ö ü?#%.txt', 'new '.repeat(1000));
    const empty = await put(draft, 'empty', '');
    // Packing noise would take its time.
    const large = { facts: { ...facts, path: 'large', packedSize: 9 * MIB }, data: randomBytes(9 * MIB) };
    await store.put(draft, large.facts, large.data);
    await put(draft, 'gone', 'x');
    await store.delete(draft, 'gone');

    const content = await store.content(draft);
    expect(content?.files.map((input) => input.facts)).toEqual(
      expect.arrayContaining([facts, empty.facts, large.facts]),
    );
    expect(content).toMatchObject({ head: {}, deleted: ['gone'] });
    expect(content).not.toHaveProperty('archive');
    for (const input of content?.files ?? []) {
      const expected = { [facts.path]: data, large: large.data }[input.facts.path] ?? new Uint8Array();
      expect(Buffer.compare(await collect(await input.read()), expected)).toBe(0);
    }
    expect(await Promise.all(['empty', 'gone', 'never'].map((path) => store.state(draft, path)))).toEqual([
      'put',
      'deleted',
      undefined,
    ]);
  });

  it('refuses to read a file that is another by now, or gone', async () => {
    const draft = await begin();
    await put(draft, 'a', 'one');
    await put(draft, 'b', 'one');
    const content = await store.content(draft);
    await put(draft, 'a', 'two');
    await store.remove(draft);
    for (const input of content?.files ?? []) {
      await expect(input.read()).rejects.toMatchObject({
        kind: 'conflict',
        message: expect.stringContaining('was changed while it was committed'),
      });
    }
    expect(content?.files).toHaveLength(2);
  });

  it('is not there without its head, and leaves nothing when it is removed', async () => {
    const draft = newAddress();
    await put(draft, 'a', 'x');
    expect(await store.content(draft)).toBeUndefined();
    await store.begin(draft, { from: 3 });
    expect(await store.content(draft)).toMatchObject({ head: { from: 3 } });
    expect(await store.remove(draft)).toBe(true);
    expect(await store.remove(draft)).toBe(false);
    expect(await blobNames(draft)).toEqual([]);
  });

  it('keeps what it was found equal to, and nothing else; not once it is gone', async () => {
    const draft = await begin();
    await put(draft, 'a', 'x');
    await store.settle(draft, 7);
    expect(await store.head(draft)).toEqual({ unchanged: 7 });
    expect(await blobNames(draft)).toEqual(['draft.json']);
    await store.remove(draft);
    await store.settle(draft, 7);
    expect(await store.head(draft)).toBeUndefined();
  });
});

describe('the URL of a draft', () => {
  const BLOCK_BLOB = { 'x-ms-blob-type': 'BlockBlob' };
  const inOneHour = () => Date.now() + 3_600_000;

  it('takes an archive whole', async () => {
    const draft = await begin();
    const url = await store.uploadUrl(draft, inOneHour());
    expect(await send('PUT', url, { headers: BLOCK_BLOB, body: 'whole' })).toBe(201);
    const archive = (await store.content(draft))?.archive;
    expect(archive?.size).toBe(5);
    expect(Buffer.from((await archive?.read(1, 4)) ?? [])).toEqual(Buffer.from('hol'));
  });

  it('takes an archive by blocks, over another one; what was listed before is not read any more', async () => {
    const draft = await begin();
    const url = await store.uploadUrl(draft, inOneHour());
    await send('PUT', url, { headers: BLOCK_BLOB, body: 'whole' });
    const before = (await store.content(draft))?.archive;
    const ids = ['b1', 'b2'].map((id) => Buffer.from(id).toString('base64'));
    for (const id of ids) {
      expect(await send('PUT', `${url}&comp=block&blockid=${encodeURIComponent(id)}`, { body: id })).toBe(
        201,
      );
    }
    const list = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
    expect(await send('PUT', `${url}&comp=blocklist`, { body: list })).toBe(201);
    expect((await store.archive(draft))?.size).toBe(8);
    await expect(before?.read(0, 5)).rejects.toMatchObject({ kind: 'conflict' });
  });

  it('grants nothing else: no reading, listing or deleting, no other blob, and nothing when its time is over', async () => {
    const draft = await begin();
    const url = await store.uploadUrl(draft, inOneHour());
    await send('PUT', url, { headers: BLOCK_BLOB, body: 'whole' });
    expect(await send('GET', url)).toBe(403);
    expect(await send('HEAD', url)).toBe(403);
    expect(await send('DELETE', url)).toBe(403);
    expect(await send('GET', `${url}&comp=blocklist`)).toBe(403);
    const container = url.replace(/\/drafts\/[^?]+/, '/drafts');
    expect(await send('GET', `${container}&restype=container&comp=list`)).toBe(403);
    for (const other of ['draft.json', 'files/x', 'archive.zip2']) {
      const elsewhere = url.replace('/archive.zip?', `/${other}?`);
      expect(elsewhere).not.toBe(url);
      expect(await send('PUT', elsewhere, { headers: BLOCK_BLOB, body: 'x' })).toBe(403);
    }
    const anotherDraft = url.replace(draft.ulid, newAddress().ulid);
    expect(await send('PUT', anotherDraft, { headers: BLOCK_BLOB, body: 'x' })).toBe(403);
    const late = await store.uploadUrl(draft, Date.now() - 60_000);
    expect(await send('PUT', late, { headers: BLOCK_BLOB, body: 'x' })).toBe(403);
    expect(new URL(url).searchParams.get('sp')).toBe('cw');
    expect(new URL(url).searchParams.get('sr')).toBe('b');
  });

  it('does not let anybody keep a draft from being removed, by a lease or a snapshot', async () => {
    const draft = await begin();
    const url = await store.uploadUrl(draft, inOneHour());
    await send('PUT', url, { headers: BLOCK_BLOB, body: 'whole' });
    const archive = blob.service
      .getContainerClient('drafts')
      .getBlobClient(`${draft.ns}/${draft.name}/${draft.ulid}/archive.zip`);
    await archive.createSnapshot();
    await archive.getBlobLeaseClient().acquireLease(-1);
    await store.remove(draft);
    expect(await blobNames(draft)).toEqual([]);
  });
});

async function blobNames({ ns, name, ulid }: ReturnType<typeof newAddress>): Promise<string[]> {
  const prefix = `${ns}/${name}/${ulid}/`;
  const names: string[] = [];
  for await (const item of blob.service
    .getContainerClient('drafts')
    .listBlobsFlat({ prefix, includeSnapshots: true })) {
    names.push(item.name.slice(prefix.length));
  }
  return names;
}

async function send(method: string, url: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(url, { ...init, method });
  await response.arrayBuffer();
  return response.status;
}
