import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FunctionsHost, startFunctionsHost } from './functions-host.ts';
import { type Answer, connect, expectProblem, type HttpClient } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';

const TOKEN = 'a-token-that-only-tests-know';
const TOKEN_SHA256 = createHash('sha256').update(TOKEN).digest('hex');
const WRONG_TOKEN = 'a-token-that-is-not-the-right-one';
/** Calls. */
const AT_ONCE = 16;

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly isOpen: boolean;
  readonly isLegacy: boolean;
}

let withToken: Skerry;
let skerries: { withoutToken: FunctionsHost; withToken: Skerry; withLegacy: FunctionsHost };
let operations: Operation[];

beforeAll(async () => {
  withToken = await startSkerry({
    flags: ['--workers', '1'],
    env: {
      SKERRY_LOCAL: 'false',
      SKERRY_BOOTSTRAP_TOKEN_SHA256: TOKEN_SHA256,
      SKERRY_WEBHOOK_ALLOW_PRIVATE: 'false',
    },
  });
  const { connections } = withToken;
  const [withoutToken, withLegacy] = await Promise.all([
    startFunctionsHost({ connections }),
    startFunctionsHost({
      connections,
      env: { SKERRY_BOOTSTRAP_TOKEN_SHA256: TOKEN_SHA256, SKERRY_LEGACY_ACCESS: 'open' },
    }),
  ]);
  skerries = { withoutToken, withToken, withLegacy };
  operations = await describedOperations(connect(withToken.url, TOKEN));
});

afterAll(async () => {
  await Promise.all([skerries?.withoutToken.stop(), skerries?.withLegacy.stop()]);
  await withToken?.stop();
});

/** What the environment controller tells of itself. */
const SELF = ['info', 'ping', 'liveliness', 'readiness', 'started'];

/** All that the API says of itself, with parameters filled in. */
async function describedOperations(api: HttpClient): Promise<Operation[]> {
  const { paths } = (await api.get('openapi.json')).body as {
    paths: Record<string, Record<string, { tags: string[]; security: object[]; 'x-skerry-access'?: object }>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { tags, security, 'x-skerry-access': access }]) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, 'thing'),
      isOpen: access === undefined && security.length === 0,
      isLegacy: access !== undefined && tags.includes('legacy'),
    })),
  );
}

/** In turns: all at once, each would take as long as all together, which on a slow machine is longer than Skerry waits for its database. */
async function callAll(api: HttpClient, wanted: readonly Operation[]) {
  expect(wanted).not.toEqual([]);
  const called: { readonly call: string; readonly answer: Answer }[] = [];
  for (let first = 0; first < wanted.length; first += AT_ONCE) {
    const turn = wanted.slice(first, first + AT_ONCE).map(async ({ method, path }) => ({
      call: `${method} ${path}`,
      answer: await api.send(method, path, ['PUT', 'POST'].includes(method) ? { body: {} } : {}),
    }));
    called.push(...(await Promise.all(turn)));
  }
  return called;
}

describe('outside local mode', () => {
  it('the probes are open, and links whose token is what they ask for, and nothing else is', async () => {
    expect(operations.filter(({ isOpen }) => isOpen).map(({ path }) => path)).toEqual([
      ...Array(3).fill('/api/v1/webhook-consents/thing/thing'),
      '/api/v1/health/live',
      '/api/v1/health/ready',
      '/liveness',
      '/readiness',
      '/health',
      ...SELF.map((name) => `/api/v1/self/${name}`),
    ]);
    for (const { url } of Object.values(skerries)) {
      for (const path of ['health/live', 'health/ready', '/liveness', '/readiness', '/health']) {
        // A dependency that takes longer than two seconds to answer counts as away.
        await expect.poll(async () => (await connect(url).get(path)).status, { message: path }).toBe(200);
      }
      for (const name of SELF) {
        const answer = await connect(url).get(`self/${name}`, { accept: 'application/json' });
        expect(answer.status, name).toBe(200);
      }
      expectProblem(await connect(url).get('webhook-consents/thing/thing'), 404);
      expectProblem(await connect(url).post('webhook-consents/thing/thing'), 404);
    }
  });

  it.each<[what: string, skerry: keyof typeof skerries, token: string | undefined]>([
    ['as long as no token is set', 'withoutToken', undefined],
    ['as long as no token is set, whatever token it carries', 'withoutToken', TOKEN],
    ['without a token', 'withToken', undefined],
    ['with another token', 'withToken', WRONG_TOKEN],
    ['without a token, where legacy surfaces are open', 'withLegacy', undefined],
  ])('every other call is refused %s', async (_, skerry, token) => {
    const closed = operations.filter(({ isOpen, isLegacy }) => !isOpen && !isLegacy);
    for (const { call, answer } of await callAll(connect(skerries[skerry].url, token), closed)) {
      const challenge = token === undefined ? 'Bearer' : 'Bearer error="invalid_token"';
      expect(answer.headers['www-authenticate'], call).toBe(challenge);
      expectProblem(answer, 401, { field: 'Authorization', fix: expect.stringContaining('Bearer') });
    }
  });

  it.each(['Basic', 'Token', ''])('the token has to be a bearer token, not "%s"', async (scheme) => {
    const headers = { authorization: `${scheme} ${TOKEN}` };
    expectProblem(await connect(skerries.withToken.url).get('apps', headers), 401);
  });

  it('a method that is not known is refused before it is looked at', async () => {
    const api = connect(skerries.withToken.url);
    expectProblem(await api.send('PATCH', 'apps/thing'), 401);
    expect((await api.send('HEAD', 'apps/thing')).status).toBe(401);
  });

  it('the right token opens everything', async () => {
    const api = connect(skerries.withToken.url, TOKEN);
    expect(await api.put('apps/dm', { config: 1 })).toMatchObject({ status: 201 });
    expect(await api.get('apps/dm')).toMatchObject({ status: 200, body: { config: 1 } });
    expect((await api.get('apps', { authorization: `bearer ${TOKEN}` })).status).toBe(200);
    const closed = operations.filter(({ isOpen, isLegacy }) => !isOpen && !isLegacy);
    for (const { call, answer } of await callAll(api, closed)) {
      expect([200, 201, 204, 400, 404, 415], call).toContain(answer.status);
    }
  });

  it('a token of Skerry opens what its roles allow, and nothing once it is revoked', async () => {
    const api = connect(skerries.withToken.url, TOKEN);
    const made = await api.post('tokens', { name: 'agent of web', roles: ['agent:web'] });
    expect(made, made.text).toMatchObject({ status: 201, body: { token: expect.stringMatching(/^skt_/) } });
    const { id, token } = made.body as { id: string; token: string };
    const agent = connect(skerries.withToken.url, token);
    const instance = { endpoints: { http: 'http://10.0.0.1:80' } };
    expect((await agent.put('services/web/instances/1', instance)).status).toBe(201);
    expectProblem(await agent.put('services/shop/instances/1', instance), 403);
    expectProblem(await agent.put('apps/web', { config: 1 }), 403);
    expectProblem(await agent.put('apps/mine', { config: 1 }), 404);
    expect((await agent.get('whoami')).body).toMatchObject({ actor: `token:${id}`, roles: ['agent:web'] });
    expect((await api.send('DELETE', `tokens/${id}`)).status).toBe(204);
    expectProblem(await agent.get('services'), 401);
  });

  it('legacy surfaces are not there unless they are opened', async () => {
    const legacy = operations.filter(({ isLegacy }) => isLegacy);
    for (const client of [connect(skerries.withToken.url), connect(skerries.withToken.url, TOKEN)]) {
      for (const { call, answer } of await callAll(client, legacy)) {
        expect(answer.status, call).toBe(404);
        if (!call.startsWith('HEAD')) {
          expectProblem(answer, 404);
        }
      }
    }
  });

  it('legacy surfaces that are opened work without a token, as their clients need', async () => {
    const [anyone, holder] = [connect(skerries.withLegacy.url), connect(skerries.withLegacy.url, TOKEN)];
    expect((await anyone.put('/app/dm', { name: 'dm', config: {} })).status).toBe(200);
    expect((await anyone.get('/app/dm')).status).toBe(200);
    expect((await anyone.get('/registry/list')).status).toBe(200);
    const made = await anyone.put('environment', { _key: 'e', name: 'E' }, { accept: 'application/json' });
    expect(made.status).toBe(201);
    expectProblem(await anyone.get('environments/e'), 401);
    expect(await holder.get('apps/dm')).toMatchObject({ status: 200, body: { name: 'dm' } });
  });

  it('webhooks may not call what is not on the public internet, where that is not allowed', async () => {
    const api = connect(skerries.withToken.url, TOKEN);
    for (const endpoint of [
      'http://example.com/',
      'https://127.0.0.1/',
      'https://10.0.0.1/',
      'https://[::1]/',
    ]) {
      const answer = await api.post('subscriptions', { name: 'inward', key: '/app', endpoint });
      expectProblem(answer, 400, { field: 'endpoint' });
    }
    expect((await api.get('subscriptions')).body).toMatchObject({ items: [] });
  });

  it('webhooks call nobody who has not consented', async () => {
    const api = connect(skerries.withToken.url, TOKEN);
    const endpoint = 'https://nobody.invalid/hook';
    const created = await api.post('subscriptions', { name: 'asked', key: '/app', endpoint });
    expect(created, created.text).toMatchObject({
      status: 201,
      body: { state: 'unconfirmed', consent: { granted: false }, reason: expect.stringContaining('in vain') },
    });
  });

  it('the banner says that the API is closed', () => {
    expect(skerries.withToken.output()).toContain('closed: asks for a token');
    expect(skerries.withToken.output()).not.toContain(TOKEN);
  });
});
