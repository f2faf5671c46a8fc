import type { Agent } from 'undici';
import type { Skerry } from '../../e2e/skerry.ts';
import { findChild } from '../product/processes.ts';
import { BundleApi } from './bundle-api.ts';
import { CONTENT_BYTES, pathOf, randomFiles, zipOf } from './bundle-content.ts';
import type { StorageUsage } from './counted-services.ts';
import { type Task, timeInTurn } from './in-turn.ts';
import { printRatios } from './print-ratios.ts';
import { RawBlob } from './raw-blob.ts';

const FILES = 1000;
const FILE_BYTES = CONTENT_BYTES / FILES;

/** Single files of a bundle of 1,000, beside ranges of as many bytes of a blob as large. */
export async function benchReads(
  { url, pid, connections }: Skerry,
  { quick, agent, costs }: { quick: boolean; agent: Agent; costs: ReadonlyMap<string, StorageUsage> },
): Promise<void> {
  const rounds = quick ? 50 : 400;
  const api = new BundleApi(url, 'reads', agent);
  await api.publish(await zipOf(randomFiles(FILES)));
  await channel(api, { version: 1 });
  await api.publish(await zipOf(randomFiles(FILES)));
  await channel(api, { version: 2, strategy: { steps: [{ percent: 50, bake: 86_400 }] } });
  const raw = await RawBlob.open(connections.blob, agent);
  const blob = await raw.blob('ranges');
  await blob.uploadBySdk(Buffer.concat(randomFiles(1).map(({ bytes }) => bytes)));

  const offset = (round: number) => ((round * 37) % FILES) * FILE_BYTES;
  const path = (round: number) => pathOf((round * 37) % FILES);
  const tasks: Task[] = [
    { name: 'raw range, SDK', begin: async (round) => () => blob.downloadBySdk(offset(round), FILE_BYTES) },
    { name: 'raw range, HTTP', begin: async (round) => () => blob.downloadByHttp(offset(round), FILE_BYTES) },
    { name: 'file, by number', begin: async (round) => () => api.file(2, path(round)) },
    { name: 'file, by "latest"', begin: async (round) => () => api.file('latest', path(round)) },
    {
      name: 'file, by a channel with a rollout',
      begin: async (round) => () =>
        api.ask('GET', `versions/stable/files/${path(round)}?consumer=host${round}`),
    },
    {
      name: 'the functions alone: HEAD by number',
      begin: async (round) => () => api.ask('HEAD', `versions/2/files/${path(round)}`),
    },
  ];
  const worker = findChild(findChild(pid, 'host/main.ts'), 'host/worker.ts');
  const times = await timeInTurn(tasks, { rounds, pid: worker });
  printRatios(
    `A file of 1 KB in a bundle of 1,000, one after another; ${rounds} rounds of all in turn`,
    times,
    costs,
    ['raw range, SDK', 'raw range, HTTP'],
  );
}

async function channel(api: BundleApi, body: object): Promise<void> {
  await api.ask('PUT', 'channels/stable', JSON.stringify(body));
}
