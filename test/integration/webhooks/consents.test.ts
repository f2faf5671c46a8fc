import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { endpoints } from '../../../functions/http/endpoints.ts';
import { composeServices, type Services } from '../../../functions/services.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { unavailable } from '../../../shared/platform/errors.ts';
import {
  createRouteHandlers,
  nobody,
  type RouteHandler,
  unrestricted,
} from '../../../shared/platform/http/index.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { Sealer } from '../../../shared/platform/sealer.ts';
import { readSettings } from '../../../shared/platform/settings.ts';
import { CONNECTIONS } from '../../../shared/platform/topology.ts';
import {
  Activation,
  type ConsentMessage,
  Consents,
  createWebhookClient,
  type QueueMessage,
} from '../../../shared/webhooks/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { type ConsentingReceiver, startConsentingReceiver } from './consenting-receiver.ts';

/** For an answer: a busy machine is not taken for a slow receiver, and the test of one need not wait long. */
const [PATIENT_MILLISECONDS, IMPATIENT_MILLISECONDS] = [45_000, 300];
const ORIGIN = 'skerry.test';

let cosmos: CosmosFixture;
let services: Services;
let handlers: readonly RouteHandler[];
let receiver: ConsentingReceiver;
/** All that was put on the queue. */
let messages: { readonly message: QueueMessage; readonly at: number }[];
/** Whether the bus answers. */
let isBusUp: boolean;
/** Whether the process ends when it is about to ask. */
let isRevoked: boolean;
let isKilled: boolean;
let isImpatient: boolean;
let ns: string;
let namespaces = 0;

beforeAll(async () => {
  cosmos = await startCosmos();
  const settings = readSettings({
    [CONNECTIONS.cosmos]: cosmos.server.connectionString,
    [CONNECTIONS.serviceBus]: 'not used here',
    [CONNECTIONS.blob]: 'not used here',
    SKERRY_LOCAL: 'true',
    SKERRY_WEBHOOK_ALLOW_PRIVATE: 'true',
    SKERRY_SECRET_KEYS: randomBytes(32).toString('base64'),
  });
  services = composeServices(settings);
  const clock = systemClock;
  const random = systemRandom;
  const { subscriptions } = services;
  const queue = {
    async schedule(message: QueueMessage, at: number) {
      if (!isBusUp) {
        throw unavailable('The bus is away.');
      }
      messages.push({ message, at });
    },
  };
  const policy = { allowPrivate: true, ports: [] };
  const clientFor = (timeoutMilliseconds: number) =>
    createWebhookClient({ policy, timeoutMilliseconds, clock });
  const [patient, impatient] = [clientFor(PATIENT_MILLISECONDS), clientFor(IMPATIENT_MILLISECONDS)];
  const consents = new Consents({
    subscriptions,
    activation: new Activation({ subscriptions, queue, clock, random }),
    queue,
    async askForConsent(question) {
      if (isKilled) {
        throw new Error('The process was killed.');
      }
      return await (isImpatient ? impatient : patient).askForConsent(question);
    },
    sealer: new Sealer([randomBytes(32)]),
    callerOf: async (maker) => (isRevoked ? nobody(maker.actor) : unrestricted(maker.actor)),
    clock,
    random,
    isDefault: true,
    retrySeconds: [60, 600],
  });
  Object.defineProperty(services, 'consents', { value: consents });
  handlers = createRouteHandlers(endpoints, { services, access: services.access, settings, random });
});

afterAll(async () => {
  services.database.client.dispose();
  await cosmos.stop();
});

beforeEach(async () => {
  namespaces += 1;
  ns = `ns${namespaces}`;
  messages = [];
  isBusUp = true;
  isKilled = false;
  isImpatient = false;
  isRevoked = false;
  receiver = await startConsentingReceiver();
});

afterEach(async () => {
  await receiver.stop();
});

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly reason?: string;
  readonly revision: number;
  readonly consent?: { readonly granted: boolean; readonly ratePerMinute?: number; readonly origin: string };
}

/** Calls the API without a host. */
async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const segments = path.split('?')[0]?.split('/') ?? [];
  const matching = handlers.filter(({ route }) => {
    const parts = route.split('/').slice(2);
    return (
      parts.length === segments.length &&
      parts.every((part, nth) => part.startsWith('{') || part === segments[nth])
    );
  });
  const url = `https://${ORIGIN}/api/v1/${path}${path.includes('?') ? '' : `?ns=${ns}`}`;
  const request = new Request(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer = await matching[0]?.handle(request, { traceparent: undefined, logError: () => {} });
  const text = typeof answer?.body === 'string' ? answer.body : '';
  const isJson = answer?.headers['Content-Type']?.includes('json') === true;
  return { status: answer?.status, text, body: (isJson ? JSON.parse(text) : undefined) as Shown };
}

function input(more: object = {}) {
  return { name: 'dm', key: '/app/dm', endpoint: receiver.url, ...more };
}

async function create(more?: object): Promise<Shown> {
  const { status, body, text } = await call('POST', 'subscriptions', input(more));
  expect(status, text).toBe(201);
  return body;
}

async function read(id: string): Promise<Shown> {
  return (await call('GET', `subscriptions/${id}`)).body;
}

/** Path and query of the newest callback that the endpoint was sent. */
function callback(): string {
  const url = new URL(String(receiver.questions.at(-1)?.['webhook-request-callback']));
  expect(url.origin).toBe(`https://${ORIGIN}`);
  return `${url.pathname.replace('/api/v1/', '')}${url.search}`;
}

function consentMessages(): ConsentMessage[] {
  return messages.flatMap(({ message }) =>
    'task' in message && message.task === 'consent' ? [message] : [],
  );
}

const grants = { headers: { 'webhook-allowed-origin': ORIGIN, 'webhook-allowed-rate': '120' } };

test.each(['eventgrid.azure.net', 'a:b:c', '['])(
  'nobody is asked in the name of %s because a caller says so',
  async (host) => {
    receiver.reply = () => ({ headers: { 'webhook-allowed-origin': host } });
    const { body, status } = await call('POST', 'subscriptions', input(), { 'x-forwarded-host': host });
    expect({ ...body, status }).toMatchObject({
      status: 201,
      state: 'unconfirmed',
      consent: { origin: ORIGIN },
    });
    expect(callback()).toContain(body.id);
  },
);

describe('an endpoint that consents at once', () => {
  test('makes the subscription active in the answer, which owes it what changed meanwhile', async () => {
    receiver.reply = () => grants;
    const created = await create();
    expect(created).toMatchObject({
      state: 'active',
      consent: { granted: true, grantedAt: expect.stringMatching(/Z$/), ratePerMinute: 120, origin: ORIGIN },
    });
    expect(created.reason).toBeUndefined();
    expect(receiver.questions).toMatchObject([
      {
        'webhook-request-origin': ORIGIN,
        'webhook-request-rate': '600',
        'webhook-request-callback': expect.stringMatching(
          new RegExp(`^https://${ORIGIN}/api/v1/webhook-consents/${created.id}/[0-9a-z]{26}\\?ns=${ns}$`),
        ),
      },
    ]);
    const recovery = messages.find(({ message }) => 'task' in message && message.task === 'recover')?.message;
    expect(recovery).toMatchObject({ subscription: created.id, awaitsActive: true });
    await services.consents.handle(consentMessages()[0] as ConsentMessage);
    expect(receiver.questions).toHaveLength(1);
  });

  test('is asked before a message could be lost: without the bus nothing is stored', async () => {
    isBusUp = false;
    expect((await call('POST', 'subscriptions', input())).status).toBe(503);
    expect((await call('GET', 'subscriptions')).body).toMatchObject({ items: [] });
    expect(receiver.questions).toEqual([]);
  });
});

test('a process that dies before it asked leaves the question to a message', async () => {
  isKilled = true;
  expect((await call('POST', 'subscriptions', input())).status).toBe(500);
  const { id } = (await services.subscriptions.list(ns)).subscriptions[0] ?? { id: 'none' };
  expect((await read(id)).state).toBe('unconfirmed');
  isKilled = false;
  receiver.reply = () => grants;
  await services.consents.handle(consentMessages()[0] as ConsentMessage);
  expect((await read(id)).state).toBe('active');
});

test('while storage does not answer a question is put off', async () => {
  await create();
  const [message] = consentMessages() as [ConsentMessage];
  vi.spyOn(services.subscriptions, 'find').mockRejectedValueOnce(unavailable('The database is away.'));
  await services.consents.handle(message);
  expect(consentMessages().at(-1)).toEqual({ ...message, postponed: 1 });
});

describe('an endpoint that does not', () => {
  test.each([
    ['answers anything else', { status: 200 }, /without WebHook-Allowed-Origin/],
    ['refuses', { status: 405 }, /HTTP 405/],
    ['redirects', { status: 307, headers: { location: '/', ...grants.headers } }, /HTTP 307/],
    ['allows another origin', { headers: { 'webhook-allowed-origin': 'other.test' } }, /Allowed-Origin/],
    [
      'allows a rate that is none',
      { headers: { 'webhook-allowed-origin': '*', 'webhook-allowed-rate': '0' } },
      /Allowed-Rate/,
    ],
  ])('because it %s leaves the subscription unconfirmed, with the reason', async (_, reply, reason) => {
    receiver.reply = () => reply;
    const created = await create();
    expect(created).toMatchObject({
      state: 'unconfirmed',
      reason: expect.stringMatching(reason),
      consent: { granted: false, origin: ORIGIN },
    });
    expect(receiver.questions).toHaveLength(1);
    expect(created).toMatchObject({ ...(await read(created.id)), secret: expect.stringMatching(/^whsec_/) });
  });

  test('because it is slow keeps nobody waiting for longer than the time limit', async () => {
    isImpatient = true;
    receiver.reply = () => new Promise(() => {});
    expect(await create()).toMatchObject({
      state: 'unconfirmed',
      reason: expect.stringContaining('No answer within'),
    });
  });

  test('gives away nothing of the callback, whatever it answers', async () => {
    receiver.reply = (question) => ({
      headers: { 'webhook-allowed-origin': String(question['webhook-request-callback']) },
    });
    const { id } = await create();
    const token = callback().split(/[/?]/)[2] ?? '';
    expect(token).toMatch(/^[0-9a-z]{26}$/);
    const texts = [await call('GET', `subscriptions/${id}`), await call('GET', 'subscriptions')].map(
      ({ text }) => text,
    );
    const stored = JSON.stringify([await services.subscriptions.get(ns, id), messages]);
    expect([...texts, stored].join()).not.toContain(token);
  });

  test('is asked again by messages, each later than the one before, and then no more', async () => {
    const since = Date.now();
    const { id } = await create();
    const [first] = consentMessages();
    const secondsTo = (nth: number, from: number) => ((messages[nth]?.at ?? 0) - from) / 1_000;
    expect(secondsTo(0, since)).toBeGreaterThan(40);
    expect(secondsTo(0, Date.now())).toBeLessThan(75);
    await services.consents.handle(first as ConsentMessage);
    expect(consentMessages().map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(secondsTo(1, since)).toBeGreaterThan(450);
    await services.consents.handle(consentMessages()[1] as ConsentMessage);
    expect(consentMessages()).toHaveLength(2);
    expect(receiver.questions).toHaveLength(3);
    const callbacks = new Set(receiver.questions.map((question) => question['webhook-request-callback']));
    expect(callbacks, 'every one of them stays good').toHaveProperty('size', 1);
    expect((await read(id)).state).toBe('unconfirmed');

    receiver.reply = () => grants;
    expect(await call('POST', `subscriptions/${id}/confirm`)).toMatchObject({
      status: 200,
      body: { state: 'active', consent: { granted: true } },
    });
    expect(receiver.questions).toHaveLength(4);
    const again = await call('POST', `subscriptions/${id}/confirm`);
    expect(again).toMatchObject({ status: 200, body: { state: 'active' } });
    expect(receiver.questions).toHaveLength(4);
  });

  test('is asked by no message once the subscription is gone or has another endpoint', async () => {
    const { id } = await create();
    const [message] = consentMessages() as [ConsentMessage];
    await call('PUT', `subscriptions/${id}`, input({ endpoint: receiver.url.replace('hook', 'other') }));
    expect(receiver.questions).toHaveLength(2);
    await services.consents.handle(message);
    await call('DELETE', `subscriptions/${id}`);
    await services.consents.handle(consentMessages()[1] as ConsentMessage);
    expect(receiver.questions).toHaveLength(2);
  });

  test('is asked no more once the maker of the subscription may not watch its key', async () => {
    const { id } = await create();
    const [message] = consentMessages() as [ConsentMessage];
    isRevoked = true;
    await services.consents.handle(message);
    expect((await call('POST', `subscriptions/${id}/confirm`)).status).toBe(409);
    expect(receiver.questions).toHaveLength(1);
    expect(consentMessages()).toHaveLength(1);
  });
});

describe('a callback', () => {
  test.each([
    ['GET', {}, 600],
    ['POST', {}, 600],
    ['POST', { 'webhook-allowed-rate': '30', 'webhook-allowed-origin': ORIGIN }, 30],
    ['GET', { 'webhook-allowed-rate': '*' }, undefined],
  ])('by %s grants, with %o', async (method, headers, ratePerMinute) => {
    const { id } = await create();
    const answer = await call(method, callback(), undefined, headers);
    expect(answer).toMatchObject({ status: 200, text: expect.stringContaining(id) });
    const { consent, state, revision } = await read(id);
    expect({ state, rate: consent?.ratePerMinute }).toEqual({ state: 'active', rate: ratePerMinute });
    expect((await call(method, callback(), undefined, headers)).status).toBe(200);
    expect((await read(id)).revision).toBe(revision);
  });

  test('that comes while the question is asked counts, whatever is answered then', async () => {
    receiver.reply = async (question) => {
      const url = new URL(String(question['webhook-request-callback']));
      expect((await call('POST', `${url.pathname.slice('/api/v1/'.length)}${url.search}`)).status).toBe(200);
      return { status: 403 };
    };
    const created = await create();
    expect(created).toMatchObject({ state: 'active', consent: { granted: true } });
    expect(created.reason).toBeUndefined();
  });

  test('by HEAD grants nothing', async () => {
    const { id } = await create();
    expect((await call('HEAD', callback())).status).toBe(204);
    expect((await read(id)).state).toBe('unconfirmed');
  });

  test.each([
    ['another origin', { 'webhook-allowed-origin': 'other.test' }],
    ['a rate that is none', { 'webhook-allowed-rate': 'fast' }],
  ])('with %s is refused', async (_, headers) => {
    const { id } = await create();
    expect((await call('POST', callback(), undefined, headers)).status).toBe(400);
    expect((await read(id)).state).toBe('unconfirmed');
  });

  test('that fits nothing is the same 404, whatever does not fit', async () => {
    const { id } = await create();
    const [old] = [callback()];
    await call('PUT', `subscriptions/${id}`, input({ endpoint: receiver.url.replace('hook', 'other') }));
    const token = '0123456789abcdefghjkmnpqrs';
    const other = await create({ consent: false });
    const answers = await Promise.all(
      [
        old,
        `webhook-consents/${id}/${token}`,
        `webhook-consents/${other.id}/${token}`,
        `webhook-consents/sub_nobody/${token}`,
        callback().replace(/\?.*/, '?ns=elsewhere'),
      ].map((path) => call('GET', path)),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(5).fill(404));
    const details = new Set(answers.map(({ body }) => (body as unknown as { detail: string }).detail));
    expect(details).toHaveProperty('size', 1);
    expect((await read(id)).state).toBe('unconfirmed');
    expect((await call('GET', callback())).status).toBe(200);
    expect((await read(id)).state).toBe('active');
  });
});

describe('replacing a subscription', () => {
  test('asks another endpoint, and the same one no more', async () => {
    receiver.reply = () => grants;
    const { id, revision } = await create();
    const path = `subscriptions/${id}`;
    expect((await call('PUT', path, input())).body.revision).toBe(revision);
    expect((await call('PUT', path, input({ consent: true }))).body.revision).toBe(revision);
    expect(receiver.questions).toHaveLength(1);

    receiver.reply = () => ({});
    const endpoint = receiver.url.replace('hook', 'other');
    const moved = await call('PUT', path, input({ endpoint }));
    expect(moved.body).toMatchObject({ state: 'unconfirmed', consent: { granted: false } });
    expect(receiver.questions).toHaveLength(2);
  });

  test('so that nobody is asked makes it active', async () => {
    const { id } = await create();
    const freed = await call('PUT', `subscriptions/${id}`, input({ consent: false }));
    expect(freed.body).toMatchObject({ state: 'active' });
    expect(freed.body.consent).toBeUndefined();
    expect(messages.at(-1)?.message).toMatchObject({ task: 'recover', awaitsActive: true });
  });

  test('that is paused keeps it so, and it cannot be resumed before the consent', async () => {
    const { id } = await create({ consent: false });
    const path = `subscriptions/${id}`;
    await services.activation.pause(ns, id, { actor: 'test' });
    const asked = await call('PUT', path, input({ consent: true }));
    expect(asked.body).toMatchObject({ state: 'paused', consent: { granted: false } });
    expect((await call('POST', `${path}/resume`)).status).toBe(409);
    expect((await call('POST', `${path}/test`)).status).toBe(409);
    expect((await call('POST', callback())).status).toBe(200);
    expect(await read(id)).toMatchObject({ state: 'paused', consent: { granted: true } });
  });

  test('with an outdated precondition asks nobody', async () => {
    const { id } = await create();
    const endpoint = receiver.url.replace('hook', 'other');
    const answer = await call('PUT', `subscriptions/${id}`, input({ endpoint }), { 'if-match': '"99"' });
    expect(answer.status).toBe(412);
    expect(receiver.questions).toHaveLength(1);
  });
});

test('nobody is asked where a subscription says so, nor a hook of Nesoi’s', async () => {
  const { consent, state, id } = await create({ consent: false });
  expect({ consent, state }).toEqual({ consent: undefined, state: 'active' });
  expect((await call('POST', `subscriptions/${id}/confirm`)).status).toBe(409);
  const hook = { name: 'h', endpoint: receiver.url, baseUrl: 'https://skerry.test' };
  const { state: ofHook } = await services.nesoiHooks.create(ns, '/app/dm', hook, { actor: 'test' });
  expect(ofHook).toBe('active');
  expect(receiver.questions).toEqual([]);
});
