import type { Agent } from 'undici';
import type { Skerry } from '../../e2e/skerry.ts';
import { findChild } from '../product/processes.ts';
import { BundleApi } from './bundle-api.ts';
import { CONTENT_BYTES, type FileContent, pathOf, randomFiles, textFiles, zipOf } from './bundle-content.ts';
import type { StorageUsage } from './counted-services.ts';
import { type Task, timeInTurn } from './in-turn.ts';
import { printRatios } from './print-ratios.ts';
import { RawBlob } from './raw-blob.ts';
import { filesText } from './storage-costs.ts';

const COUNTS = [1, 100, 1000] as const;

/** Publishing and fetching 1 MB, beside the same bytes as one blob of the same Azurite. */
export async function benchTransfers(
  { url, pid, connections }: Skerry,
  { quick, agent, costs }: { quick: boolean; agent: Agent; costs: ReadonlyMap<string, StorageUsage> },
): Promise<void> {
  const often = { rounds: quick ? 8 : 24, pid: findChild(findChild(pid, 'host/main.ts'), 'host/worker.ts') };
  const rareness = 4;
  const raw = await RawBlob.open(connections.blob, agent);
  const uploads = await timeInTurn(
    [
      ...rawUploads(raw),
      ...COUNTS.map((count) => publication(new BundleApi(url, `files${count}`, agent), count)),
      publication(new BundleApi(url, 'text', agent), 100, textFiles, ' of text'),
      { ...draftOf100(new BundleApi(url, 'drafts', agent)), every: rareness },
      { ...rawUploadsOf100(raw), every: rareness },
    ],
    often,
  );
  const heading = (what: string) =>
    `${what}, one after another; ${often.rounds} rounds of all in turn, fewer of what takes seconds`;
  printRatios(heading('1 MB there'), uploads, costs, ['raw blob, SDK', 'raw blob, HTTP']);

  const downloads = await timeInTurn(await fetches(raw, url, agent, rareness), often);
  printRatios(heading('1 MB back'), downloads, costs, ['raw blob, SDK', 'raw blob, HTTP']);
}

function rawUploads(raw: RawBlob): Task[] {
  const content = async (round: number) => ({
    blob: await raw.blob(`upload${round}-${Math.random()}`),
    bytes: Buffer.from(randomFiles(1)[0]?.bytes ?? []),
  });
  return [
    {
      name: 'raw blob, SDK',
      async begin(round) {
        const { blob, bytes } = await content(round);
        return () => blob.uploadBySdk(bytes);
      },
    },
    {
      name: 'raw blob, HTTP',
      async begin(round) {
        const { blob, bytes } = await content(round);
        return () => blob.uploadByHttp(bytes);
      },
    },
  ];
}

function publication(api: BundleApi, count: number, make = randomFiles, kind = ''): Task {
  return {
    name: `publish, ${filesText(count)}${kind}`,
    async begin() {
      const zip = await zipOf(make(count));
      return () => api.publish(zip);
    },
  };
}

function draftOf100(api: BundleApi): Task {
  return {
    name: 'draft, 100 files',
    async begin() {
      const files = randomFiles(100);
      return async () => {
        const draft = await api.beginDraft();
        for (const { path, bytes } of files) await api.ask('PUT', `drafts/${draft}/files/${path}`, bytes);
        await api.commit(draft);
      };
    },
  };
}

function rawUploadsOf100(raw: RawBlob): Task {
  return {
    name: 'raw, 100 blobs one by one, HTTP',
    async begin(round) {
      const blobs = await Promise.all(
        randomFiles(100).map(async ({ path, bytes }) => ({
          bytes,
          blob: await raw.blob(`${round}/${path}`),
        })),
      );
      return async () => {
        for (const { blob, bytes } of blobs) await blob.uploadByHttp(bytes);
      };
    },
  };
}

async function fetches(raw: RawBlob, url: string, agent: Agent, rareness: number): Promise<Task[]> {
  const blob = await raw.blob('download');
  await blob.uploadBySdk(Buffer.concat(randomFiles(1).map(({ bytes }) => bytes)));
  const tasks: Task[] = [
    { name: 'raw blob, SDK', begin: async () => () => ofContent(blob.downloadBySdk(0, CONTENT_BYTES)) },
    { name: 'raw blob, HTTP', begin: async () => () => ofContent(blob.downloadByHttp()) },
    {
      name: 'raw, 100 ranges one by one, HTTP',
      begin: async () => async () => {
        const bytes = CONTENT_BYTES / 100;
        for (let index = 0; index < 100; index += 1) await blob.downloadByHttp(index * bytes, bytes);
      },
    },
  ];
  for (const count of COUNTS) {
    const api = new BundleApi(url, `files${count}`, agent);
    const version = await api.publish(await zipOf(randomFiles(count)));
    tasks.push(
      { name: `archive, ${filesText(count)}`, begin: async () => () => api.archive(version) },
      {
        name: `one by one, ${filesText(count)}`,
        every: count === 1000 ? 2 * rareness : 1,
        begin: async () => async () => {
          for (let index = 0; index < count; index += 1) await api.file(version, pathOf(index));
        },
      },
    );
  }
  const api = new BundleApi(url, 'diff', agent);
  const files: FileContent[] = [...textFiles(100)];
  await api.publish(await zipOf(files));
  await api.publish(await zipOf([...files.slice(1), { path: pathOf(0), bytes: Buffer.from('a: b') }]));
  tasks.push({ name: 'diff, one of 100 files', begin: async () => () => api.ask('GET', 'diff?from=1&to=2') });
  return tasks;
}

async function ofContent(download: Promise<Buffer>): Promise<void> {
  const { byteLength } = await download;
  if (byteLength !== CONTENT_BYTES) throw new Error(`A blob had ${byteLength} bytes.`);
}
