/**
 * `npm run bench [-- access|product|cloud|kv|watch|webhooks|bundles|search|operations] [--quick]`: what Skerry and its embedded cloud cost, as tables of figures taken side by
 * side in one run. Compare ratios; absolute figures belong to the machine and the moment.
 */
import os from 'node:os';
import { parseArgs } from 'node:util';
import { benchAccess } from './access/access.ts';
import { benchBundles } from './bundles/bundles.ts';
import { benchCloud } from './cloud/cloud.ts';
import { benchKv } from './kv/kv.ts';
import { benchOperations } from './operations/operations.ts';
import { benchProduct } from './product/product.ts';
import { benchSearch } from './search/search.ts';
import { benchWatch } from './watch/watch.ts';
import { benchWebhooks } from './webhooks/webhooks.ts';

const BENCHES: Readonly<Record<string, (quick: boolean) => Promise<void>>> = {
  access: benchAccess,
  product: benchProduct,
  cloud: benchCloud,
  kv: benchKv,
  watch: benchWatch,
  webhooks: benchWebhooks,
  bundles: benchBundles,
  search: benchSearch,
  operations: benchOperations,
};

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const names = positionals.length === 0 ? Object.keys(BENCHES) : positionals;
const benches = names.map((name) => {
  const bench = BENCHES[name];
  if (bench === undefined) {
    throw new Error(`There is no bench "${name}": choose of ${Object.keys(BENCHES).join(' and ')}.`);
  }
  return bench;
});

console.log(`Node ${process.version}, ${os.cpus().length} × ${os.cpus()[0]?.model}, Linux ${os.release()}`);
for (const bench of benches) {
  await bench(values.quick);
}
