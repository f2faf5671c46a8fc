import { describe, expect, it } from 'vitest';
import { hostInputSchema, toHost, toInstance } from '../../../functions/http/nesoi/host.ts';
import type { InstanceView } from '../../../shared/registry/index.ts';
import { nextInstance } from '../../../shared/registry/instance.ts';

const HOST = { name: 'host1', endpoints: { http: 'http://localhost:5432/' } };

function view(instance: InstanceView['instance']): InstanceView {
  const time = '2026-01-02T03:04:05.678Z';
  return {
    id: 'host1',
    instance,
    health: 'passing',
    isLapsed: false,
    renewedAt: time,
    revision: 1,
    createdAt: time,
    updatedAt: time,
  };
}

/** What Nesoi shows of a host that it was given. */
function throughTheRegistry(fields: Record<string, unknown>) {
  return toHost(view(nextInstance(toInstance(hostInputSchema.parse({ ...HOST, ...fields })), undefined)));
}

describe('a host of Nesoi', () => {
  it.each<Record<string, unknown>>([
    { master: true, ttl: 60, zone: 'a', tags: ['x'], weight: 5, metadata: { a: 'b' }, status: 'draining' },
    { master: 'yes', zone: 5, tags: 'x', weight: 'heavy', metadata: { a: { b: 1 } }, status: 'running' },
    { weight: 1, tags: [], metadata: {}, status: 'up' },
    { load: 0.5, constructor: 'c', nested: { a: [null] }, extra: { b: 1 } },
  ])('shows every field as it was given: %j', (fields) => {
    expect(throughTheRegistry(fields)).toEqual({
      ...HOST,
      ...fields,
      updated_at: '2026-01-02 03:04:05.678000',
    });
  });

  it('shares the fields that mean the same on the canonical API', () => {
    expect(
      toInstance(hostInputSchema.parse({ ...HOST, master: false, tags: ['x'], weight: 'heavy', load: 1 })),
    ).toEqual({
      endpoints: HOST.endpoints,
      tags: ['x'],
      extra: { master: false, weight: 'heavy', load: 1 },
    });
  });

  it('sets updated_at itself', () => {
    expect(throughTheRegistry({ updated_at: 'never' })).toMatchObject({
      updated_at: '2026-01-02 03:04:05.678000',
    });
  });

  it.each([
    [{ endpoints: {} }, true],
    [{ endpoints: { amqp: 'host:5672', http: 'http://[::1]:80/' } }, true],
    [{ endpoints: 'http://localhost/' }, false],
    [{ endpoints: { http: 80 } }, false],
    [{ endpoints: { http: 'no uri' } }, false],
    [{ endpoints: undefined }, false],
    [{ name: undefined }, false],
    [{ ttl: 0 }, false],
    [{ ttl: 1.5 }, false],
    [{ ttl: '60' }, false],
    [{ ttl: null }, false],
  ])('is judged by its name, endpoints and ttl: %j is %s', (fields, isAccepted) => {
    expect(hostInputSchema.safeParse({ ...HOST, ...fields }).success).toBe(isAccepted);
  });
});
