/** How many samples a property test runs: `npm test` takes a seeded sample, `npm run test:long` the full count. */
export function runs(sample: number, full: number): number {
  return process.env.SKERRY_TEST_LONG === undefined ? sample : full;
}

/** The seed of this run, printed so that a failure can be repeated with `SKERRY_TEST_SEED`. */
export function printedSeed(test: string): number {
  const seed = Number(process.env.SKERRY_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`${test}: SKERRY_TEST_SEED=${seed}`);
  return seed;
}
