import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyWebhook } from '../../../client/index.ts';
import { endpoints } from '../../../functions/http/endpoints.ts';
import { composeServices, type Services } from '../../../functions/services.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { createRouteHandlers, type RouteHandler } from '../../../shared/platform/http/index.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { Sealer } from '../../../shared/platform/sealer.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { CONNECTIONS, COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import type { Change, Json } from '../../../shared/records/index.ts';
import { RequestWriter, type Subscription, Subscriptions } from '../../../shared/webhooks/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';

const KEY = randomBytes(32).toString('base64');
const input = { name: 'dm', key: '/app/dm', endpoint: 'https://example.com/hook' };
const author = { actor: 'test' };

let cosmos: CosmosFixture;
let services: Services;
let handlers: readonly RouteHandler[];

beforeAll(async () => {
  cosmos = await startCosmos();
  services = composeServices(settingsWith(KEY));
  handlers = handlersOf(services);
});

afterAll(async () => {
  services.database.client.dispose();
  await cosmos.stop();
});

function settingsWith(keys: string) {
  return readSettings({
    [CONNECTIONS.cosmos]: cosmos.server.connectionString,
    [CONNECTIONS.serviceBus]: 'not used here',
    [CONNECTIONS.blob]: 'not used here',
    SKERRY_LOCAL: 'true',
    SKERRY_SECRET_KEYS: keys,
  });
}

function handlersOf(of: Services): readonly RouteHandler[] {
  return createRouteHandlers(endpoints, {
    services: of,
    access: of.access,
    settings: of.settings,
    random: of.random,
  });
}

async function call(method: string, path: string, body?: unknown, from = handlers) {
  const [, , id, operation] = path.split('/');
  const route = ['api/v1/subscriptions', ...(id ? ['{id}'] : []), ...(operation ? [operation] : [])].join(
    '/',
  );
  const handler = from.find((candidate) => candidate.route === route);
  const request = new Request(`http://skerry.test/api/v1${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer = await handler?.handle(request, { traceparent: undefined, logError: () => {} });
  const text = typeof answer?.body === 'string' ? answer.body : '';
  return { status: answer?.status, headers: answer?.headers, json: JSON.parse(text), text };
}

const change: Change<Json> = {
  revision: 1,
  key: '/app/dm',
  type: 'put',
  value: { config: 'blåbær' },
  actor: 'test',
  at: '2026-01-01T00:00:00.000Z',
  writeId: 'w',
};

function requestTo(subscription: Subscription, now = Date.now()) {
  const writer = new RequestWriter({
    sealer: new Sealer([Buffer.from(KEY, 'base64')]),
    publicUrl: undefined,
  });
  return writer.write({ subscription, delivery: 'dlv_1', scope: 'default:app:', change, now });
}

function verify(secret: string, { headers, body }: ReturnType<typeof requestTo>): unknown {
  return new Webhook(secret).verify(body, headers);
}

test('a secret is shown once, verifies what is sent, and stands nowhere in the clear', async () => {
  const token = 'Bearer very-secret-token';
  const created = await call('POST', '/subscriptions', { ...input, headers: { Authorization: token } });
  const { id, secret } = created.json;
  const subscription = await services.subscriptions.get('default', id);
  const request = requestTo(subscription);
  expect(verify(secret, request)).toMatchObject({ type: 'app.put' });
  expect(
    await verifyWebhook({ payload: request.body, headers: request.headers, secrets: secret }),
  ).toMatchObject({
    type: 'app.put',
  });
  expect(request).toMatchObject({ headers: { authorization: token }, secrets: [token] });

  const replaced = await call('PUT', `/subscriptions/${id}`, { ...input, headers: { authorization: token } });
  const answers = [replaced, await call('GET', `/subscriptions/${id}`), await call('GET', '/subscriptions')];
  expect(replaced.json).toMatchObject({ headers: ['authorization'] });
  const stored: unknown[] = [];
  for (const { id: container } of Object.values(COSMOS_CONTAINERS)) {
    const query = services.database.container(container).items.query('SELECT * FROM c');
    stored.push(...(await query.fetchAll()).resources);
  }
  expect(stored.length).toBeGreaterThan(0);
  const text = JSON.stringify([stored, answers.map((answer) => answer.text)]);
  expect(text).toContain(id);
  for (const plain of [secret, secret.slice('whsec_'.length), token, KEY]) {
    expect(text).not.toContain(plain);
  }
});

test('an ed25519 subscription shows its public key, always, and never another one', async () => {
  const { json: created, text } = await call('POST', '/subscriptions', { ...input, signature: 'v1a' });
  expect(created).not.toHaveProperty('secret');
  expect(text).not.toContain('whsk_');
  const [{ version, publicKey }] = created.signing;
  expect(version).toBe('v1a');
  expect((await call('GET', `/subscriptions/${created.id}`)).json.signing).toEqual(created.signing);
  const { headers, body } = requestTo(await services.subscriptions.get('default', created.id));
  expect(headers['webhook-signature']).toMatch(/^v1a,/);
  await verifyWebhook({ payload: body, headers, secrets: publicKey });
  await expect(verifyWebhook({ payload: `${body} `, headers, secrets: publicKey })).rejects.toMatchObject({
    code: 'no-matching-signature',
  });
});

test('a rotated secret signs beside the old one until that has expired', async () => {
  const { json: created } = await call('POST', '/subscriptions', input);
  const path = `/subscriptions/${created.id}`;
  const rotatedAfter = Date.now();
  const rotated = await call('POST', `${path}/rotate-secret`, { overlapSeconds: 60 });
  expect(rotated).toMatchObject({
    status: 200,
    headers: { ETag: rotated.json.revision && `"${rotated.json.revision}"` },
  });
  expect(rotated.json.secret).not.toBe(created.secret);
  const [current, old] = rotated.json.signing;
  expect(current).not.toHaveProperty('expiresAt');
  expect(old.id).toBe(created.signing[0].id);
  expect(Date.parse(old.expiresAt)).toBeGreaterThanOrEqual(rotatedAfter + 60_000);
  expect(Date.parse(old.expiresAt)).toBeLessThanOrEqual(Date.now() + 60_000);

  const subscription = await services.subscriptions.get('default', created.id);
  const during = requestTo(subscription);
  expect(verify(created.secret, during)).toBeDefined();
  expect(verify(rotated.json.secret, during)).toBeDefined();
  const after = requestTo(subscription, Date.parse(old.expiresAt));
  expect(verify(rotated.json.secret, after)).toBeDefined();
  expect(() => verify(created.secret, after)).toThrow(/signature/);

  const cut = await call('POST', `${path}/rotate-secret`, { overlapSeconds: 0, signature: 'v1a' });
  expect(cut.json.signing).toMatchObject([{ version: 'v1a', publicKey: expect.stringMatching(/^whpk_/) }]);
  const again = await call('POST', `${path}/rotate-secret`, {});
  expect(again.json.signing).toMatchObject([{ version: 'v1a' }, { version: 'v1a' }]);
});

test('keys that have expired leave with the next write', async () => {
  let now = Date.now();
  const subscriptions = new Subscriptions({
    records: services.records,
    clock: { ...systemClock, now: () => now },
    random: systemRandom,
    sealer: new Sealer([randomBytes(32)]),
    endpointPolicy: { allowPrivate: false, ports: [443] },
  });
  const { id } = await subscriptions.create('expiry', input, author);
  await subscriptions.rotateSecret('expiry', id, { overlapSeconds: 10 }, author);
  now += 9_999;
  const kept = await subscriptions.replace('expiry', id, { ...input, name: 'a' }, author);
  expect(kept.signing).toHaveLength(2);
  now += 1;
  expect(await subscriptions.replace('expiry', id, { ...input, name: 'a' }, author)).toEqual(kept);
  const left = await subscriptions.replace('expiry', id, { ...input, name: 'b' }, author);
  expect(left.signing).toEqual(kept.signing?.slice(0, 1));
});

test('no more than five keys sign at a time', async () => {
  const { json: created } = await call('POST', '/subscriptions', input);
  const rotate = (overlapSeconds: number) =>
    call('POST', `/subscriptions/${created.id}/rotate-secret`, { overlapSeconds });
  for (let nth = 0; nth < 4; nth += 1) {
    expect((await rotate(3600)).status).toBe(200);
  }
  expect(await rotate(3600)).toMatchObject({ status: 409, json: { field: 'overlapSeconds' } });
  expect((await rotate(0)).json.signing).toHaveLength(1);
});

test.each([
  ['a negative overlap', { overlapSeconds: -1 }],
  ['more than a week', { overlapSeconds: 7 * 86_400 + 1 }],
  ['a secret of one’s own', { secret: 'whsec_x' }],
])('%s is refused', async (_, body) => {
  const { json: created } = await call('POST', '/subscriptions', input);
  expect((await call('POST', `/subscriptions/${created.id}/rotate-secret`, body)).status).toBe(400);
  expect((await call('GET', `/subscriptions/${created.id}`)).json.signing).toEqual(created.signing);
});

test('what has no secret is signed once it is rotated, except for Nesoi’s hooks', async () => {
  const old = {
    name: 'old',
    key: '/app',
    endpoint: input.endpoint,
    format: 'change',
    since: { at: change.at },
  };
  await services.records.commit<Json>(
    { ns: 'default', kind: 'hook', name: '' },
    { key: '/hook/sub_old', ...author, decide: () => ({ type: 'put', value: old }) },
  );
  expect((await call('GET', '/subscriptions/sub_old')).json).toMatchObject({
    format: 'standard',
    signing: [],
  });
  const unsigned = requestTo(await services.subscriptions.get('default', 'sub_old'));
  expect(unsigned.headers).not.toHaveProperty('webhook-signature');
  const { json: rotated } = await call('POST', '/subscriptions/sub_old/rotate-secret', {});
  const signed = requestTo(await services.subscriptions.get('default', 'sub_old'));
  expect(verify(rotated.secret, signed)).toBeDefined();

  const hook = { name: 'h', endpoint: input.endpoint, baseUrl: 'http://skerry.test' };
  const { id } = await services.nesoiHooks.create('default', '/app/dm', hook, author);
  expect((await call('POST', `/subscriptions/${id}/rotate-secret`, {})).status).toBe(409);
  expect((await call('POST', '/subscriptions/sub_none/rotate-secret', {})).status).toBe(404);
});

test('without a key to seal with, what would be signed is 503 with what to set, and hooks of Nesoi’s work', async () => {
  const keyless = composeServices(settingsWith(''));
  try {
    const answer = await call('POST', '/subscriptions?ns=keyless', input, handlersOf(keyless));
    expect(answer).toMatchObject({
      status: 503,
      json: {
        detail: expect.stringContaining('SKERRY_SECRET_KEYS'),
        fix: expect.stringContaining('openssl rand'),
      },
    });
    const hook = { name: 'h', endpoint: input.endpoint, baseUrl: 'http://skerry.test' };
    await keyless.nesoiHooks.create('keyless', '/app/dm', hook, author);
    expect((await keyless.subscriptions.list('keyless')).subscriptions).toHaveLength(1);
  } finally {
    keyless.database.client.dispose();
  }
});
