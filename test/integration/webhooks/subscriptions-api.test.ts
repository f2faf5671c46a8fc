import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endpoints } from '../../../functions/http/endpoints.ts';
import { composeServices, type Services } from '../../../functions/services.ts';
import { createRouteHandlers, type RouteHandler } from '../../../shared/platform/http/index.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { CONNECTIONS } from '../../../shared/platform/topology.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { eventually, type Servers, startServers } from './webhooks-fixture.ts';

const input = { name: 'dm', key: '/app/dm', endpoint: 'https://example.com/hook' };

let servers: Servers;
let services: Services;
let handlers: readonly RouteHandler[];
let receiver: Receiver;

beforeAll(async () => {
  servers = await startServers();
  receiver = await startReceiver();
  const settings = readSettings({
    [CONNECTIONS.cosmos]: servers.cosmos.server.connectionString,
    [CONNECTIONS.serviceBus]: servers.serviceBus.connectionString,
    [CONNECTIONS.blob]: 'not used here',
    SKERRY_LOCAL: 'true',
    SKERRY_WEBHOOK_ALLOW_PRIVATE: 'true',
    SKERRY_SECRET_KEYS: randomBytes(32).toString('base64'),
  });
  services = composeServices(settings);
  handlers = createRouteHandlers(endpoints, {
    services,
    access: services.access,
    settings,
    random: services.random,
  });
});

afterAll(async () => {
  services.database.client.dispose();
  await (await services.serviceBus).close();
  await receiver.stop();
  await servers.stop();
});

/** Calls the API without a host. */
async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const segments = path.split('?')[0]?.split('/').slice(1) ?? [];
  const route = ['api/v1/subscriptions', '/{id}', '/deliveries'].slice(0, segments.length).join('');
  const handler = handlers.find((candidate) => candidate.route === route);
  const request = new Request(`http://skerry.test/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer = await handler?.handle(request, { traceparent: undefined, logError: () => {} });
  const text = typeof answer?.body === 'string' ? answer.body : '';
  return {
    status: answer?.status,
    headers: answer?.headers ?? {},
    json: text === '' ? undefined : JSON.parse(text),
  };
}

test('a subscription is created, read, replaced and deleted, with revision and entity tag throughout', async () => {
  const created = await call('POST', '/subscriptions?ns=life', input);
  expect(created.status).toBe(201);
  const { secret, ...shown } = created.json;
  const { id } = shown;
  expect(secret).toMatch(/^whsec_.{44}$/);
  expect(shown).toEqual({
    ...input,
    id: expect.stringMatching(/^sub_/),
    createdBy: 'local',
    format: 'standard',
    ordered: false,
    signing: [{ id: expect.stringMatching(/^key_/), version: 'v1', createdAt: expect.stringMatching(/Z$/) }],
    state: 'active',
    revision: 1,
    createdAt: expect.stringMatching(/Z$/),
    updatedAt: expect.stringMatching(/Z$/),
  });
  const location = `http://skerry.test/api/v1/subscriptions/${id}?ns=life`;
  expect(created.headers).toMatchObject({ ETag: '"1"', 'X-Skerry-Revision': '1', Location: location });

  expect(await call('GET', `/subscriptions/${id}?ns=life`)).toMatchObject({
    status: 200,
    json: shown,
  });
  const unchanged = await call('GET', `/subscriptions/${id}?ns=life`, undefined, { 'if-none-match': '"1"' });
  expect(unchanged).toMatchObject({ status: 304, json: undefined });
  const replaced = await call('PUT', `/subscriptions/${id}?ns=life`, { ...input, key: '/app' });
  expect(replaced).toMatchObject({
    status: 200,
    headers: { ETag: '"2"' },
    json: { key: '/app', revision: 2 },
  });
  const outdated = await call('DELETE', `/subscriptions/${id}?ns=life`, undefined, { 'if-match': '"1"' });
  expect(outdated.status).toBe(412);
  const deleted = await call('DELETE', `/subscriptions/${id}?ns=life`);
  expect(deleted).toMatchObject({ status: 204, headers: { 'X-Skerry-Revision': '3' } });
  expect((await call('GET', `/subscriptions/${id}?ns=life`)).status).toBe(404);
  expect((await call('GET', `/subscriptions/${id}/deliveries?ns=life`)).status).toBe(404);
});

test('subscriptions are listed page by page, Nesoi’s hooks among them', async () => {
  const author = { actor: 'test' };
  const hook = { name: 'h', endpoint: input.endpoint, baseUrl: 'http://skerry.test' };
  await services.nesoiHooks.create('list', '/srv/web', hook, author);
  await call('POST', '/subscriptions?ns=list', input);
  const first = await call('GET', '/subscriptions?ns=list&limit=1');
  expect(first).toMatchObject({ status: 200, headers: { ETag: '"2"' }, json: { revision: 2 } });
  const second = await call('GET', `/subscriptions?ns=list&limit=1&after=${first.json.next}`);
  const items = [...first.json.items, ...second.json.items];
  expect(items.map(({ format }) => format).sort()).toEqual(['nesoi', 'standard']);
  expect(second.json).not.toHaveProperty('next');
  expect(JSON.stringify(items)).not.toContain('baseUrl');
});

test.each([
  ['an unknown field', { ...input, secret: 'x' }, 'secret'],
  ['a type of change that is none', { ...input, types: ['put', 'create'] }, 'types[1]'],
  ['no types at all', { ...input, types: [] }, 'types'],
  ['too many JSON Pointers', { ...input, fields: Array(21).fill('/a') }, 'fields'],
  ['no fields at all', { ...input, fields: [] }, 'fields'],
  ['a header that is no text', { ...input, headers: { 'x-a': 1 } }, 'headers.x-a'],
  ['Nesoi’s format', { ...input, format: 'nesoi' }, 'format'],
  ['a missing key', { name: 'dm', endpoint: input.endpoint }, 'key'],
  ['a key that cannot be watched', { ...input, key: '/hook' }, 'key'],
  ['a name that is none', { ...input, name: 'a b' }, 'name'],
  ['an endpoint that is none', { ...input, endpoint: 'example.com' }, 'endpoint'],
])('%s is 400 and names the field', async (_, body, field) => {
  const answer = await call('POST', '/subscriptions?ns=bad', body);
  expect(answer.status).toBe(400);
  expect(JSON.stringify(answer.json)).toContain(field);
  expect((await call('GET', '/subscriptions?ns=bad')).json).toMatchObject({ items: [], revision: 0 });
});

test('what became of a change stands in the deliveries, by state', async () => {
  receiver.answer = () => 404;
  const { json: subscription } = await call('POST', '/subscriptions?ns=fate', {
    ...input,
    endpoint: receiver.url,
  });
  await services.records.commit(
    { ns: 'fate', kind: 'app', name: '' },
    { key: '/app/dm', actor: 'test', decide: () => ({ type: 'put', value: {} }) },
  );
  const message = {
    scope: 'fate:app:',
    revision: 1,
    key: '/app/dm',
    subscription: subscription.id,
    attempt: 1,
  };
  await services.deliveries.handle(message, console);

  const path = `/subscriptions/${subscription.id}/deliveries?ns=fate`;
  await eventually(() => expect(receiver.calls).toHaveLength(1));
  const pending = await call('GET', `${path}&state=pending`);
  expect(pending.json).toMatchObject({
    items: [
      {
        id: receiver.calls[0]?.headers['webhook-id'],
        subscription: subscription.id,
        scope: 'fate:app:',
        revision: 1,
        key: '/app/dm',
        state: 'pending',
        createdAt: expect.stringMatching(/Z$/),
        attempts: [
          {
            at: expect.stringMatching(/Z$/),
            durationMs: expect.any(Number),
            status: 404,
            error: 'HTTP 404: no, not now',
          },
        ],
        nextAt: expect.stringMatching(/Z$/),
      },
    ],
  });
  expect((await call('GET', `${path}&state=dead`)).json).toEqual({ items: [] });
  expect((await call('GET', path)).json.items).toHaveLength(1);
  expect((await call('GET', `${path}&state=lost`)).status).toBe(400);
});
