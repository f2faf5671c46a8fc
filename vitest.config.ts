import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/e2e/kill-leftovers.ts'],
    environment: 'node',
    pool: 'forks',
    // No test file leaves anything behind in its process, and to load the SDKs for each anew takes a minute of computing.
    isolate: false,
    // More than the cores: most files wait for processes, leases and retries rather than compute.
    maxWorkers: 4,
    // The full counts of `npm run test:long` take minutes a test.
    testTimeout: process.env.SKERRY_TEST_LONG === undefined ? 60_000 : 1_800_000,
    hookTimeout: 90_000,
  },
});
