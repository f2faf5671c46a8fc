import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../shared/platform/clock.ts';
import { unavailable } from '../../../shared/platform/errors.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { Records } from '../../../shared/records/index.ts';
import {
  DeliveryStorage,
  EndpointGate,
  EndpointStorage,
  type FailingEndpoint,
  FailingEndpoints,
  type GateAnswer,
  type Subscription,
  Subscriptions,
  type WebhookResult,
} from '../../../shared/webhooks/index.ts';
import { SteppedClock } from '../../unit/webhooks/stepped-clock.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { testSealer } from './test-sealer.ts';

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const DAY = 24 * HOUR;

const author = { actor: 'test' };
const FAILED: WebhookResult = { status: 500, error: 'HTTP 500' };
const SUCCEEDED: WebhookResult = { status: 200 };

let cosmos: CosmosFixture;
let records: Records;
let subscriptions: Subscriptions;
let clock: SteppedClock;
/** The gates of two processes. */
let one: EndpointGate;
let other: EndpointGate;
let ns: string;
let namespaces = 0;
let subscription: Subscription;
let writes: number;

beforeAll(async () => {
  cosmos = await startCosmos();
});

afterAll(async () => {
  await cosmos.stop();
});

beforeEach(async () => {
  namespaces += 1;
  ns = `ns${namespaces}`;
  clock = new SteppedClock();
  writes = 0;
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  records = new Records({ container, clock: systemClock, random: systemRandom });
  subscriptions = new Subscriptions({
    records,
    clock: systemClock,
    random: systemRandom,
    sealer: testSealer,
    endpointPolicy: { allowPrivate: true, ports: [] },
  });
  one = startGate();
  other = startGate();
  const input = { name: 'test', key: '/app', endpoint: 'http://127.0.0.1:1/' };
  subscription = await subscriptions.create(ns, input, author);
});

class CountingStorage extends EndpointStorage {
  override async write(...parameters: Parameters<EndpointStorage['write']>) {
    writes += 1;
    return await super.write(...parameters);
  }
}

function startGate(Storage: typeof EndpointStorage = CountingStorage): EndpointGate {
  return new EndpointGate({
    storage: new Storage(cosmos.connect().container(COSMOS_CONTAINERS.deliveries.id)),
    failing: new FailingEndpoints({ records, subscriptions, clock }),
    clock,
    timeoutMilliseconds: 15 * SECOND,
  });
}

const call = (gate: EndpointGate, result: WebhookResult = FAILED, slotAt?: number): Promise<GateAnswer> =>
  gate.call({ ns, subscription, slotAt }, async () => result);

const kinds = (answers: readonly GateAnswer[]) => answers.map(({ kind }) => kind);

async function callTimes(count: number, gate: EndpointGate, result?: WebhookResult): Promise<GateAnswer[]> {
  const answers: GateAnswer[] = [];
  for (let nth = 0; nth < count; nth += 1) {
    answers.push(await call(gate, result));
  }
  return answers;
}

describe('the breaker', () => {
  test('counts the failures of all processes, and keeps all of them away', async () => {
    expect(kinds([...(await callTimes(3, one)), ...(await callTimes(2, other))])).toEqual(
      Array.from({ length: 5 }, () => 'called'),
    );
    const until = clock.now() + 30 * SECOND;
    expect(await call(other)).toEqual({ kind: 'wait', until });
    await clock.advance(2.1 * SECOND);
    expect(await call(one)).toEqual({ kind: 'wait', until });
  });

  test('lets one call of all processes try after its time, and closes with its success', async () => {
    await call(other, SUCCEEDED);
    await callTimes(5, one);
    await clock.advance(30 * SECOND);
    const { promise: answer, resolve } = Promise.withResolvers<WebhookResult>();
    let tries = 0;
    const attempts = [one, other, one, other, one, other].map((gate) =>
      gate.call({ ns, subscription }, async () => {
        tries += 1;
        return await answer;
      }),
    );
    const late = await Promise.race(attempts);
    expect(late).toMatchObject({ kind: 'wait', until: clock.now() + 20 * SECOND });
    resolve(SUCCEEDED);
    expect(kinds(await Promise.all(attempts)).filter((kind) => kind === 'called')).toHaveLength(1);
    expect(tries).toBe(1);
    await clock.advance(2.1 * SECOND);
    expect(kinds([await call(one), await call(other)])).toEqual(['called', 'called']);
  });

  test('stays open for longer when the one that tries fails', async () => {
    await callTimes(5, one);
    await clock.advance(30 * SECOND);
    expect((await call(other)).kind).toBe('called');
    expect(await call(other)).toEqual({ kind: 'wait', until: clock.now() + 60 * SECOND });
  });

  test('costs a healthy endpoint no write', async () => {
    await callTimes(3, one, SUCCEEDED);
    expect(writes).toBe(0);
  });

  test('is opened by calls of both processes that fail at once', async () => {
    const bursts = [one, other].flatMap((gate) => Array.from({ length: 10 }, () => call(gate)));
    expect(kinds(await Promise.all(bursts)).filter((kind) => kind === 'called').length).toBeLessThan(21);
    expect((await call(one)).kind).toBe('wait');
  });

  test('begins anew with a subscription that was resumed', async () => {
    await callTimes(5, one);
    subscription = { ...subscription, stateSince: new Date(clock.now() + DAY * 3_650).toISOString() };
    expect((await call(one, SUCCEEDED)).kind).toBe('called');
  });
});

test('what an endpoint asks for by Retry-After holds for all processes', async () => {
  await call(one, { ...FAILED, status: 429, retryAfterMilliseconds: 7 * SECOND });
  const until = clock.now() + 7 * SECOND;
  expect(await call(one, SUCCEEDED)).toEqual({ kind: 'wait', until });
  expect(await call(other, SUCCEEDED)).toEqual({ kind: 'wait', until });
  await clock.advance(7 * SECOND);
  expect((await call(other, SUCCEEDED)).kind).toBe('called');
});

test('no more than ten calls run at a time in a process', async () => {
  await call(one, SUCCEEDED);
  const { promise: answer, resolve } = Promise.withResolvers<WebhookResult>();
  let running = 0;
  const post = () => {
    running += 1;
    return answer;
  };
  const calls = Array.from({ length: 11 }, () => one.call({ ns, subscription }, post));
  while (running < 10) {
    await new Promise((resume) => setImmediate(resume));
  }
  await clock.advance(200);
  expect(await Promise.race(calls)).toEqual({ kind: 'wait', until: clock.now() + SECOND, isOwn: true });
  expect(running).toBe(10);
  resolve(SUCCEEDED);
  await Promise.all(calls);
});

describe('the rate that an endpoint allows', () => {
  beforeEach(() => {
    const consent = { tokenHash: '', sealedToken: '', baseUrl: '', origin: '', ratePerMinute: 60 };
    subscription = { ...subscription, consent };
  });

  test('is kept over all processes: each call has a time of its own', async () => {
    const start = clock.now();
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, nth) => call(nth % 2 === 0 ? one : other, SUCCEEDED)),
    );
    const times = answers
      .map((answer) => (answer.kind === 'called' ? answer.startedAt : (answer.slotAt ?? Number.NaN)))
      .sort((a, b) => a - b);
    expect(times).toEqual(times.map((_, nth) => start + nth * SECOND));
    expect(kinds(answers).filter((kind) => kind === 'called')).toHaveLength(1);
    expect(writes).toBeLessThan(20);
  });

  test('lets a call through that comes at its time, but not one that comes much later', async () => {
    await call(one, SUCCEEDED);
    const answer = await call(one, SUCCEEDED);
    const slotAt = clock.now() + SECOND;
    expect(answer).toEqual({ kind: 'wait', until: slotAt, isOwn: true, slotAt });
    await clock.advance(1.5 * SECOND);
    expect((await call(other, SUCCEEDED, slotAt)).kind).toBe('called');

    await call(one, SUCCEEDED);
    await clock.advance(10 * SECOND);
    await call(one, SUCCEEDED);
    expect(await call(one, SUCCEEDED, slotAt)).toMatchObject({ kind: 'wait', slotAt: clock.now() + SECOND });
  });
});

describe('an endpoint that does nothing but fail', () => {
  async function failFor(days: number): Promise<void> {
    const end = clock.now() + days * DAY;
    while (clock.now() < end) {
      await call(one);
      await clock.advance(6 * HOUR);
    }
    await call(one);
  }
  const reported = () =>
    records.get<FailingEndpoint>({ ns, kind: 'endpoint', name: '' }, `/endpoint/${subscription.id}`);

  test('is said to fail after four days, and disabled after five', async () => {
    const since = new Date(clock.now()).toISOString();
    const disablesAt = new Date(clock.now() + 5 * DAY).toISOString();
    await failFor(4);
    const reason = `No call has succeeded since ${since}.`;
    expect((await reported())?.value).toEqual({ state: 'failing', since, disablesAt, reason });
    expect((await subscriptions.get(ns, subscription.id)).state).toBe('active');

    await failFor(1);
    expect((await reported())?.value).toEqual({ state: 'disabled', since, reason });
    expect(await subscriptions.get(ns, subscription.id)).toMatchObject({
      state: 'disabled',
      reason,
      stateSince: new Date(clock.now()).toISOString(),
    });
    expect(
      (await records.history({ ns, kind: 'endpoint', name: '' }, { limit: 10, order: 'oldest' })).changes,
    ).toMatchObject([
      { type: 'put', actor: 'system:webhooks' },
      { type: 'put', actor: 'system:webhooks' },
    ]);
  });

  test('is said to fail no more after a success', async () => {
    await failFor(4.5);
    expect(await reported()).toBeDefined();
    await clock.advance(HOUR);
    await call(other, SUCCEEDED);
    expect(await reported()).toBeUndefined();
    const before = writes;
    await call(other, SUCCEEDED);
    expect(writes).toBe(before);
  });

  test('is disabled by the next call when the process died between saying so and doing so', async () => {
    await failFor(4.9);
    await records.commit<FailingEndpoint>(
      { ns, kind: 'endpoint', name: '' },
      {
        key: `/endpoint/${subscription.id}`,
        actor: 'system:webhooks',
        decide: (current) => ({
          type: 'put',
          value: {
            state: 'disabled',
            since: current?.value.since ?? '',
            reason: current?.value.reason ?? '',
          },
        }),
      },
    );
    const { revision } = (await reported()) ?? {};
    await clock.advance(6 * HOUR);
    await call(one);
    expect((await subscriptions.get(ns, subscription.id)).state).toBe('disabled');
    expect((await reported())?.revision).toBe(revision);
  });

  test('is disabled at once when it says that it is gone', async () => {
    await call(one, { status: 410, error: 'HTTP 410' });
    const reason = 'The endpoint answered 410 Gone.';
    expect(await subscriptions.get(ns, subscription.id)).toMatchObject({ state: 'disabled', reason });
    expect((await reported())?.value).toMatchObject({ state: 'disabled', reason });
    await subscriptions.remove(ns, subscription.id, author);
    expect(await reported()).toBeUndefined();
  });

  test('is said to fail no more when it is resumed, or another one is called instead', async () => {
    for (const change of [{ state: 'active' }, { endpoint: 'http://127.0.0.1:2/' }] as const) {
      subscription = await subscriptions.update(ns, subscription.id, author, (value) => ({
        ...value,
        state: 'active',
      }));
      await call(one, { status: 410, error: 'HTTP 410' });
      expect(await reported()).toBeDefined();
      await subscriptions.update(ns, subscription.id, author, (value) => ({ ...value, ...change }));
      expect(await reported()).toBeUndefined();
    }
  });

  test('leaves nothing behind when its subscription was deleted, and spares one that was changed meanwhile', async () => {
    await subscriptions.update(ns, subscription.id, author, (value) => ({
      ...value,
      endpoint: 'http://127.0.0.1:2/',
    }));
    await call(one, { status: 410, error: 'HTTP 410' });
    expect((await subscriptions.get(ns, subscription.id)).state).toBe('active');
    expect(await reported()).toBeUndefined();
    await subscriptions.remove(ns, subscription.id, author);
    await call(one, { status: 410, error: 'HTTP 410' });
    expect(await reported()).toBeUndefined();
  });
});

test('a call that was made counts as made, although its outcome cannot be written', async () => {
  class LostStorage extends EndpointStorage {
    override async write(): Promise<never> {
      throw unavailable('The database cannot be reached at the moment.');
    }
  }
  expect(await call(startGate(LostStorage))).toMatchObject({ kind: 'called', result: FAILED });
});

test('what is known of an endpoint is no delivery', async () => {
  await call(one);
  const storage = new DeliveryStorage(cosmos.connect().container(COSMOS_CONTAINERS.deliveries.id));
  expect(await storage.list(subscription.id, { limit: 10 })).toEqual({ deliveries: [] });
});
