import { beforeAll, describe, expect, it } from 'vitest';
import { type Answer, connect, expectProblem, type HttpClient } from './http.ts';
import { shareSkerry } from './share-skerry.ts';

let skerry: { readonly url: string };
let api: HttpClient;

beforeAll(async () => {
  skerry = await shareSkerry('unswept');
  api = connect(skerry.url);
});

interface Leadership {
  readonly candidate: string;
  readonly token: number;
  readonly expiresAt: string;
}

function leadershipOf({ status, text, body }: Answer): Leadership {
  expect(status, text).toBe(200);
  return body as Leadership;
}

describe('an election', () => {
  const stand = (name: string, candidate: string, ttl = 60, wait?: number) =>
    api.post(`elections/${name}/campaign`, { candidate, ttl, ...(wait !== undefined && { wait }) });

  it('has one leader, who renews and resigns by the token', async () => {
    expectProblem(await api.get('elections/e1'), 404, { fix: expect.stringContaining('campaign') });
    const answer = await stand('e1', 'one');
    const { token, expiresAt } = leadershipOf(answer);
    const leadership = { name: 'e1', candidate: 'one', token, ttl: 60, expiresAt };
    expect(answer.body).toEqual(leadership);
    expect((await api.get('elections/e1')).body).toEqual(leadership);
    for (const candidate of ['two', 'one']) {
      expectProblem(await stand('e1', candidate), 409, { leader: { candidate: 'one', token, expiresAt } });
    }
    expect((await api.put('elections/e1/renew', { token })).body).toEqual(leadership);
    expectProblem(await api.put('elections/e1/renew', { token: token + 1 }), 404);
    expectProblem(await api.delete(`elections/e1?token=${token + 1}`), 404);
    expectProblem(await api.get('elections/e1?ns=other'), 404);

    expect((await api.delete(`elections/e1?token=${token}`)).status).toBe(204);
    expectProblem(await api.get('elections/e1'), 404);
    expectProblem(await api.put('elections/e1/renew', { token }), 404);
    expectProblem(await api.delete(`elections/e1?token=${token}`), 404);
    expect(leadershipOf(await stand('e1', 'two')).token).toBeGreaterThan(token);
  });

  it('is won by a waiting candidate as soon as the leader resigns', async () => {
    const { token } = leadershipOf(await stand('e2', 'one'));
    const waiting = stand('e2', 'two', 60, 30);
    // The other is turned away when its wait is over, and leaves nothing behind.
    expectProblem(await stand('e2', 'three', 60, 1), 409, {
      leader: expect.objectContaining({ candidate: 'one' }),
    });
    const resignedAt = Date.now();
    await api.delete(`elections/e2?token=${token}`);
    const won = leadershipOf(await waiting);
    expect(won).toMatchObject({ candidate: 'two' });
    expect(won.token).toBeGreaterThan(token);
    expect(Date.now() - resignedAt).toBeLessThan(3_000);
  });

  it('is won by a waiting candidate when the lease of the leader lapses, without any sweep', async () => {
    const { token, expiresAt } = leadershipOf(await stand('e3', 'one', 1));
    const won = leadershipOf(await stand('e3', 'two', 60, 30));
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
    expect(Date.now() - Date.parse(expiresAt)).toBeLessThan(3_000);
    expect(won.token).toBeGreaterThan(token);
    expectProblem(await api.put('elections/e3/renew', { token }), 404);
  });

  it.each([
    ['no candidate', { ttl: 5 }],
    ['an empty candidate', { candidate: '', ttl: 5 }],
    ['a candidate of 257 characters', { candidate: 'x'.repeat(257), ttl: 5 }],
    ['no ttl', { candidate: 'x' }],
    ['a ttl of 0', { candidate: 'x', ttl: 0 }],
    ['a fraction as ttl', { candidate: 'x', ttl: 1.5 }],
    ['a wait beyond 200 s', { candidate: 'x', ttl: 5, wait: 201 }],
    ['an unknown field', { candidate: 'x', ttl: 5, token: 1 }],
  ])('refuses %s', async (_fault, body) => {
    expectProblem(await api.post('elections/bad/campaign', body), 400);
  });

  it('refuses tokens that are none', async () => {
    for (const token of ['', '?token=', '?token=0', '?token=-1', '?token=x']) {
      expectProblem(await api.delete(`elections/e1${token}`), 400);
    }
    expectProblem(await api.put('elections/e1/renew', {}), 400);
  });
});

describe('a client lease', () => {
  it('is granted, renewed, shown and revoked', async () => {
    const granted = await api.post('kv-leases/s1', { ttl: 60 });
    const { id, expiresAt } = granted.body as { id: string; expiresAt: string };
    expect(granted).toMatchObject({ status: 201, body: { id: expect.stringMatching(/^lse_/), ttl: 60 } });
    expect(granted.headers.location).toMatch(new RegExp(`/api/v1/kv-leases/s1/${id}$`));
    expect((await api.put(`kv-leases/s1/${id}/renew`)).body).toEqual({ id, ttl: 60, expiresAt });
    expect((await api.get(`kv-leases/s1/${id}`)).body).toEqual({ id, ttl: 60, expiresAt, keys: [] });
    expectProblem(await api.get(`kv-leases/s2/${id}`), 404);
    expect((await api.delete(`kv-leases/s1/${id}`)).status).toBe(204);
    expectProblem(await api.put(`kv-leases/s1/${id}/renew`), 404);
    expectProblem(await api.get(`kv-leases/s1/${id}`), 404);
    expectProblem(await api.delete(`kv-leases/s1/${id}`), 404);
    expectProblem(await api.post('kv-leases/s1', { ttl: 86_401 }), 400);
  });
});

describe('keys that are attached to a client lease', () => {
  const grant = async (store: string, ttl: number) =>
    ((await api.post(`kv-leases/${store}`, { ttl })).body as { id: string }).id;
  const keysOf = async (store: string) =>
    ((await api.get(`kv/${store}/?keysOnly`)).body as { items: { key: string }[] }).items.map(
      ({ key }) => key,
    );

  it('are gone when it is over, without any sweep, and deleted when it is revoked', async () => {
    const short = await grant('l1', 1);
    const long = await grant('l1', 60);
    expect((await api.put(`kv/l1/a?lease=${short}`, 1)).body).toMatchObject({ key: 'a', lease: short });
    const operations = [
      { put: { key: 'b/c', value: 2, lease: short } },
      { put: { key: 'd', value: 3, lease: long } },
      { put: { key: 'e', value: 4 } },
    ];
    // biome-ignore lint/suspicious/noThenProperty: the word of the API.
    expect((await api.post('kv-transactions/l1', { then: operations })).status).toBe(200);
    expect((await api.get(`kv-leases/l1/${long}`)).body).toMatchObject({ keys: ['d'] });
    await expect.poll(() => keysOf('l1'), { timeout: 45_000 }).toEqual(['d', 'e']);
    expectProblem(await api.get('kv/l1/a'), 404);
    expectProblem(await api.put(`kv/l1/a?lease=${short}`, 1), 404, {
      detail: expect.stringContaining(short),
    });
    const created = await api.put('kv/l1/a', 1, { 'if-none-match': '*' });
    expect(created.status).toBe(201);

    expect((await api.delete(`kv-leases/l1/${long}`)).status).toBe(204);
    expect(await keysOf('l1')).toEqual(['a', 'e']);
    const { body } = await api.get('watch/kv/l1/?since=0&wait=0');
    expect((body as { changes: { type: string; key: string }[] }).changes.slice(4)).toMatchObject([
      { type: 'expire', key: '/kv/l1/a', value: null, actor: 'system:expiry' },
      { type: 'put', key: '/kv/l1/a', create: true },
      { type: 'delete', key: '/kv/l1/d', actor: 'local' },
    ]);
  });

  it('outlive it when they are written again without it, and end with it or at a time, not both', async () => {
    const lease = await grant('l2', 60);
    await api.put(`kv/l2/a?lease=${lease}`, 1);
    expect((await api.put('kv/l2/a', 1)).body).not.toHaveProperty('lease');
    await api.delete(`kv-leases/l2/${lease}`);
    expect(await keysOf('l2')).toEqual(['a']);

    const other = await grant('l2', 60);
    expectProblem(await api.put(`kv/l2/a?lease=${other}&ttl=5`, 1), 400, { field: 'lease' });
    const both = [{ put: { key: 'a', value: 1, lease: other, ttl: 5 } }];
    // biome-ignore lint/suspicious/noThenProperty: the word of the API.
    expectProblem(await api.post('kv-transactions/l2', { then: both }), 400, { field: 'then[0].put.lease' });
    for (const strange of ['lse_x', lease, await grant('l3', 60)]) {
      expectProblem(await api.put(`kv/l2/b?lease=${strange}`, 1), 404);
    }
    expectProblem(await api.put('kv/l2/b?lease=', 1), 400);
  });
});

describe('the status of an agent', () => {
  const probes = async (label: string) => [
    (await api.get(`status/${label}/liveness`)).status,
    (await api.get(`status/${label}/readiness`)).status,
  ];

  it('is the logical AND of its plugins, for probes as for readers', async () => {
    expectProblem(await api.get('status/agent1'), 404, { fix: expect.stringContaining('status/agent1') });
    expectProblem(await api.get('status/agent1/liveness'), 404);
    await api.put('status/agent1/plugins/etcd', { state: 'init' });
    expect(await probes('agent1'), 'starting').toEqual([200, 500]);
    await api.put('status/agent1/plugins/etcd', { state: 'ok' });
    expect(await probes('agent1')).toEqual([200, 200]);
    const failed = await api.put('status/agent1/plugins/vpp', { state: 'error', error: 'no memif' });
    expect(failed.body).toMatchObject({
      label: 'agent1',
      state: 'error',
      plugins: [
        { name: 'etcd', state: 'ok' },
        { name: 'vpp', state: 'error', error: 'no memif' },
      ],
    });
    expect(await probes('agent1')).toEqual([500, 500]);
    const again = await api.put('status/agent1/plugins/vpp', { state: 'error', error: 'no memif' });
    expect(again.headers.etag, 'the same report is not published again').toBe(failed.headers.etag);

    const described = await api.put('status/agent1', { buildVersion: 'v1.2', nonFatal: ['vpp'] });
    expect(described.body).toMatchObject({ state: 'ok', buildVersion: 'v1.2', nonFatal: ['vpp'] });
    expect(await probes('agent1'), 'only a non-fatal one is in error').toEqual([200, 200]);
    const shown = await api.get('status/agent1', { 'if-none-match': described.headers.etag ?? '' });
    expect(shown.status).toBe(304);
    expect(
      (await api.get('kv/agent1/check/status/v1/plugin/vpp')).body,
      'the documents are keys of the store of the agent',
    ).toMatchObject({ state: 2, error: 'no memif', last_change: expect.any(Number) });
    expect((await api.get('status/agent1/readiness')).body).toMatchObject({
      state: 1,
      build_version: 'v1.2',
      plugins: [
        { name: 'etcd', state: 1 },
        { name: 'vpp', state: 2, error: 'no memif' },
      ],
      PluginStatus: { etcd: { state: 1 }, vpp: { state: 2, error: 'no memif' } },
      NonFatalPlugins: ['vpp'],
    });
    const metrics = await api.get('status/agent1/health');
    expect(metrics.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(metrics.text).toContain('service_health{service="agent1"} 1\n');
    expect(metrics.text).toContain('service_dependency_health{service="agent1",dependency="vpp"} 2\n');
    expect(metrics.text).toContain('service_info{service="agent1",build_version="v1.2",build_date=""} 1\n');
  });

  it('is shown for Skerry itself where no agent is named', async () => {
    expect((await api.get('/liveness')).status).toBe(200);
    expect(await api.get('/readiness')).toMatchObject({
      status: 200,
      body: {
        state: 1,
        PluginStatus: { cosmos: { state: 1 }, servicebus: { state: 1 }, blob: { state: 1 } },
      },
    });
    expect((await api.get('/health')).text).toContain('service_health{service="skerry"} 1\n');
    expect((await api.send('POST', '/liveness')).status).toBe(405);
    expectProblem(await api.get('status/%20/liveness'), 400);
  });

  it.each([
    ['plugins/p', {}],
    ['plugins/p', { state: 'fine' }],
    ['plugins/p', { state: 1 }],
    ['plugins/p', { state: 'ok', error: 'x'.repeat(4097) }],
    ['', { nonFatal: 'p' }],
    ['', { nonFatal: [''] }],
    ['', { state: 'ok' }],
  ])('refuses %s %j', async (path, body) => {
    expectProblem(await api.put(`status/agent2${path && `/${path}`}`, body), 400);
  });
});
