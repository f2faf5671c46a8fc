import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Receiver, startReceiver, toldBy } from '../integration/webhooks/receiver.ts';
import { type Answer, connect, expectProblem, type HttpClient } from './http.ts';
import { shareSkerry } from './share-skerry.ts';
import { type Skerry, startSkerry } from './skerry.ts';

const DEADLINE = { timeout: 45_000, interval: 50 };
/** Between two looks at what changes with time. */
const PAUSE_MILLISECONDS = 20;
/** What a busy machine may need for a request. */
const SLACK_MILLISECONDS = 2_000;
const EVERY_SECOND = '* * * * * *';

/** One where no timer ever helps, and one that sweeps every second. */
let unswept: { readonly url: string };
let sweeping: Skerry;
let api: HttpClient;
let swept: HttpClient;
let receiver: Receiver;

beforeAll(async () => {
  [unswept, sweeping] = await Promise.all([
    shareSkerry('unswept'),
    startSkerry({ env: { SKERRY_SWEEP_SCHEDULE: EVERY_SECOND, SKERRY_EXPIRED_GRACE_SECONDS: '2' } }),
  ]);
  api = connect(unswept.url);
  swept = connect(sweeping.url);
  receiver = await startReceiver();
});

afterAll(async () => {
  await Promise.allSettled([sweeping?.stop(), receiver?.stop()]);
});

const endpoints = { http: 'http://10.0.0.1:8080' };

interface Instance {
  readonly id: string;
  readonly health: string;
}

function instancesOf({ body }: Answer): readonly Instance[] {
  return (body as { instances?: Instance[] }).instances ?? [];
}

function healthOf(answer: Answer): string | undefined {
  return instancesOf(answer)[0]?.health;
}

function ids(answer: Answer): string[] {
  return instancesOf(answer).map(({ id }) => id);
}

/** A span of time on the clock of this process, in milliseconds, in which a request took effect. */
interface Span {
  readonly from: number;
  readonly to: number;
}

async function during(request: () => Promise<Answer>): Promise<Span & { answer: Answer }> {
  const from = Date.now();
  const answer = await request();
  return { answer, from, to: Date.now() };
}

/**
 * Watches how an instance with a ttl of one second is reported until it is expired, and expects that this happens
 * neither before one ttl nor after one and a half have passed since its last beat.
 *
 * @param ask gives the health that some answer shows; undefined where the answer was 304.
 */
async function expectExpiryInTime(beat: Span, ask: () => Promise<string | undefined>): Promise<void> {
  for (let health: string | undefined = ''; health !== 'expired'; ) {
    const from = Date.now();
    health = await ask();
    const to = Date.now();
    if (health === 'expired') {
      expect(to - beat.from, 'expired no earlier than ttl').toBeGreaterThanOrEqual(1000);
    } else {
      expect(from - beat.to, 'expired no later than 1.5 ttl').toBeLessThanOrEqual(1500);
      await sleep(PAUSE_MILLISECONDS);
    }
  }
}

describe.concurrent('an instance', () => {
  it('is created with 201, replaced with 200, left alone by an equal PUT, and removed with 204', async () => {
    const path = 'services/life/instances/one';
    const full = {
      endpoints: { http: 'http://10.0.0.1:8080', admin: '10.0.0.1:9090' },
      ttl: 60,
      tags: ['blue', 'v2'],
      zone: 'eu-1',
      weight: 7,
      metadata: { version: '1.2.3' },
      master: true,
    };
    const created = await api.put(path, full);
    expect(created, created.text).toMatchObject({
      status: 201,
      headers: { etag: '"1"', location: `${unswept.url}/api/v1/${path}` },
      body: { id: 'one', ...full, health: 'passing', revision: 1, expiresAt: expect.any(String) },
    });
    expect(await api.put(path, full)).toMatchObject({ status: 200, body: { revision: 1 } });
    const replaced = await api.put(path, { endpoints });
    expect(replaced).toMatchObject({
      status: 200,
      body: { id: 'one', endpoints, health: 'passing', tags: [], weight: 1, metadata: {}, revision: 2 },
    });
    expect(replaced.body).not.toHaveProperty('ttl');
    expect((await api.get(path)).body).toEqual(replaced.body);
    expect(await api.get(path, { 'if-none-match': '"2"' })).toMatchObject({ status: 304, text: '' });
    expect(await api.send('HEAD', path)).toMatchObject({ status: 200, text: '', headers: { etag: '"2"' } });

    expect(await api.delete(path)).toMatchObject({ status: 204, headers: { 'x-skerry-revision': '3' } });
    expectProblem(await api.get(path), 404);
    expectProblem(await api.delete(path), 404);
    expectProblem(await api.get('services/life'), 404);
  });

  it('is written only over the state that its author saw, where the author says so', async () => {
    const path = 'services/conditions/instances/one';
    expect((await api.put(path, { endpoints }, { 'if-none-match': '*' })).status).toBe(201);
    expectProblem(await api.put(path, { endpoints, weight: 2 }, { 'if-none-match': '*' }), 412);
    expectProblem(await api.put(path, { endpoints, weight: 2 }, { 'if-match': '"9"' }), 412);
    expectProblem(await api.delete(path, { 'if-match': '"9"' }), 412);
    expect((await api.put(path, { endpoints, weight: 2 }, { 'if-match': '"1"' })).status).toBe(200);
    expect((await api.delete(path, { 'if-match': '"2"' })).status).toBe(204);
  });

  it('lives in its namespace only', async () => {
    await api.put('services/ns/instances/one?ns=ours', { endpoints });
    expectProblem(await api.get('services/ns?ns=theirs'), 404);
    expectProblem(await api.put('services/ns/instances/one/heartbeat?ns=theirs'), 404);
    expect((await api.get('services/ns?ns=ours')).status).toBe(200);
    expect((await api.get('services?ns=ours')).body).toMatchObject({ items: [{ name: 'ns' }] });
    expect((await api.get('services?ns=theirs')).body).toEqual({ items: [] });
  });

  it('that drains is still listed, and takes no part in what passes', async () => {
    const path = 'services/draining/instances/one';
    await api.put(path, { endpoints, status: 'up' });
    expect(healthOf(await api.get('services/draining?passing'))).toBe('passing');
    expect(await api.put(path, { endpoints, status: 'draining' })).toMatchObject({
      status: 200,
      body: { health: 'draining' },
    });
    expect(healthOf(await api.get('services/draining'))).toBe('draining');
    expect(ids(await api.get('services/draining?passing'))).toEqual([]);
    await api.put(path, { endpoints });
    expect(ids(await api.get('services/draining?passing'))).toEqual(['one']);
  });

  it('that was never registered has to register before it sends heartbeats', async () => {
    expectProblem(await api.put('services/unknown/instances/one/heartbeat'), 404, {
      fix: expect.stringContaining('PUT /api/v1/services/unknown/instances/one'),
    });
    await api.put('services/unknown/instances/one', { endpoints, ttl: 60 });
    expect(await api.put('services/unknown/instances/one/heartbeat')).toMatchObject({
      status: 204,
      text: '',
    });
    await api.delete('services/unknown/instances/one');
    expectProblem(await api.put('services/unknown/instances/one/heartbeat'), 404);
  });
});

describe.concurrent('a service', () => {
  beforeAll(async () => {
    const instances = {
      a: { endpoints, tags: ['blue', 'v1'], zone: 'eu-1' },
      b: { endpoints, tags: ['blue', 'v2'], zone: 'eu-2' },
      c: { endpoints, tags: ['green', 'v2'], zone: 'eu-1', status: 'draining' },
      d: { endpoints },
    };
    for (const [id, instance] of Object.entries(instances)) {
      await api.put(`services/filters/instances/${id}`, instance);
    }
  });

  it.each([
    ['', 'abcd'],
    ['?passing', 'abd'],
    ['?passing=true', 'abd'],
    ['?passing=false', 'abcd'],
    ['?tag=blue', 'ab'],
    ['?tag=blue&tag=v2', 'b'],
    ['?tag=v2', 'bc'],
    ['?tag=v2&passing', 'b'],
    ['?tag=none', ''],
    ['?zone=eu-1', 'ac'],
    ['?zone=eu-1&tag=blue&passing', 'a'],
  ])('%s shows the instances %s', async (query, expected) => {
    const answer = await api.get(`services/filters${query}`);
    expect(answer, answer.text).toMatchObject({
      status: 200,
      headers: { 'x-skerry-revision': '4', age: '0', etag: expect.any(String) },
      body: { name: 'filters', revision: 4 },
    });
    expect(ids(answer).join('')).toBe(expected);
    const known = { 'if-none-match': answer.headers.etag ?? '' };
    expect((await api.get(`services/filters${query}`, known)).status).toBe(304);
  });

  it('stands in the listing of all, which has a weak tag and no revision', async () => {
    for (const name of ['c', 'a', 'b']) {
      await api.put(`services/${name}/instances/one?ns=all`, { endpoints });
    }
    const listing = await api.get('services?ns=all');
    expect(listing).toMatchObject({
      status: 200,
      headers: { etag: expect.stringMatching(/^W\/"/) },
      body: { items: ['a', 'b', 'c'].map((name) => ({ name, revision: 1, instances: [{ id: 'one' }] })) },
    });
    expect(listing.headers).not.toHaveProperty('x-skerry-revision');
    const known = { 'if-none-match': listing.headers.etag ?? '' };
    expect(await api.get('services?ns=all', known)).toMatchObject({ status: 304, text: '' });

    const page = await api.get('services?ns=all&limit=2');
    const { items, next } = page.body as { items: unknown[]; next: string };
    expect(items).toMatchObject([{ name: 'a' }, { name: 'b' }]);
    const last = (await api.get(`services?ns=all&limit=2&after=${next}`)).body;
    expect(last).toEqual({ items: [expect.objectContaining({ name: 'c' })] });

    await api.delete('services/b/instances/one?ns=all');
    expect((await api.get('services?ns=all', known)).body).toMatchObject({
      items: [{ name: 'a' }, { name: 'c' }],
    });
  });
});

describe.concurrent('without any timer, an instance with a ttl', () => {
  it('expires between one ttl and one and a half after its registration', async () => {
    const beat = await during(() => api.put('services/expiring/instances/one', { endpoints, ttl: 1 }));
    await expectExpiryInTime(beat, async () => healthOf(await api.get('services/expiring')));
    expect((await api.get('services/expiring/instances/one')).body).toMatchObject({ health: 'expired' });
    expect(ids(await api.get('services/expiring?passing'))).toEqual([]);
  });

  it('lives as long as it beats, and expires as long after the last beat that was accepted', async () => {
    const path = 'services/beating/instances/one';
    const registered = await during(() => api.put(path, { endpoints, ttl: 1 }));
    let beat: Span = registered;
    while (beat.to - registered.from < 3000) {
      await sleep(PAUSE_MILLISECONDS);
      const health = healthOf(await api.get('services/beating'));
      const next = await during(() => api.put(`${path}/heartbeat`));
      // Where a busy machine has slept through a ttl, nothing is promised.
      const isInTime = next.to - beat.from < 1000;
      if (isInTime) expect([health, next.answer.status]).toEqual(['passing', 204]);
      beat = isInTime ? next : await during(() => api.put(path, { endpoints, ttl: 1 }));
    }
    await expectExpiryInTime(beat, async () => healthOf(await api.get('services/beating')));
  });

  it('is told by 404 that it has expired, and lives again once it registers', async () => {
    const path = 'services/reviving/instances/one';
    const instance = { endpoints, ttl: 1 };
    const registered = await during(() => api.put(path, instance));
    await expectExpiryInTime(registered, async () => healthOf(await api.get('services/reviving')));
    expectProblem(await api.put(`${path}/heartbeat`), 404, {
      detail: expect.stringContaining('expired'),
      fix: expect.stringContaining(`PUT /api/v1/${path}`),
    });
    expect(healthOf(await api.get('services/reviving'))).toBe('expired');
    const revived = await during(() => api.put(path, instance));
    expect(revived.answer).toMatchObject({ status: 200, body: { health: 'passing' } });
    expect(healthOf(await api.get('services/reviving'))).toBe('passing');
    expect((await api.put(`${path}/heartbeat`)).status).toBe(204);
  });

  it.each([
    ['its service', 'services/hidden-1?ns=hidden-1'],
    ['all services', 'services?ns=hidden-2'],
    ['itself', 'services/hidden-3/instances/one?ns=hidden-3'],
  ])('is never hidden by a 304 of %s, neither when it expires nor when it revives', async (_, path) => {
    const ns = path.slice(path.indexOf('=') + 1);
    const register = (ttl: number) => api.put(`services/${ns}/instances/one?ns=${ns}`, { endpoints, ttl });
    let known = '';
    const ask = async () => {
      const answer = await api.get(path, { 'if-none-match': known });
      known = answer.headers.etag ?? '"none"';
      return answer.status === 304 ? undefined : /"health":"(\w+)"/.exec(answer.text)?.[1];
    };
    const registered = await during(() => register(1));
    const first = await ask();
    if (first === 'expired') {
      // On a machine that is busy with other things, rightly so.
      expect(Date.now() - registered.from).toBeGreaterThanOrEqual(1000);
    } else {
      expect(first).toBe('passing');
      await expectExpiryInTime(registered, ask);
    }
    await register(60);
    expect(await ask()).toBe('passing');
  });

  it.each(['max-stale=60', 'max-age=60'])('is seen to expire under %s within a second more', async (age) => {
    const ns = age.replace('=', '-');
    await api.put(`services/aged/instances/one?ns=${ns}`, { endpoints, ttl: 1 });
    const { to } = await during(() => api.get(`services/aged?ns=${ns}`));
    await vi.waitFor(
      async () =>
        expect(healthOf(await api.get(`services/aged?ns=${ns}`, { 'cache-control': age }))).toBe('expired'),
      DEADLINE,
    );
    expect(Date.now() - to).toBeLessThan(1500 + 1000 + SLACK_MILLISECONDS);
  });
});

describe.concurrent('the sweep', () => {
  interface Change {
    readonly revision: number;
    readonly type: string;
    readonly after: Record<string, unknown> | null;
    readonly before: Record<string, unknown> | null;
  }

  async function watch(service: string): Promise<() => Change[]> {
    const hook = { name: 'watcher', key: `/srv/${service}`, endpoint: `${receiver.url}/${service}` };
    expect((await swept.post('subscriptions', hook)).status).toBe(201);
    return () =>
      receiver.calls
        .filter((call) => call.path === `/${service}`)
        .map((call) => toldBy(call) as Change)
        .sort((one, other) => one.revision - other.revision);
  }

  it('tells of an expiry, and of the removal after the grace time', async () => {
    const changes = await watch('told');
    await swept.put('services/told/instances/one', { endpoints, ttl: 1, zone: 'eu-1' });
    await vi.waitFor(
      () => expect(changes().map(({ type }) => type)).toEqual(['put', 'expire', 'delete']),
      DEADLINE,
    );
    const [put, expire, removal] = changes();
    expect(put).toMatchObject({ key: '/srv/told/one', revision: 1, before: null, after: { zone: 'eu-1' } });
    expect(expire).toMatchObject({ revision: 2, actor: 'system:sweep', before: put?.after });
    expect(expire?.after).toMatchObject({ ...put?.after, expiredAt: expect.any(String) });
    expect(removal).toMatchObject({ revision: 3, before: expire?.after, after: null });
    expectProblem(await swept.get('services/told'), 404);
    expectProblem(await swept.get('services/told/instances/one'), 404);
  });

  it('leaves an instance alone that registers again after its expiry', async () => {
    const changes = await watch('revived');
    const instance = { endpoints, ttl: 1 };
    await swept.put('services/revived/instances/one', instance);
    await vi.waitFor(
      async () =>
        expect((await swept.get('services/revived/instances/one')).body).toMatchObject({
          health: 'expired',
          revision: 2,
        }),
      DEADLINE,
    );
    expectProblem(await swept.put('services/revived/instances/one/heartbeat'), 404);
    const revived = await swept.put('services/revived/instances/one', { ...instance, ttl: 60 });
    expect(revived).toMatchObject({ status: 200, body: { health: 'passing', revision: 3 } });
    await vi.waitFor(
      () => expect(changes().map(({ type }) => type)).toEqual(['put', 'expire', 'put']),
      DEADLINE,
    );

    const other = await watch('other');
    await swept.put('services/other/instances/one', instance);
    await vi.waitFor(
      () => expect(other().map(({ type }) => type)).toEqual(['put', 'expire', 'delete']),
      DEADLINE,
    );
    expect((await swept.get('services/revived')).body).toMatchObject({
      revision: 3,
      instances: [{ health: 'passing' }],
    });
  });

  it('leaves an instance alone that has no ttl', async () => {
    const changes = await watch('mortal');
    await swept.put('services/mortal/instances/immortal', { endpoints });
    await swept.put('services/mortal/instances/mortal', { endpoints, ttl: 1 });
    await vi.waitFor(
      () =>
        expect(
          changes()
            .map(({ type }) => type)
            .at(-1),
        ).toBe('delete'),
      DEADLINE,
    );
    expect(instancesOf(await swept.get('services/mortal'))).toMatchObject([
      { id: 'immortal', health: 'passing', revision: 1 },
    ]);
  });
});
