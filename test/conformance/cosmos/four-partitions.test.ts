import { describe } from 'vitest';
import { isEmulator } from './account.ts';

/**
 * The suites once more over containers of four physical partitions. Not among them is what does not look at items, and
 * `indexed-queries`: it sorts across partitions by values of several types, which the SDK does not merge.
 */
const SUITES = [
  'items',
  'batches',
  'queries',
  'change-feed',
  'expiry',
  'stale-reads',
  'sessions-and-charges',
];

describe.runIf(isEmulator)('with four physical partitions', async () => {
  process.env.COSMOS_TEST_PARTITIONS = '4';
  for (const name of SUITES) {
    describe(name, async () => {
      await import(`./${name}.test.ts`);
    });
  }
});
