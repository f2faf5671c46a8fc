import { beforeAll, expect, it } from 'vitest';
import { connect, type HttpClient } from './http.ts';
import { shareSkerry } from './share-skerry.ts';

let api: HttpClient;

beforeAll(async () => {
  api = connect((await shareSkerry('swept')).url, undefined, 'history');
});

it('tells, cuts off and brings back the past of a store', async () => {
  await api.put('kv/agent1/if/eth0', { mtu: 1500 });
  await api.put('kv/agent1/if/eth0', { mtu: 9000 });
  await api.delete('kv/agent1/if/eth0');
  expect((await api.get('history/kv/agent1/if?order=oldest')).body).toMatchObject({
    changes: [
      { revision: 1, type: 'put', previous: null, diff: [{ op: 'replace', path: '', value: { mtu: 1500 } }] },
      { revision: 2, type: 'put', diff: [{ op: 'replace', path: '/mtu', value: 9000 }] },
      { revision: 3, type: 'delete', value: null, previous: { mtu: 9000 } },
    ],
    revision: 3,
    compactedTo: 0,
  });
  expect(await api.get('kv/agent1/if/eth0?revision=1')).toMatchObject({ status: 200, body: { mtu: 1500 } });

  const restored = await api.post('restore', { key: '/kv/agent1/if', revision: 2, prefix: true });
  expect(restored).toMatchObject({ status: 200, body: { restored: 1, atomic: true, revision: 4 } });
  expect(await api.get('kv/agent1/if/eth0')).toMatchObject({ status: 200, body: { mtu: 9000 } });

  expect((await api.post('kv-compact/agent1', { revision: 4 })).body).toEqual({ compactedTo: 3 });
  expect(await api.get('kv/agent1/if/eth0?revision=2')).toMatchObject({
    status: 410,
    body: { compactedTo: 3, resyncFrom: 4 },
  });
  expect((await api.get('history/kv/agent1')).body).toMatchObject({
    changes: [{ revision: 4 }],
    compactedTo: 3,
  });
});

it('keys with escaped slashes have a history of their own', async () => {
  await api.put('kv/agent2/%2Fa%2F', 1);
  await api.put('kv/agent2/a', 2);
  expect((await api.get('history/kv/agent2/%2Fa%2F')).body).toMatchObject({ changes: [] });
  expect((await api.get('history/kv/agent2/%2Fa')).body).toMatchObject({
    changes: [{ key: '/kv/agent2//a/' }],
  });
});

it('retention is kept for a scope by its path', async () => {
  expect((await api.get('retention/kv/agent1')).body).toEqual({ minChanges: 1000, minDays: 30 });
  const own = { minChanges: 5, minDays: 1 };
  expect((await api.put('retention/kv/agent1', own)).body).toMatchObject(own);
  expect((await api.get('retention/kv/agent1')).body).toMatchObject(own);
  expect((await api.delete('retention/kv/agent1')).status).toBe(204);
});
