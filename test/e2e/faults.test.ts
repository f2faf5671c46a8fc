import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { endpoints as registeredEndpoints } from '../../functions/http/endpoints.ts';
import { type Receiver, startReceiver, toldBy } from '../integration/webhooks/receiver.ts';
import { type Answer, connect, expectProblem, type HttpClient } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';

const DEADLINE = { timeout: 45_000, interval: 50 };
/** A caller waits no longer for a 503: 5 s for one question to the database, and as long for a second one where it takes two. */
const PATIENCE_MILLISECONDS = 12_000;

const instance = { endpoints: { http: '10.0.0.1:80' }, ttl: 60 };

type Call = readonly [method: string, path: string, body?: unknown];

const READS: readonly Call[] = [
  ['GET', 'apps'],
  ['GET', 'apps/dm'],
  ['HEAD', 'apps/dm'],
  ['GET', 'services'],
  ['GET', 'services/web'],
  ['GET', 'services/web/instances/one'],
  ['GET', 'subscriptions'],
  ['GET', 'subscriptions/sub_any'],
  ['GET', 'subscriptions/sub_any/deliveries'],
];

const WRITES: readonly Call[] = [
  ['PUT', 'apps/dm', { config: 'new' }],
  ['DELETE', 'apps/dm'],
  ['PUT', 'services/web/instances/one', { ...instance, zone: 'new' }],
  ['PUT', 'services/web/instances/one/heartbeat'],
  ['DELETE', 'services/web/instances/one'],
  ['POST', 'subscriptions', { name: 'any', key: '/app', endpoint: 'http://127.0.0.1:1/' }],
  ['DELETE', 'subscriptions/sub_any'],
];

let withoutCosmos: Skerry;
let withoutOthers: Skerry;
let faulty: Skerry;

beforeAll(async () => {
  [withoutCosmos, withoutOthers, faulty] = await Promise.all([
    startSkerry({ flags: ['--without', 'cosmos', '--workers', '1'] }),
    startSkerry({ flags: ['--without', 'servicebus,blob', '--workers', '1'] }),
    startSkerry({ flags: ['--faults'] }),
  ]);
});

afterAll(async () => {
  await Promise.allSettled([withoutCosmos, withoutOthers, faulty].map((skerry) => skerry?.stop()));
});

/** Expects what tells a caller to come again: never a 404, an empty listing or another wrong answer. */
function expectUnavailable(answer: Answer, call: string): void {
  expect(answer.status, `${call}: ${answer.text}`).toBe(503);
  expect(answer.headers['retry-after'], call).toMatch(/^[1-9]\d*$/);
  if (!call.startsWith('HEAD')) {
    expectProblem(answer, 503, { type: 'https://skerry.dev/problems/unavailable' });
  }
}

async function sendInTime(api: HttpClient, [method, path, body]: Call): Promise<Answer> {
  const since = Date.now();
  const answer = await api.send(method, path, { body });
  expect(Date.now() - since, `${method} ${path}`).toBeLessThan(PATIENCE_MILLISECONDS);
  return answer;
}

describe.concurrent('without the database', () => {
  it('every read and every write is 503 with Retry-After, soon', async () => {
    const api = connect(withoutCosmos.url);
    for (const call of [...READS, ...WRITES]) {
      expectUnavailable(await sendInTime(api, call), `${call[0]} ${call[1]}`);
    }
  });

  it('bad input is still told apart', async () => {
    const api = connect(withoutCosmos.url);
    expectProblem(await api.put('apps/dm', { colour: 'red' }), 400);
    expectProblem(await api.get('nothing'), 404);
    expectProblem(await api.send('PATCH', 'apps/dm'), 405);
  });

  it('legacy surfaces answer 503 with a text', async () => {
    const api = connect(withoutCosmos.url);
    for (const path of ['/app', '/app/dm', '/srv/web', '/registry/list']) {
      const answer = await api.get(path);
      expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': expect.any(String) } });
      expect(answer.text).toMatch(/\w \w/);
    }
  });

  it('the process is live, and unready for the sake of the database alone', async () => {
    const api = connect(withoutCosmos.url);
    expect(await api.get('health/live')).toMatchObject({ status: 200, body: { status: 'live' } });
    const ready = await sendInTime(api, ['GET', 'health/ready']);
    expect(ready).toMatchObject({
      status: 503,
      headers: { 'retry-after': expect.stringMatching(/^\d+$/) },
      body: {
        status: 'unready',
        dependencies: {
          cosmos: { status: 'unready', detail: expect.any(String) },
          serviceBus: { status: 'ready' },
          blob: { status: 'ready' },
        },
      },
    });
  });
});

describe.concurrent('without the bus and the blob service', () => {
  it('configuration and registry work', async () => {
    const api = connect(withoutOthers.url);
    expect((await api.put('apps/dm', { config: 1 })).status).toBe(201);
    expect((await api.get('apps/dm')).status).toBe(200);
    expect((await api.put('services/web/instances/one', instance)).status).toBe(201);
    expect((await api.get('services/web')).status).toBe(200);
  });

  it('the process is live, and unready for the sake of these two alone', async () => {
    const api = connect(withoutOthers.url);
    expect((await api.get('health/live')).status).toBe(200);
    expect(await sendInTime(api, ['GET', 'health/ready'])).toMatchObject({
      status: 503,
      body: {
        status: 'unready',
        dependencies: {
          cosmos: { status: 'ready' },
          serviceBus: { status: 'unready', detail: expect.any(String) },
          blob: { status: 'unready', detail: expect.any(String) },
        },
      },
    });
  });
});

interface FaultRule {
  readonly match?: { readonly operation?: string; readonly path?: string };
  readonly probability?: number;
  readonly count?: number;
  readonly action: {
    readonly kind: string;
    readonly status?: number;
    readonly retryAfterMs?: number;
    readonly ms?: number;
  };
}

describe('with a database that fails now and then', () => {
  let api: HttpClient;
  let control: string;
  let receiver: Receiver;

  beforeAll(async () => {
    api = connect(faulty.url);
    control = `${/AccountEndpoint=([^;]+)/.exec(faulty.connections.cosmos)?.[1]}_skerry/faults`;
    receiver = await startReceiver();
  });
  beforeEach(async () => {
    await api.put('apps/dm', { config: 'old' });
    await api.put('services/web/instances/one', instance);
  });
  afterEach(async () => {
    await fetch(control, { method: 'DELETE' });
  });
  afterAll(async () => {
    await receiver?.stop();
  });

  async function inject(...rules: readonly FaultRule[]): Promise<void> {
    const answer = await fetch(control, { method: 'PUT', body: JSON.stringify({ rules }) });
    expect(answer.status).toBe(200);
  }

  it('short throttling is waited for', async () => {
    for (const operation of ['read', 'query', 'batch', 'create', 'replace']) {
      const action = { kind: 'status', status: 429, retryAfterMs: 20 };
      await inject({ match: { operation, path: 'records' }, count: 2, action });
      expect(await api.put('apps/dm', { config: operation })).toMatchObject({ status: 200 });
      expect((await api.get('apps/dm')).body).toMatchObject({ config: operation });
      expect((await api.get('services')).status).toBe(200);
    }
  });

  it.each<[what: string, action: FaultRule['action']]>([
    ['throttles everything for long', { kind: 'status', status: 429, retryAfterMs: 500 }],
    ['answers 503 to everything', { kind: 'status', status: 503 }],
    ['answers 408 to everything', { kind: 'status', status: 408 }],
    ['drops every connection', { kind: 'drop-before' }],
    ['does not answer in time', { kind: 'delay', ms: 8_000 }],
  ])('one that %s means 503 with Retry-After, soon, and nothing else', async (_, action) => {
    const calls = [...READS, ...WRITES].filter(
      ([method, path]) => method !== 'DELETE' && !path.includes('any'),
    );
    await inject({ action });
    const answers = await Promise.all(
      calls.map(async (call) => ({
        call: `${call[0]} ${call[1]}`,
        answer: await sendInTime(api, call),
      })),
    );
    for (const { call, answer } of answers) {
      expectUnavailable(answer, call);
    }
    await fetch(control, { method: 'DELETE' });
    expect((await api.get('apps/dm')).body).toMatchObject({ config: 'old' });
    expect((await api.get('services/web/instances/one')).body).not.toHaveProperty('zone');
  });

  it('a write whose answer was lost counts once, and is answered as if nothing had happened', async () => {
    const { revision } = (await api.get('apps/dm')).body as { revision: number };
    await inject({ match: { operation: 'batch' }, count: 1, action: { kind: 'drop-after' } });
    expect(await api.put('apps/dm', { config: 'once' })).toMatchObject({
      status: 200,
      body: { config: 'once', revision: revision + 1 },
    });
    await inject({ match: { operation: 'batch' }, count: 1, action: { kind: 'drop-after' } });
    expect(await api.put('apps/created', { config: 'once' })).toMatchObject({ status: 201 });
    await inject({ match: { operation: 'batch' }, count: 1, action: { kind: 'drop-after' } });
    expect(await api.delete('apps/created')).toMatchObject({ status: 204 });
    expect((await api.get('apps')).body).toMatchObject({ revision: revision + 3 });
  });

  it('a caller who allows age is served from memory, and told the age', async () => {
    const fresh = await api.get('apps');
    await api.get('services/web');
    await inject({ action: { kind: 'status', status: 503 } });
    const aged = { 'cache-control': 'max-stale=60' };
    expect(await api.get('apps', aged)).toMatchObject({ status: 200, body: fresh.body });
    expect(await api.get('services/web', aged)).toMatchObject({
      status: 200,
      headers: { age: expect.stringMatching(/^\d+$/) },
    });
    expectUnavailable(await api.get('apps'), 'GET apps');
  });

  it('no change is lost to a webhook', async () => {
    const endpoint = `${receiver.url}/faults`;
    await api.post('subscriptions', { name: 'all', key: '/app/told', endpoint });
    await inject(
      { probability: 0.1, action: { kind: 'status', status: 429, retryAfterMs: 5 } },
      { probability: 0.1, action: { kind: 'status', status: 503 } },
      { match: { operation: 'batch' }, probability: 0.2, action: { kind: 'drop-before' } },
      { match: { operation: 'batch' }, probability: 0.2, action: { kind: 'drop-after' } },
    );
    const acknowledged: unknown[] = [];
    for (let config = 1; config <= 30; config += 1) {
      const answer = await api.put('apps/told', { config });
      if (answer.status === 503) {
        expectUnavailable(answer, 'PUT apps/told');
      } else {
        expect([200, 201], answer.text).toContain(answer.status);
        acknowledged.push({ revision: (answer.body as { revision: number }).revision, after: { config } });
      }
    }
    expect(acknowledged).not.toEqual([]);
    await fetch(control, { method: 'DELETE' });
    await vi.waitFor(
      () =>
        expect(receiver.calls.map(toldBy)).toEqual(
          expect.arrayContaining(acknowledged.map((change) => expect.objectContaining(change))),
        ),
      DEADLINE,
    );
  });

  it('answers are right or 503, whatever fails at random', async () => {
    await inject(
      { probability: 0.15, action: { kind: 'status', status: 503 } },
      { probability: 0.1, action: { kind: 'status', status: 449 } },
      { match: { operation: 'batch' }, probability: 0.2, action: { kind: 'drop-before' } },
      { match: { operation: 'batch' }, probability: 0.2, action: { kind: 'drop-after' } },
    );
    await Promise.all(Array.from({ length: 6 }, (_, writer) => expectConsistency(api, `random${writer}`)));
  });
});

/** Writes and reads one application, and holds every answer against what can be there. */
async function expectConsistency(api: HttpClient, name: string): Promise<void> {
  let possible = new Set<number | undefined>([undefined]);
  for (let config = 0; config < 15; config += 1) {
    const written = config % 5 === 4 ? undefined : config;
    const answer =
      written === undefined
        ? await api.delete(`apps/${name}`)
        : await api.put(`apps/${name}`, { config: written });
    if (answer.status === 503) {
      expectUnavailable(answer, `write ${config} of ${name}`);
      possible.add(written);
    } else {
      const mayBeMissing = possible.has(undefined);
      const mayExist = possible.size > (mayBeMissing ? 1 : 0);
      const right =
        written === undefined
          ? [...(mayExist ? [204] : []), ...(mayBeMissing ? [404] : [])]
          : [...(mayExist ? [200] : []), ...(mayBeMissing ? [201] : [])];
      expect(right, answer.text).toContain(answer.status);
      possible = new Set([written]);
    }
    const read = await api.get(`apps/${name}`);
    if (read.status === 503) {
      expectUnavailable(read, `GET apps/${name}`);
    } else {
      expect([200, 404], read.text).toContain(read.status);
      const seen = read.status === 404 ? undefined : (read.body as { config: number }).config;
      expect(possible, `${read.status} after write ${config}`).toContain(seen);
      possible = new Set([seen]);
    }
  }
}

describe('the description of the API', () => {
  it('lists every route that is registered, with every method', async () => {
    const { body } = await connect(faulty.url).get('openapi.json');
    const { paths } = body as { paths: Record<string, object> };
    const described = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const registered = registeredEndpoints.map(
      ({ method, route }) => `${method} /${route.text.replaceAll('{*', '{')}`,
    );
    expect(described.sort()).toEqual(registered.sort());
  });
});
