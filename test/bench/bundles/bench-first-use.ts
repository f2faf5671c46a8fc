import type { Agent } from 'undici';
import type { Skerry } from '../../e2e/skerry.ts';
import { printTable, rounded } from '../statistics.ts';
import { BundleApi } from './bundle-api.ts';
import { pathOf, randomFiles, zipOf } from './bundle-content.ts';

/** What a process that has just begun pays once, for what is loaded when it is first used. */
export async function benchFirstUse({ url }: Skerry, agent: Agent): Promise<void> {
  const api = new BundleApi(url, 'first', agent);
  const time = async (work: () => Promise<unknown>) => {
    const startedAt = performance.now();
    await work();
    return rounded(performance.now() - startedAt, 0);
  };
  const rows: string[][] = [];
  for (const name of ['in the process', 'after that', 'after that']) {
    const zip = await zipOf(randomFiles(100));
    rows.push([name, await time(() => api.publish(zip)), await time(() => api.file('latest', pathOf(0)))]);
  }
  printTable(
    'The first use after the start of the functions, ms',
    ['', 'publish 100 files', 'read one'],
    rows,
  );
}
