import { defineConfig } from 'vitest/config';
import { LongWaitsFirst } from './test/long-waits-first.ts';

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
    hookTimeout: 90_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'in process',
          include: ['test/{unit,integration}/**/*.test.ts'],
          globalSetup: ['test/integration/shared-azurite.ts'],
          // These leave nothing behind in their process, and loading the SDKs anew for each takes half a minute of computing.
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'over processes', include: ['test/{conformance,e2e}/**/*.test.ts'] },
      },
    ],
  },
});
