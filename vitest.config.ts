import { configDefaults, defineConfig } from 'vitest/config';
import { LongWaitsFirst } from './test/long-waits-first.ts';

/** They run files of tests once more, with another setting, and so need them loaded anew. */
const ALONE = ['test/conformance/cosmos/four-partitions.test.ts'];

export default defineConfig({
  test: {
    setupFiles: ['test/e2e/kill-leftovers.ts'],
    environment: 'node',
    pool: 'forks',
    // More than the cores: most files wait for processes, leases and retries rather than compute.
    maxWorkers: 5,
    sequence: { sequencer: LongWaitsFirst },
    // Long enough for a machine that is busy with other things as well; what has to be soon has a deadline of its own.
    // The full counts of `npm run test:long` take minutes a test.
    testTimeout: process.env.SKERRY_TEST_LONG === undefined ? 120_000 : 1_800_000,
    // A start may take a minute, and what is started over it another one.
    hookTimeout: 180_000,
    // It ends as soon as what is awaited holds; the second that is usual passes by itself where others compute.
    expect: { poll: { timeout: 45_000 } },
    // The Skerries that files share may drain for ten seconds, and each has 45 to end.
    teardownTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'shared',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...ALONE],
          globalSetup: ['test/integration/shared-azurite.ts', 'test/e2e/shared-skerries.ts'],
          // They leave nothing behind in their process, and to load the SDKs anew for each would be a fifth of all computing.
          isolate: false,
        },
      },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
  },
});
