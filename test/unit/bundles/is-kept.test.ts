import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isKept, type VersionFacts } from '../../../shared/bundles/retention/is-kept.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const DAY = 24 * 3_600_000;
const NOBODY: ReadonlySet<number> = new Set();

test('a version goes only when it is neither among the newest, nor young, nor used', () => {
  const rule = { versions: 3, days: 2 };
  const old: VersionFacts = { version: 7, newer: 3, age: 2 * DAY };
  expect(isKept(old, rule, NOBODY)).toBe(false);
  expect(isKept({ ...old, newer: 2 }, rule, NOBODY), 'among the newest').toBe(true);
  expect(isKept({ ...old, age: 2 * DAY - 1 }, rule, NOBODY), 'young').toBe(true);
  expect(isKept(old, rule, new Set([6, 7])), 'used').toBe(true);
});

test('of any bundle stay at least so many versions, all that are so young, all that are used, and the newest', () => {
  const seed = printedSeed('is-kept');
  const bundle = fc.record({
    ages: fc.array(fc.nat(400 * DAY), { minLength: 1, maxLength: 120 }),
    rule: fc.record({ versions: fc.nat(130), days: fc.nat(400) }),
    used: fc.array(fc.nat(130), { maxLength: 10 }),
  });
  fc.assert(
    fc.property(bundle, ({ ages, rule, used }) => {
      const pinned = new Set(used);
      const versions = ages
        .toSorted((one, other) => other - one)
        .map((age, index) => ({ version: index + 1, age, newer: ages.length - 1 - index }));
      const stay = versions.filter((version) => isKept(version, rule, pinned));
      const left = new Set(stay.map(({ version }) => version));
      expect(stay.length).toBeGreaterThanOrEqual(Math.min(versions.length, rule.versions));
      expect(left).toContain(versions.length);
      for (const { version, age, newer } of versions) {
        const hasReason = age < rule.days * DAY || pinned.has(version) || newer < Math.max(1, rule.versions);
        expect(left.has(version), `version ${version}`).toBe(hasReason);
      }
    }),
    { seed, numRuns: runs(100, 5_000) },
  );
});
