import { describe, expect, test } from 'vitest';
import { instanceSchema } from '../../../shared/registry/index.ts';
import { nextInstance } from '../../../shared/registry/instance.ts';

const PLAIN = { endpoints: { http: 'http://10.0.0.1:80' } };

function members(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`m${index}`, 'host:1']));
}

describe('what may be said of an instance', () => {
  test.each([
    ['a URI', { endpoints: { http: 'https://host/path' } }],
    ['a host and port', { endpoints: { grpc: 'host:50051' } }],
    ['an address and port', { endpoints: { grpc: '10.0.0.1:50051' } }],
    ['an IPv6 address and port', { endpoints: { grpc: '[::1]:50051' } }],
    ['16 endpoints', { endpoints: members(16) }],
    ['the shortest ttl', { ...PLAIN, ttl: 1 }],
    ['the longest ttl', { ...PLAIN, ttl: 86_400 }],
    ['weight 0', { ...PLAIN, weight: 0 }],
    ['64 metadata', { ...PLAIN, metadata: members(64) }],
    ['32 tags', { ...PLAIN, tags: Array(32).fill('x'.repeat(64)) }],
  ])('%s is taken', (_, input) => {
    expect(instanceSchema.safeParse(input).success).toBe(true);
  });

  test.each([
    ['no endpoints', {}],
    ['empty endpoints', { endpoints: {} }],
    ['17 endpoints', { endpoints: members(17) }],
    ['a host without a port', { endpoints: { http: 'host' } }],
    ['an empty endpoint', { endpoints: { http: '' } }],
    ['ttl 0', { ...PLAIN, ttl: 0 }],
    ['a fraction of a ttl', { ...PLAIN, ttl: 1.5 }],
    ['a ttl over a day', { ...PLAIN, ttl: 86_401 }],
    ['a ttl as text', { ...PLAIN, ttl: '10' }],
    ['a weight that is too high', { ...PLAIN, weight: 32_768 }],
    ['33 tags', { ...PLAIN, tags: Array(33).fill('x') }],
    ['a tag that is too long', { ...PLAIN, tags: ['x'.repeat(65)] }],
    ['a tag with a comma', { ...PLAIN, tags: ['a,b'] }],
    ['65 metadata', { ...PLAIN, metadata: members(65) }],
    ['metadata that are no strings', { ...PLAIN, metadata: { a: 1 } }],
    ['a status that does not exist', { ...PLAIN, status: 'down' }],
    ['a field that does not exist', { ...PLAIN, port: 80 }],
  ])('%s is refused', (_, input) => {
    expect(instanceSchema.safeParse(input).success).toBe(false);
  });
});

describe('what is stored of an instance', () => {
  test('leaves the defaults out', () => {
    const spelledOut = {
      ...PLAIN,
      weight: 1,
      tags: [],
      metadata: {},
      status: 'up',
      master: false,
      extra: {},
    } as const;
    expect(nextInstance({ ...spelledOut, tags: [] }, undefined)).toEqual(PLAIN);
  });

  test('keeps what is not the default', () => {
    const input = { ...PLAIN, weight: 0, tags: ['a'], status: 'draining' as const, master: true };
    expect(nextInstance(input, undefined)).toEqual(input);
  });

  test('drops the mark of the sweep and keeps the fields of other surfaces', () => {
    const current = { ...PLAIN, zone: 'a', expiredAt: '2030-01-01T00:00:00Z', extra: { rack: 7 } };
    expect(nextInstance(PLAIN, current)).toEqual({ ...PLAIN, extra: { rack: 7 } });
    expect(nextInstance({ ...PLAIN, extra: {} }, current)).toEqual(PLAIN);
  });
});
