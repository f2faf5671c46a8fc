import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpoints } from '../../../functions/http/endpoints.ts';
import { composeServices, type Services } from '../../../functions/services.ts';
import { createRouteHandlers, type RouteHandler } from '../../../shared/platform/http/index.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { CONNECTIONS } from '../../../shared/platform/topology.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';

let cosmos: CosmosFixture;
let services: Services;
let handlers: readonly RouteHandler[];

beforeAll(async () => {
  cosmos = await startCosmos();
  const settings = readSettings({
    [CONNECTIONS.cosmos]: cosmos.server.connectionString,
    [CONNECTIONS.serviceBus]: 'not used here',
    [CONNECTIONS.blob]: 'not used here',
    SKERRY_LOCAL: 'true',
  });
  services = composeServices(settings);
  handlers = createRouteHandlers(endpoints, { services, settings, random: services.random });
});

afterAll(async () => {
  services.database.client.dispose();
  await cosmos.stop();
});

/** Calls the API without a host: the function of `/apps`, or that of `/apps/{name}`. */
async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const route = path.split('?')[0] === '/apps' ? 'api/v1/apps' : 'api/v1/apps/{name}';
  const handler = handlers.find((candidate) => candidate.route === route);
  const request = new Request(`http://skerry.test/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const logged: unknown[] = [];
  const invocation = { traceparent: undefined, logError: (...entry: unknown[]) => logged.push(entry) };
  const answer = await handler?.handle(request, invocation);
  const text = typeof answer?.body === 'string' ? answer.body : '';
  return {
    status: answer?.status,
    headers: answer?.headers ?? {},
    json: text === '' ? undefined : JSON.parse(text),
    logged,
  };
}

describe('/api/v1/apps/{name}', () => {
  it('is created, read, replaced and deleted, with revision and entity tag throughout', async () => {
    const created = await call('PUT', '/apps/dm?ns=life', { config: { a: 1 } });
    expect(created.status).toBe(201);
    expect(created.headers).toMatchObject({
      ETag: '"1"',
      'X-Skerry-Revision': '1',
      Location: 'http://skerry.test/api/v1/apps/dm?ns=life',
    });
    expect(created.json).toEqual({
      name: 'dm',
      config: { a: 1 },
      revision: 1,
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: expect.stringMatching(/Z$/),
    });

    const read = await call('GET', '/apps/dm?ns=life');
    expect(read).toMatchObject({ status: 200, headers: { ETag: '"1"' }, json: created.json });

    const replaced = await call('PUT', '/apps/dm?ns=life', { config: { a: 2 } });
    expect(replaced).toMatchObject({ status: 200, headers: { ETag: '"2"' }, json: { revision: 2 } });
    const repeated = await call('PUT', '/apps/dm?ns=life', { config: { a: 2 } });
    expect(repeated).toMatchObject({ status: 200, headers: { ETag: '"2"' }, json: replaced.json });

    const deleted = await call('DELETE', '/apps/dm?ns=life');
    expect(deleted).toMatchObject({ status: 204, headers: { 'X-Skerry-Revision': '3' } });
    expect((await call('GET', '/apps/dm?ns=life')).status).toBe(404);
    expect((await call('DELETE', '/apps/dm?ns=life')).status).toBe(404);
  });

  it('is the same under HEAD, without the body', async () => {
    await call('PUT', '/apps/dm?ns=head', { config: 1 });
    const head = await call('HEAD', '/apps/dm?ns=head');
    expect(head).toMatchObject({ status: 200, headers: { ETag: '"1"' }, json: undefined });
    expect((await call('HEAD', '/apps/none?ns=head')).status).toBe(404);
  });

  it('is 304 for who has it, and 412 for who writes on an old one', async () => {
    await call('PUT', '/apps/dm?ns=tags', { config: 1 });
    const known = await call('GET', '/apps/dm?ns=tags', undefined, { 'if-none-match': '"1"' });
    expect(known).toMatchObject({ status: 304, headers: { ETag: '"1"' } });
    const conflicting = await call('PUT', '/apps/dm?ns=tags', { config: 2 }, { 'if-match': '"7"' });
    expect(conflicting).toMatchObject({ status: 412, json: { field: 'If-Match' } });
    const second = await call('PUT', '/apps/dm?ns=tags', { config: 2 }, { 'if-none-match': '*' });
    expect(second.status).toBe(412);
    const first = await call('PUT', '/apps/new?ns=tags', { config: 2 }, { 'if-match': '*' });
    expect(first.status).toBe(412);
    expect((await call('GET', '/apps?ns=tags')).json.revision).toBe(1);
  });

  it.each([
    [{ config: { port: 'x' }, schema: { properties: { port: { type: 'integer' } } } }, 422, 'config.port'],
    [{ config: 1, schema: { type: 'nothing' } }, 422, 'schema.type'],
    [{ config: 1, schema: 'text' }, 400, 'schema'],
    [{ config: 1, extra: [] }, 400, 'extra'],
    [{ schema: {} }, 400, 'config'],
    [{ config: 1, colour: 2 }, 400, 'colour'],
    [[], 400, undefined],
    [{ config: 'x'.repeat(256 * 1024) }, 413, 'config'],
    [{ config: 'x'.repeat(310 * 1024) }, 413, undefined],
  ])('refuses %.60j with %i about %s and writes nothing', async (body, status, field) => {
    const answer = await call('PUT', '/apps/bad?ns=bad', body);
    expect(answer.json).toMatchObject({ status, detail: expect.any(String) });
    expect(answer.json.field).toBe(field);
    expect((await call('GET', '/apps?ns=bad')).json).toEqual({ items: [], revision: 0 });
  });
});

describe('/api/v1/apps', () => {
  it('lists by name in pages, under one revision', async () => {
    for (const name of ['b', 'a', 'c']) {
      await call('PUT', `/apps/${name}?ns=pages`, { config: name });
    }
    const first = await call('GET', '/apps?ns=pages&limit=2');
    expect(first.headers).toMatchObject({ ETag: '"3"', 'X-Skerry-Revision': '3', Age: '0' });
    expect(first.json.items.map(({ name }: { name: string }) => name)).toEqual(['a', 'b']);
    const second = await call('GET', `/apps?ns=pages&limit=2&after=${first.json.next}`);
    expect(second.json).toMatchObject({ revision: 3, items: [{ name: 'c' }] });
    expect(second.json).not.toHaveProperty('next');
    expect((await call('GET', '/apps?ns=pages&after=nonsense')).status).toBe(400);
  });

  it('is 304 until something changes', async () => {
    await call('PUT', '/apps/dm?ns=listed', { config: 1 });
    const { headers } = await call('GET', '/apps?ns=listed');
    const conditional = { 'if-none-match': headers.ETag ?? '' };
    expect((await call('GET', '/apps?ns=listed', undefined, conditional)).status).toBe(304);
    await call('PUT', '/apps/dm?ns=listed', { config: 2 });
    expect((await call('GET', '/apps?ns=listed', undefined, conditional)).status).toBe(200);
  });
});

describe('while the database is away', () => {
  it('reads and writes are 503 with Retry-After, and listings that may be old still answer', async () => {
    await call('PUT', '/apps/dm?ns=away', { config: 1 });
    await call('GET', '/apps?ns=away');
    await cosmos.server.stop();
    const write = await call('PUT', '/apps/dm?ns=away', { config: 2 });
    expect(write).toMatchObject({ status: 503, headers: { 'Retry-After': '2' } });
    expect(write.json.type).toBe('https://skerry.dev/problems/unavailable');
    expect(write.logged).toHaveLength(1);
    expect((await call('GET', '/apps/dm?ns=away')).status).toBe(503);
    expect((await call('GET', '/apps?ns=away')).status).toBe(503);
    const stale = await call('GET', '/apps?ns=away', undefined, { 'cache-control': 'max-stale=60' });
    expect(stale).toMatchObject({ status: 200, json: { items: [{ name: 'dm', config: 1 }] } });
  });
});
