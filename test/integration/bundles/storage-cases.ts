import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BundleProcess, type BundlesFixture, filesOf } from './bundles-fixture.ts';
import { type LossyProxy, startLossyProxy } from './lossy-proxy.ts';

const NS = 'storage';

/** How archives are kept, over a way to Azurite that loses what it is told to. */
export function storageCases(fixtureOf: () => BundlesFixture): void {
  let fixture: BundlesFixture;
  let here: BundleProcess;
  let proxy: LossyProxy;
  let lossy: BundleProcess;
  let names = 0;

  const newName = () => `bundle${++names}`;
  const publish = (by: BundleProcess, name: string, files: Parameters<typeof filesOf>[0]) =>
    by.versions.publish(NS, name, filesOf(files), { author: { actor: 'test' } });
  const textOf = async (by: BundleProcess, name: string, reference: string, path: string) => {
    const version = await by.versions.find(NS, name, reference);
    return Buffer.from((await by.versions.readFile(NS, name, version, path)).bytes).toString();
  };

  beforeAll(async () => {
    fixture = fixtureOf();
    here = fixture.open();
    proxy = await startLossyProxy(fixture.blob.connectionString);
    lossy = fixture.open({ blobConnection: proxy.connectionString });
  });

  afterAll(() => proxy.stop());

  describe('storage', () => {
    it('takes large archives in blocks, and gives them in parts, though the answer to the list of blocks gets lost', async () => {
      const name = newName();
      const large = randomBytes(9 * 1024 * 1024);
      proxy.lose('answer', /PUT .*\.zip.*comp=blocklist/);
      const { version } = await publish(lossy, name, { large, small: 'x', tail: 'y' });
      const { bytes } = await here.versions.readFile(NS, name, version, 'large');
      expect(Buffer.compare(bytes, large)).toBe(0);
      expect(await textOf(here, name, '1', 'tail')).toBe('y');
      const archive = await here.versions.archive(NS, name, version);
      const pieces: Uint8Array[] = [];
      for await (const piece of archive.stream(0, archive.size)) pieces.push(piece);
      const whole = Buffer.concat(pieces);
      expect(whole.length).toBe(version.archiveSize);
      expect(whole.subarray(-22, -18).toString('latin1')).toBe('PK\x05\x06');
      expect(Buffer.compare(await archive.read(100, 5_000), whole.subarray(100, 5_000))).toBe(0);
    });

    it('finds its own write where the answer got lost', async () => {
      const name = newName();
      proxy.lose('answer', /PUT .*\.zip/);
      proxy.lose('answer', /PUT .*\.json/);
      await publish(lossy, name, { a: '1' });
      expect(await textOf(here, name, '1', 'a')).toBe('1');
    });

    it('reads on where a connection breaks off', async () => {
      const name = newName();
      const text = 'text '.repeat(5_000);
      await publish(here, name, { a: text });
      proxy.lose('body', /GET .*\.json/);
      proxy.lose('body', /GET .*\.zip/);
      expect(await textOf(lossy, name, '1', 'a')).toBe(text);
    });

    it('reads a file by one request of its range, and a manifest once for all who want it', async () => {
      const name = newName();
      await publish(here, name, { a: '1', b: '2', c: '3' });
      proxy.requests.length = 0;
      await Promise.all(['a', 'b', 'c'].map((path) => textOf(lossy, name, '1', path)));
      expect(proxy.requests.filter((line) => line.includes('.json'))).toHaveLength(1);
      expect(proxy.requests.filter((line) => line.includes('.zip'))).toHaveLength(3);
    });

    it('is unavailable where it does not answer, and nothing is published then', async () => {
      const name = newName();
      proxy.lose('request', /PUT .*\.json/, 3);
      await expect(publish(lossy, name, { a: '1' })).rejects.toMatchObject({ kind: 'unavailable' });
      await expect(here.versions.find(NS, name, 'latest')).rejects.toMatchObject({ kind: 'not-found' });
      expect(await publish(lossy, name, { a: '1' })).toMatchObject({ version: { version: 1 } });
    });

    it('says of an archive that is gone that it is, and of one that is damaged nothing', async () => {
      const name = newName();
      const { version } = await publish(here, name, { a: 'text '.repeat(1_000) });
      const blobs = fixture.blob.service.getContainerClient('bundles');
      await here.versions.manifest(NS, name, version);
      await blobs
        .getBlockBlobClient(`${NS}/${name}/${version.blob}.zip`)
        .upload(Buffer.alloc(version.archiveSize), version.archiveSize);
      await expect(textOf(here, name, '1', 'a')).rejects.toThrow(/not that of its SHA-256/);
      await blobs.deleteBlob(`${NS}/${name}/${version.blob}.zip`);
      await expect(textOf(here, name, '1', 'a')).rejects.toMatchObject({ kind: 'not-found' });
      await blobs.deleteBlob(`${NS}/${name}/${version.blob}.json`);
      await expect(textOf(fixture.open(), name, '1', 'a')).rejects.toMatchObject({ kind: 'not-found' });
    });

    it('lets go of what it need not keep, even where a policy keeps it', async () => {
      const name = newName();
      const blobConnection = await fixture.blob.writeOnce({ retentionMilliseconds: 3_600_000 });
      const kept = fixture.open({ blobConnection });
      const published = await Promise.all(
        Array.from({ length: 3 }, () => publish(kept, name, { a: 'same' })),
      );
      expect(published.map(({ version }) => version.version)).toEqual([1, 1, 1]);
      expect(await textOf(kept, name, '1', 'a')).toBe('same');
    });

    it('gives links to archives that need no key', async () => {
      const name = newName();
      const { version } = await publish(here, name, { a: '1' });
      const url = await here.versions.archiveUrl(NS, name, version);
      const response = await fetch(url);
      expect(response.headers.get('content-disposition')).toBe(`attachment; filename="${name}-1.zip"`);
      expect((await response.arrayBuffer()).byteLength).toBe(version.archiveSize);
      const put = await fetch(url, { method: 'PUT', body: 'x', headers: { 'x-ms-blob-type': 'BlockBlob' } });
      expect(put.status).toBe(403);
    });
  });
}
