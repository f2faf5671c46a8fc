import type { BundleInput } from '../../../shared/bundles/content/bundle-input.ts';
import { collect } from '../../../shared/bundles/content/content-chunks.ts';
import { compareVersions, type Version } from '../../../shared/bundles/index.ts';
import { type FileContent, pathOf, randomFiles, textFiles } from './bundle-content.ts';
import { type StorageUsage, startCountedServices } from './counted-services.ts';

const NS = 'default';
const NAME = 'bench';
const AUTHOR = { actor: 'bench' };
const HALF_FOR_A_DAY = { steps: [{ percent: 50, bake: 86_400 }], maxFailures: 1 };

/**
 * What each operation asks of storage, in a process that has done the like before, by the names that it has in the tables of
 * times too. Without what the change feed's trigger does after a write: that is another process in Azure.
 */
export async function measureStorageCosts(): Promise<ReadonlyMap<string, StorageUsage>> {
  const { services, measure, stop } = await startCountedServices();
  const { versions, drafts, channels } = services;
  const costs = new Map<string, StorageUsage>();
  const count = async (operation: string, work: () => Promise<unknown>) => {
    costs.set(operation, await measure(work));
  };
  const publish = async (files: readonly FileContent[]) =>
    (await versions.publish(NS, NAME, files.map(inputOf), { author: AUTHOR })).version;
  const read = async (reference: string, index: number, consumer?: string) => {
    const version = await versions.find(NS, NAME, reference, consumer);
    await versions.readFile(NS, NAME, version, pathOf(index));
  };
  const archive = async ({ version, archiveSize }: Version) => {
    const found = await versions.find(NS, NAME, String(version));
    await collect((await versions.archive(NS, NAME, found)).stream(0, archiveSize));
  };
  const putChannel = async (version: Version, strategy?: typeof HALF_FOR_A_DAY) =>
    await channels.put(
      { ns: NS, name: NAME, channel: 'stable' },
      { version: String(version.version), strategy },
      { author: AUTHOR, ownUrl: 'https://skerry.test' },
    );

  const first = await publish(randomFiles(1000));
  const second = await publish(randomFiles(1000));
  for (const files of [1, 100, 1000]) {
    await count(`publish, ${filesText(files)}`, () => publish(randomFiles(files)));
  }
  await count('publish, 100 files of text', () => publish(textFiles(100)));
  const same = randomFiles(100);
  const third = await publish(same);
  await count('publish, content of the newest', () => publish(same));
  await read(String(first.version), 0);
  await count('archive, first of its version', () => archive(third));
  await count('archive, 100 files', () => archive(third));

  await count('file, first of its version', () => read(String(second.version), 0));
  await putChannel(first);
  await count('channel, a rollout begins', () => putChannel(second, HALF_FOR_A_DAY));
  await read('latest', 0);
  await count('file, by number', () => read(String(second.version), 500));
  await count('file, by "latest"', () => read('latest', 50));
  await count('file, by a channel with a rollout', () => read('stable', 500, 'consumer1'));
  await count('draft, 100 files', async () => {
    const { draft } = await drafts.begin(NS, NAME);
    for (const { path, bytes } of randomFiles(100)) await drafts.putFile(NS, NAME, draft, path, bytes);
    await drafts.commit(NS, NAME, draft, { author: AUTHOR });
  });
  const older = textFiles(100);
  await publish(older);
  await publish(older.map((file, index) => (index === 0 ? { ...file, bytes: Buffer.from('a: b') } : file)));
  await count('diff, one of 100 files', () => compareVersions(versions, NS, NAME, {}));
  await versions.list(NS, NAME, { limit: 100 });
  await count('publish, where a listing was asked for', () => publish(randomFiles(100)));
  await stop();
  return costs;
}

export function filesText(files: number): string {
  return files === 1 ? '1 file' : `${files} files`;
}

function inputOf({ path, bytes }: FileContent): BundleInput {
  return { kind: 'raw', path, size: bytes.byteLength, read: () => Promise.resolve(bytes) };
}
