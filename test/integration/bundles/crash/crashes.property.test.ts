import { afterAll, beforeAll, expect, test } from 'vitest';
import { printedSeed, runs } from '../../seeded-runs.ts';
import { DAY } from '../bundle-world.ts';
import { type BundlesFixture, startBundles } from '../bundles-fixture.ts';
import type { CrashServers } from './crash-world.ts';
import { liveThrough } from './live-through.ts';

let fixture: BundlesFixture;
let servers: CrashServers;

beforeAll(async () => {
  fixture = await startBundles();
  const policy = { isRetained: true };
  const blobConnection = await fixture.blob.writeOnce({
    retentionMilliseconds: DAY,
    now: () => Date.now() + (policy.isRetained ? 0 : 2 * DAY),
  });
  servers = { fixture, blobConnection, policy };
});

afterAll(async () => {
  await fixture?.stop();
});

test(
  'whoever dies at whichever step, every version is whole, no acknowledged one is lost, and nobody reads a mixture',
  async () => {
    const seed = printedSeed('bundle crashes.property');
    const totals = new Map<string, number>();
    const reads = () => (totals.get('singleReads') ?? 0) + (totals.get('archiveReads') ?? 0);
    for (let world = 0; world === 0 || reads() < runs(1, 1_000_000); world++) {
      const times = { writes: runs(6, 12), reads: runs(5, 30), wide: runs(0, 0.15) };
      const life = { seed: seed + world, name: `crash${world}`, ...times };
      const { faults, counts } = await liveThrough(servers, life);
      expect(faults, `world ${world}, of seed ${life.seed}`).toEqual([]);
      for (const [what, count] of Object.entries({ worlds: 1, ...counts })) {
        totals.set(what, (totals.get(what) ?? 0) + count);
      }
      if (world % 10 === 0)
        console.log('bundle crashes.property:', JSON.stringify(Object.fromEntries(totals)));
    }
    console.log('bundle crashes.property:', JSON.stringify(Object.fromEntries(totals)));
  },
  runs(120_000, 4 * 3_600_000),
);
