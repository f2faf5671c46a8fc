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

/** Numbers in [0, 1), by Mulberry32. */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
