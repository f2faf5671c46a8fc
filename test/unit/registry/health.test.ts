import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { grantLease, hasWholeTtlLeft, isAlive, type Lease } from '../../../shared/records/index.ts';
import { isMassExpiry } from '../../../shared/registry/expiry-guard.ts';
import { masterOf, servicesTag, serviceTag, viewInstance } from '../../../shared/registry/health.ts';
import type { InstanceRecord, InstanceValue } from '../../../shared/registry/instance.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');

function record(value: Partial<InstanceValue>): InstanceRecord {
  const at = new Date(NOW).toISOString();
  return {
    key: '/srv/web/host1',
    value: { endpoints: { http: 'host1:80' }, ...value },
    revision: 4,
    createdAt: at,
    updatedAt: at,
  };
}

describe('a lease', () => {
  const ttls = fc.integer({ min: 1, max: 86_400 });

  test('keeps its holder alive for exactly 1.5 ttl', () => {
    fc.assert(
      fc.property(ttls, (ttl) => {
        const lease = grantLease('/a', ttl, NOW);
        expect(isAlive(lease, NOW + 1500 * ttl - 1)).toBe(true);
        expect(isAlive(lease, NOW + 1500 * ttl)).toBe(false);
      }),
    );
  });

  test('that needs no renewal at some time keeps its holder alive for one more ttl', () => {
    fc.assert(
      fc.property(ttls, fc.nat(200_000_000), (ttl, elapsed) => {
        const lease = grantLease('/a', ttl, NOW);
        const at = NOW + elapsed;
        if (hasWholeTtlLeft(lease, at)) {
          expect(isAlive(lease, at + 1000 * ttl - 1)).toBe(true);
        } else {
          expect(elapsed).toBeGreaterThan(500 * ttl);
        }
      }),
    );
  });

  test('without a ttl never ends', () => {
    expect(isAlive(grantLease('/a', undefined, NOW), Number.MAX_SAFE_INTEGER)).toBe(true);
  });
});

describe('the health of an instance', () => {
  const lease: Lease = grantLease('/srv/web/host1', 10, NOW);

  test.each([
    { name: 'no ttl', value: {}, lease: undefined, expected: 'passing' },
    { name: 'no ttl, draining', value: { status: 'draining' }, lease: undefined, expected: 'draining' },
    { name: 'a live lease', value: { ttl: 10 }, lease, expected: 'passing' },
    { name: 'a live lease, draining', value: { ttl: 10, status: 'draining' }, lease, expected: 'draining' },
    { name: 'no lease', value: { ttl: 10 }, lease: undefined, expected: 'expired' },
    {
      name: 'a lapsed lease, draining',
      value: { ttl: 10, status: 'draining' },
      lease: { ...lease, expiresAt: NOW },
      expected: 'expired',
    },
    {
      name: 'an expired lease',
      value: { ttl: 10 },
      lease: { ...lease, state: 'expired' },
      expected: 'expired',
    },
    {
      name: 'the mark of the sweep',
      value: { ttl: 10, expiredAt: '2030-01-01T00:00:00Z' },
      lease,
      expected: 'expired',
    },
  ] as const)('with $name is $expected', ({ value, lease, expected }) => {
    expect(viewInstance(record(value), lease, NOW).health).toBe(expected);
  });

  test('is lapsed only while the record does not tell of the expiry', () => {
    const lapsed = viewInstance(record({ ttl: 10 }), { ...lease, expiresAt: NOW }, NOW);
    const marked = viewInstance(record({ ttl: 10, expiredAt: '2030-01-01T00:00:00Z' }), lease, NOW);
    expect([lapsed.isLapsed, marked.isLapsed]).toEqual([true, false]);
    expect(marked.instance).not.toHaveProperty('expiredAt');
    expect(marked.expiresAt).toBeUndefined();
  });

  test('comes with the newest of change and renewal', () => {
    const renewed = viewInstance(record({ ttl: 10 }), { ...lease, renewedAt: NOW + 7000 }, NOW);
    expect(renewed.renewedAt).toBe('2030-01-01T00:00:07.000Z');
    const changed = viewInstance(record({ ttl: 10 }), { ...lease, renewedAt: NOW - 7000 }, NOW);
    expect(changed.renewedAt).toBe('2030-01-01T00:00:00.000Z');
  });
});

describe('who leads', () => {
  const claiming = {
    ...viewInstance(record({ master: true }), undefined, NOW),
    renewedAt: '2030-01-01T00:00:05Z',
  };
  const old = { ...claiming, id: 'old' };
  const young = { ...claiming, id: 'young', renewedAt: '2030-01-01T00:00:05.001Z' };

  test.each([
    ['nobody, where nobody claims it', [viewInstance(record({}), undefined, NOW)], undefined],
    ['the one that claims it', [viewInstance(record({}), undefined, NOW), old], 'old'],
    ['of several the one with the newest sign of life', [old, young], 'young'],
    ['nobody who has expired', [old, { ...young, health: 'expired' as const }], 'old'],
  ])('is %s', (_, instances, expected) => {
    expect(masterOf(instances)).toBe(expected);
    expect(masterOf(instances.toReversed())).toBe(expected);
  });

  test('is covered by the tag of the listing', () => {
    expect(serviceTag(4, [old, young], 'old')).not.toBe(serviceTag(4, [old, young], 'young'));
  });
});

describe('the tag of a listing', () => {
  const passing = viewInstance(record({}), undefined, NOW);

  test('moves with the revision and with any state, and with nothing else', () => {
    const tag = serviceTag(4, [passing], undefined);
    expect(tag).toMatch(/^W\/"4-[\w-]+"$/);
    expect(serviceTag(5, [passing], undefined)).not.toBe(tag);
    expect(serviceTag(4, [{ ...passing, health: 'expired' }], undefined)).not.toBe(tag);
    expect(serviceTag(4, [], undefined)).not.toBe(tag);
    expect(serviceTag(4, [{ ...passing, renewedAt: 'later', expiresAt: 'later' }], undefined)).toBe(tag);
  });

  test('of several services moves with each of them', () => {
    const one = { name: 'a', etag: 'W/"1-x"' };
    expect(servicesTag([one])).not.toBe(servicesTag([{ ...one, etag: 'W/"2-x"' }]));
    expect(servicesTag([one])).not.toBe(servicesTag([{ ...one, name: 'b' }]));
  });
});

describe('the guard against mass expiry', () => {
  test.each([
    { lapsing: 10, of: 10, holds: false },
    { lapsing: 5, of: 11, holds: false },
    { lapsing: 6, of: 11, holds: true },
    { lapsing: 6, of: 12, holds: false },
    { lapsing: 7, of: 12, holds: true },
  ])('of $lapsing of $of instances: $holds', ({ lapsing, of, holds }) => {
    expect(isMassExpiry(lapsing, of)).toBe(holds);
  });
});
