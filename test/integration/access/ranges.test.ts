import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCESS_SCOPE, tokenKey } from '../../../shared/access/access-scope.ts';
import { digestOfToken, newTokenText, tokenIdOf } from '../../../shared/access/tokens/token.ts';
import type { Decision } from '../../../shared/records/index.ts';
import { BOOTSTRAP_TOKEN, type GuardedApi, startGuardedApi } from './guarded-api.ts';

let api: GuardedApi;

beforeAll(async () => {
  api = await startGuardedApi();
  for (const name of ['other', 'own']) {
    await admin('PUT', `/apps/${name}`, { config: { of: name } });
    for (const key of ['a', 'ab', 'a/1', 'a/2', 'b'])
      await admin('PUT', `/kv/${name}/${key}`, `${name} ${key}`);
    await admin('PUT', `/services/${name}/instances/one`, { endpoints: { http: `http://${name}.example` } });
    await admin('PUT', `/templates/${name}`, { name });
    await api.services.records.commit(
      { ns: 'default', kind: 'env', name },
      {
        key: `/env/${name}`,
        actor: 'test',
        decide: () => ({ type: 'put', listed: name, value: { id: name, name, ...ENVIRONMENT } }),
      },
    );
    await admin('PUT', `/resources/${name}/part`, { name: `resource of ${name}` });
  }
});

afterAll(async () => {
  await api.stop();
});

/** As its record has it. */
const ENVIRONMENT = {
  tags: [],
  state: 'Operational',
  stateSince: '2026-01-01T00:00:00.000Z',
  createdOn: '2026-01-01T00:00:00.000Z',
  templates: [{ id: 'own', version: 1, parameters: {} }],
};

async function call(authorization: string | undefined, method: string, path: string, body?: unknown) {
  const answer = await api.send({ method, path: `/api/v1${path}`, body, authorization });
  return { status: answer.status, json: answer.body === '' ? undefined : JSON.parse(answer.body) };
}

async function admin(method: string, path: string, body?: unknown) {
  const answer = await call(`Bearer ${BOOTSTRAP_TOKEN}`, method, path, body);
  expect(answer.status, JSON.stringify(answer.json)).toBeLessThan(300);
  return answer.json;
}

function as(role: string) {
  return async (method: string, path: string, body?: unknown) =>
    await call(api.authorizations.get(role), method, path, body);
}

const narrow = as('narrow');

describe('a range', () => {
  it('is refused as a whole to whom a part of it is allowed, whatever it would show', async () => {
    for (const path of [
      '/apps',
      '/services',
      '/templates',
      '/search?q=own',
      '/watch?wait=0',
      '/watch/kv?wait=0',
      '/resources',
    ]) {
      expect(await narrow('GET', path), path).toMatchObject({ status: 404 });
    }
    expect(await narrow('GET', '/kv/own/?prefix=a')).toMatchObject({ status: 200 });
    expect(await narrow('GET', '/resources?environment=own')).toMatchObject({ status: 200 });
    expect(await narrow('GET', '/resources?environment=other')).toMatchObject({ status: 404 });
  });

  it('is searched kind by kind by those who may not search everything', async () => {
    expect(await as('publisher')('GET', '/search?kind=app&q=own')).toMatchObject({
      json: { items: [{ key: '/app/own' }] },
    });
    expect(await as('dropper')('GET', '/search?kind=app&q=own')).toMatchObject({ status: 404 });
  });

  it('is what a cursor is read in, whatever range and whoever it was made for', async () => {
    const keys = (answer: { readonly json: { readonly items: readonly { readonly key: string }[] } }) =>
      answer.json.items.map(({ key }) => key);
    const whole = await admin('GET', '/kv/own/?limit=1');
    expect(keys(await narrow('GET', `/kv/own/?prefix=a/&after=${whole.next}`))).toEqual(['a/1', 'a/2']);
    const others = await admin('GET', '/resources?limit=1');
    const parts = await narrow('GET', `/resources?environment=own&after=${others.next}`);
    expect(parts.json.items.map((one: { environment: string }) => one.environment)).toEqual(['own']);
    const apps = await admin('GET', '/history/app?limit=1&order=oldest');
    const history = await narrow('GET', `/history/app/own?order=oldest&after=${apps.next}`);
    expect(history.json.changes.map((one: { key: string }) => one.key)).toEqual(['/app/own']);
  });

  it('is what is followed from a place that was told to somebody who watches more', async () => {
    const { cursor } = await admin('GET', '/watch?limit=1000');
    await admin('PUT', '/apps/other', { config: 2 });
    await admin('PUT', '/apps/own', { config: 2 });
    const wide = await admin('GET', `/watch?cursor=${cursor}&wait=0`);
    expect(wide.changes).toHaveLength(2);
    expect(await narrow('GET', `/watch/app/own?cursor=${cursor}&wait=0`)).toMatchObject({ status: 400 });
    const { json } = await narrow('GET', '/watch/app/own?since=0&wait=0');
    expect(json.changes.map((one: { key: string }) => one.key)).toEqual(['/app/own', '/app/own']);
    expect(await narrow('GET', '/watch/app/other?since=0&wait=0')).toMatchObject({ status: 404 });
  });

  it('is told no more to whoever waits, once they lose the right', async () => {
    const text = newTokenText();
    const digest = digestOfToken(text);
    const value = {
      name: 'a',
      roles: ['viewer'],
      ns: ['*'],
      sha256: digest.toString('hex'),
      createdBy: 'test',
    };
    const key = tokenKey(tokenIdOf(digest));
    const write = async (decision: Decision<typeof value>) =>
      await api.services.records.commit(ACCESS_SCOPE, { key, actor: 'test', decide: () => decision });
    await write({ type: 'put', value });
    const { json } = await call(`Bearer ${text}`, 'GET', '/watch/kv/waited');
    const waiting = call(`Bearer ${text}`, 'GET', `/watch/kv/waited?since=${json.revision}&wait=100`);
    await expect.poll(() => api.services.watches.held).toBe(1);
    await write({ type: 'delete' });
    await admin('PUT', '/kv/waited/a', 'written after that');
    expect(await waiting).toMatchObject({ status: 404 });
  });

  it('never holds roles and tokens, not even of everything', async () => {
    const { json } = await as('viewer')('GET', '/watch?limit=1000');
    expect(json.resync.items.some(({ key }: { key: string }) => key.startsWith('/access/'))).toBe(false);
    expect(JSON.stringify((await as('viewer')('GET', '/search?q=narrow')).json)).not.toContain('/access/');
    for (const path of [`/history/${ACCESS_SCOPE.kind}/tokens`, `/watch/${ACCESS_SCOPE.kind}/roles?wait=0`]) {
      expect((await as('viewer')('GET', path)).status, path).toBeGreaterThanOrEqual(400);
    }
  });
});

describe('what a request names besides its path', () => {
  it('is asked for: each key of a transaction by what is done to it', async () => {
    const dropper = as('dropper');
    const put = { else: [{ put: { key: 'b', value: 1 } }] };
    // It would show what was there before.
    expect(await dropper('POST', '/kv-transactions/own', put)).toMatchObject({ status: 404 });
    expect(await dropper('PUT', '/kv/own/b', 'dropped')).toMatchObject({ status: 200 });
    expect(
      await as('reader')('POST', '/kv-transactions/own', {
        compare: [{ key: 'b', exists: false }],
        else: [{ get: { key: 'b' } }],
      }),
    ).toMatchObject({
      json: { results: [{ get: { value: 'dropped' } }] },
    });
    expect(await as('reader')('POST', '/kv-transactions/own', put)).toMatchObject({
      status: 403,
    });
    expect(await as('viewer')('POST', '/kv-transactions/own', {})).toMatchObject({ status: 403 });
  });

  it('is asked for: the templates that one builds on', async () => {
    const template = { name: 'own', dependsOn: ['other'] };
    expect(await narrow('PUT', '/templates/own', template)).toMatchObject({ status: 404 });
    expect(await narrow('PUT', '/templates/own', { name: 'own', dependsOn: [] })).toMatchObject({
      status: 200,
    });
  });

  it('is not told where it stands in the way: environments that others may see use a template', async () => {
    const { status, json } = await narrow('DELETE', '/templates/own');
    expect({ status, ...json }).toMatchObject({ status: 409, environments: ['own'] });
    expect(json.detail).not.toContain('other');
  });
});
