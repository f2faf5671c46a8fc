import { createRequire } from 'node:module';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { effectivePartitionKey } from '../../../infra/local/cosmos/effective-partition-key.ts';
import { isWithin, partitionRanges, rangeOf } from '../../../infra/local/cosmos/partition-ranges.ts';

const require = createRequire(import.meta.url);
/** What the SDK sends bulk operations by; it is not exported. */
const sdk: { hashV2PartitionKey(values: unknown[]): string } = require(
  path.resolve(require.resolve('@azure/cosmos'), '../utils/hashing/v2.js'),
);

describe('the hash of a partition key', () => {
  /** From PartitionKeyHashingTests of the Java SDK (effectivePartitionKeyHashV2). */
  it.each([
    ['', '32E9366E637A71B4E710384B2F4970A0'],
    ['partitionKey', '013AEFCF77FA271571CF665A58C933F1'],
    ['a'.repeat(1024), '332BDF5512AE49615F32C7D98C2DB86C'],
    [null, '378867E4430E67857ACE5C908374FE16'],
    [{}, '11622DAA78F835834610ABE56EFF5CB5'],
    [true, '0E711127C5B5A8E4726AC6DD306A3E59'],
    [false, '2FE1BE91E90A3439635E0E9E37361EF2'],
    [-128, '01DAEDABF913540367FE219B2AD06148'],
    [127, '0C507ACAC853ECA7977BF4CEFB562A25'],
    [-(2 ** 31), '0B1660D5233C3171725B30D4A5F4CC1F'],
    [2 ** 31 - 1, '2D9349D64712AEB5EB1406E2F0BE2725'],
    [Number.MIN_VALUE, '0E6CBA63A280927DE485DEF865800139'],
    [Number.MAX_VALUE, '31424D996457102634591FF245DBCC4D'],
  ])('%j is the published one', (value, expected) => {
    expect(effectivePartitionKey(value)).toBe(expected);
  });

  it("is the SDK's for any value", () => {
    const value = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.constantFrom(null, true, false),
    );
    fc.assert(
      fc.property(value, (key) => {
        expect(effectivePartitionKey(key)).toBe(sdk.hashV2PartitionKey([key]));
      }),
    );
  });
});

describe('physical partitions', () => {
  it('cover the space of keys without gap or overlap, in much the same sizes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.string(), (count, value) => {
        const ranges = partitionRanges(count);
        expect(ranges.map(({ id }) => id)).toEqual(ranges.map((_, number) => String(number)));
        expect([ranges[0]?.minInclusive, ranges.at(-1)?.maxExclusive]).toEqual(['', 'FF']);
        for (const [number, range] of ranges.slice(1).entries()) {
          expect(range.minInclusive).toBe(ranges[number]?.maxExclusive);
        }
        const key = effectivePartitionKey(value);
        expect(ranges.filter((range) => isWithin(range, key))).toEqual([rangeOf(ranges, key)]);
      }),
    );
    const counts = new Map<string, number>();
    for (let number = 0; number < 4000; number++) {
      const { id } = rangeOf(partitionRanges(4), effectivePartitionKey(`scope-${number}`));
      counts.set(id, (counts.get(id) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});
