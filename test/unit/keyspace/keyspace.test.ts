import { expect, test } from 'vitest';
import { checkPublicKey, isPublic, scopeOfPrefix } from '../../../shared/keyspace/index.ts';

test('records of subscriptions are shown to nobody, because endpoints are nobody else’s business', () => {
  expect(isPublic({ ns: 'default', kind: 'hook', name: '' })).toBe(false);
  expect(isPublic({ ns: 'default', kind: 'app', name: '' })).toBe(true);
});

test.each([
  ['/app', 'app', ''],
  ['/app/', 'app', ''],
  ['/app/dm', 'app', ''],
  ['/srv/web', 'srv', 'web'],
  ['/srv/web/', 'srv', 'web'],
  ['/srv/web/host1', 'srv', 'web'],
  ['/reg', 'reg', ''],
  ['/kv/agent1', 'kv', 'agent1'],
  ['/kv/agent1/config/', 'kv', 'agent1'],
  ['/kv/agent1//vnf-agent/vpp1/if', 'kv', 'agent1'],
  ['/election/leader', 'election', 'leader'],
  ['/bundle/web', 'bundle', 'web'],
  ['/bundle/web/channels/', 'bundle', 'web'],
])('%s lies in one scope', (key, kind, name) => {
  expect(scopeOfPrefix('prod', key)).toEqual({ ns: 'prod', kind, name });
});

test.each(['/', '/srv', '/srv/', '/kv', '/election', '/bundle'])('%s lies in several scopes', (key) => {
  expect(scopeOfPrefix('prod', key)).toBeUndefined();
});

test.each([
  '/',
  '/app',
  '/app/',
  '/app/dm',
  '/srv',
  '/srv/web',
  '/srv/web/host1',
  '/reg/10.0.0.1',
  '/kv/s/a b/…',
  '/election/x',
  '/bundle/web/versions/000000001',
])('%s can be watched', (key) => {
  expect(() => checkPublicKey(key)).not.toThrow();
});

test.each([
  '',
  'app',
  '/apps',
  '/hook',
  '/kv/a b/c',
  '/kv/s/../t',
  '/election/x/y',
  '/bundle/a b',
  '/hook/sub_1',
  '//app',
  '/app//dm',
  '//',
  '/app/../dm',
  '/app/dm/x',
  '/srv/web/host1/x',
  '/app/a b',
  `/app/${'x'.repeat(500)}`,
])('"%s" cannot be watched', (key) => {
  expect(() => checkPublicKey(key)).toThrow(expect.objectContaining({ kind: 'invalid', field: 'key' }));
});
