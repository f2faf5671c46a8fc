import {
  BlobSASPermissions,
  BlobServiceClient,
  type BlockBlobClient,
  type ContainerClient,
  RestError,
} from '@azure/storage-blob';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BlobFixture } from '../blob-fixture.ts';
import { shareBlob } from '../shared-blob.ts';

const DAY = 24 * 3_600_000;
const IMMUTABLE = '409 BlobImmutableDueToPolicy';

let blob: BlobFixture;
let service: BlobServiceClient;
let bundles: ContainerClient;
/** How far the policy's clock is ahead, in milliseconds. */
let ahead = 0;

beforeAll(async () => {
  blob = await shareBlob();
  service = BlobServiceClient.fromConnectionString(
    await blob.writeOnce({ retentionMilliseconds: DAY, now: () => Date.now() + ahead }),
  );
  bundles = service.getContainerClient('bundles');
});

afterAll(() => blob.stop());

/** How a call ended: its status, and the service's code where it was refused. */
async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'done';
  } catch (error) {
    if (!(error instanceof RestError)) throw error;
    return `${error.statusCode} ${error.code}`;
  }
}

async function kept(name: string, text = 'kept'): Promise<BlockBlobClient> {
  const client = bundles.getBlockBlobClient(name);
  await client.upload(text, text.length);
  return client;
}

const blockId = (number: number) => Buffer.from(`block-${number}`).toString('base64');

describe('the write-once proxy', () => {
  test('lets blobs come to be whole or by blocks, be read, listed and signed for', async () => {
    await kept('ns/a name/one.zip', 'whole');
    const blocks = bundles.getBlockBlobClient('ns/a name/två.zip');
    await Promise.all([1, 2].map((number) => blocks.stageBlock(blockId(number), `${number}`, 1)));
    await blocks.commitBlockList([1, 2].map(blockId), { conditions: { ifNoneMatch: '*' } });
    const names: string[] = [];
    for await (const { name } of bundles.listBlobsFlat({ prefix: 'ns/a name/' })) names.push(name);
    expect(names).toEqual(['ns/a name/one.zip', 'ns/a name/två.zip']);
    const url = await blocks.generateSasUrl({
      permissions: BlobSASPermissions.parse('r'),
      expiresOn: new Date(Date.now() + 60_000),
    });
    const ranged = await fetch(url, { headers: { range: 'bytes=1-1' } });
    expect([ranged.status, await ranged.text()]).toEqual([206, '2']);
  });

  test('streams large blobs both ways', async () => {
    const bytes = Buffer.alloc(6 * 1024 * 1024, 'skerry');
    const client = bundles.getBlockBlobClient('ns/large.zip');
    await client.upload(bytes, bytes.length);
    expect((await client.downloadToBuffer()).equals(bytes)).toBe(true);
  });

  test('refuses whatever would change or delete a blob', async () => {
    const client = await kept('ns/kept.zip');
    const refused = {
      'put over it': () => client.upload('new', 3),
      'put if there is none': () => client.upload('new', 3, { conditions: { ifNoneMatch: '*' } }),
      'stage a block': () => client.stageBlock(blockId(1), 'x', 1),
      'put its block list': () => client.commitBlockList([]),
      'copy over it': () => client.beginCopyFromURL(client.url),
      'set its metadata': () => client.setMetadata({ by: 'hand' }),
      'set its properties': () => client.setHTTPHeaders({ blobContentType: 'text/html' }),
      snapshot: () => client.createSnapshot(),
      delete: () => client.delete(),
      'delete its container': () => bundles.delete(),
    };
    const outcomes = await Promise.all(Object.values(refused).map((call) => outcome(call())));
    expect(Object.fromEntries(Object.keys(refused).map((name, index) => [name, outcomes[index]]))).toEqual(
      Object.fromEntries(Object.keys(refused).map((name) => [name, IMMUTABLE])),
    );
    expect((await client.downloadToBuffer()).toString()).toBe('kept');
    expect(await outcome(client.setAccessTier('Cool'))).toBe('done');
  });

  test('lets one of several win who write the same name at a time', async () => {
    const client = bundles.getBlockBlobClient('ns/contended.zip');
    const texts = ['a', 'b', 'c', 'd'];
    const outcomes = await Promise.all(texts.map((text) => outcome(client.upload(text, 1))));
    expect(outcomes.toSorted()).toEqual([IMMUTABLE, IMMUTABLE, IMMUTABLE, 'done']);
    expect((await client.downloadToBuffer()).toString()).toBe(texts[outcomes.indexOf('done')]);
  });

  test('allows deleting, and never overwriting, once the retention has passed', async () => {
    const client = await kept('ns/old.zip');
    ahead = DAY + 1_000;
    expect(await outcome(client.upload('new', 3))).toBe(IMMUTABLE);
    expect(await outcome(client.delete())).toBe('done');
    expect(await outcome(client.delete())).toBe('404 BlobNotFound');
    expect(await outcome(client.upload('anew', 4))).toBe('done');
  });

  test('leaves other containers alone, and says what Azurite says of a wrong key', async () => {
    const draft = service.getContainerClient('drafts').getBlockBlobClient('ns/draft.json');
    await draft.upload('1', 1);
    await draft.upload('22', 2);
    expect(await outcome(draft.delete())).toBe('done');
    const stranger = new BlobServiceClient(service.url).getContainerClient('bundles');
    expect(await outcome(stranger.getProperties())).toMatch(/^40[34] /);
  });
});
