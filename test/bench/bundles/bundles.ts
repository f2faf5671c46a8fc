import { Agent } from 'undici';
import { startSkerry } from '../../e2e/skerry.ts';
import { printTable, rounded } from '../statistics.ts';
import { benchFirstUse } from './bench-first-use.ts';
import { benchPush } from './bench-push.ts';
import { benchReads } from './bench-reads.ts';
import { benchTransfers } from './bench-transfers.ts';
import { measureStorageCosts } from './storage-costs.ts';

/** What bundles cost beside the blobs that they are made of. */
export async function benchBundles(quick: boolean): Promise<void> {
  const costs = await measureStorageCosts();
  printTable(
    'What each operation asks of storage, in a warm process (Strong reads are billed double in Azure)',
    ['', 'blob', 'Cosmos DB', 'RU'],
    [...costs].map(([name, { blobRequests, cosmosRequests, requestUnits }]) => [
      name,
      String(blobRequests),
      String(cosmosRequests),
      rounded(requestUnits),
    ]),
  );
  const agent = new Agent();
  const skerry = await startSkerry({ traps: 'none' });
  await benchFirstUse(skerry, agent);
  await benchTransfers(skerry, { quick, agent, costs });
  await benchReads(skerry, { quick, agent, costs });
  await skerry.stop();
  await benchPush({ quick, agent });
  await agent.close();
}
