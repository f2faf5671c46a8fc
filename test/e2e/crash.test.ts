import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { ServiceBusClient } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { verifyWebhook } from '../../client/node/index.ts';
import { printedSeed, runs, seededRandom } from '../integration/seeded-runs.ts';
import {
  type Call,
  type Receiver,
  startReceiver,
  type Told,
  toldBy,
} from '../integration/webhooks/receiver.ts';
import { BundleLoad } from './bundle-load.ts';
import { type Answer, connect, type HttpClient } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';
import { Gone, untilGone } from './until-gone.ts';

const KILLS = runs(2, 40);
const WRITERS = 6;
const SHORTEST_LIFE_MILLISECONDS = 50;
const LONGEST_LIFE_MILLISECONDS = 700;
const BUS_SUBSCRIPTION = 'crash';
const RETRIES = '0.1,0.2,0.4,0.8,1,1,1,1,1,1';

/** One resource that one writer alone writes, and all that is known of it. */
interface Resource {
  readonly path: string;
  readonly key: string;
  /** What the last acknowledged write left behind; undefined where that is nothing. */
  acknowledged: { readonly revision: number; readonly value: object } | undefined;
  /** The write since then whose outcome nobody knows; without a value it is a removal. */
  uncertain: { readonly value: object | undefined } | undefined;
}

/** Keys that one writer writes together, always with the same value. */
interface Together {
  readonly prefix: string;
  acknowledged: string | undefined;
  /** What a transaction since then wrote whose outcome nobody knows. */
  uncertain: string | undefined;
}

const KEYS_TOGETHER = ['a', 'b', 'c/d'];

interface Subscription {
  readonly id: string;
  readonly key: string;
  readonly isOrdered: boolean;
  readonly secret: string;
}

interface WrittenChange {
  readonly key: string;
  readonly revision: number;
}

interface AcknowledgedChange extends WrittenChange {
  readonly subscription: string;
}

let folder: string;
let receiver: Receiver;
let skerry: Skerry | undefined;
/** What the receiver answered to each call. */
const answers: number[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-crash-'));
  receiver = await startReceiver();
});

afterAll(async () => {
  await skerry?.kill();
  await receiver?.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

describe('kill -9 at any moment', () => {
  it(
    'loses no acknowledged write, no notification of one, and no part of a transaction',
    async () => {
      const random = seededRandom(printedSeed('crash'));
      receiver.answer = (nth) => {
        answers[nth] = random() < 0.1 ? 500 : 200;
        return answers[nth];
      };
      const load = new Load(random);

      for (let kill = 1; kill <= KILLS; kill += 1) {
        const running = await start();
        const api = connect(running.url);
        await load.verify(api, `after ${kill - 1} kills`);
        const life = SHORTEST_LIFE_MILLISECONDS + random() * LONGEST_LIFE_MILLISECONDS;
        if (kill === 1) {
          await load.subscribe(api, { key: '/' });
          await load.subscribe(api, { key: '/', ordered: true });
          await load.subscribePaused(api);
        }
        const told = load.told.length;
        const versions = load.bundles.acknowledged.size;
        const working = load.run(api);
        // Every other life counts from its first version and its first change to tell, for which a busy machine may need longer than a life.
        if (kill % 2 === 0) {
          await vi.waitFor(
            () => {
              expect(load.told.length).toBeGreaterThan(told);
              expect(load.bundles.acknowledged.size).toBeGreaterThan(versions);
            },
            { timeout: 45_000, interval: 5 },
          );
        }
        await sleep(life);
        await running.kill();
        await working;
      }

      const running = await start();
      const api = connect(running.url);
      await load.verify(api, `after ${KILLS} kills`);
      await load.resume(api);
      console.log(`crash: ${KILLS} kills, ${load.summary()}`);
      expect(load.told.length, 'the load has written something').toBeGreaterThan(0);
      await vi.waitFor(() => expect(untold(load.told)).toEqual([]), { timeout: 30_000, interval: 100 });
      expectSameIdOnlyForSameChange(receiver.calls.map((call) => [call.headers['webhook-id'], toldBy(call)]));
      for (const subscription of load.subscriptions) {
        await expectSignatures(subscription);
        expectOrder(subscription);
      }
      await expectPublished(running.connections.servicebus, load.acknowledged);
    },
    60_000 + KILLS * 20_000,
  );
});

async function start(): Promise<Skerry> {
  skerry = await startSkerry({
    dataFolder: folder,
    flags: ['--bus-subscription', BUS_SUBSCRIPTION],
    // What a dead process held in order is gone on with 15 s after the timeout of a call.
    env: {
      SKERRY_WEBHOOK_RETRY_SECONDS: RETRIES,
      SKERRY_WEBHOOK_TIMEOUT_SECONDS: '1',
      SKERRY_CLOCK_SKEW_MILLISECONDS: '0',
    },
  });
  return skerry;
}

/** The acknowledged changes that no call has told of yet. */
function untold(changes: readonly AcknowledgedChange[]): AcknowledgedChange[] {
  const nameOf = (change: AcknowledgedChange) => `${change.subscription} ${change.key} ${change.revision}`;
  const told = new Set(receiver.calls.map((call) => nameOf(toldBy(call))));
  return changes.filter((change) => !told.has(nameOf(change)));
}

function expectSameIdOnlyForSameChange(calls: readonly (readonly [unknown, Told])[]): void {
  const changeOf = new Map<unknown, string>();
  const idOf = new Map<string, unknown>();
  for (const [id, { subscription, key, revision }] of calls) {
    const change = `${subscription} ${key} ${revision}`;
    expect(changeOf.get(id) ?? change).toBe(change);
    expect(idOf.get(change) ?? id).toBe(id);
    changeOf.set(id, change);
    idOf.set(change, id);
  }
}

/** Every call to a subscription whose secret is known is signed with it. */
async function expectSignatures({ id, secret }: Subscription): Promise<void> {
  for (const { text, headers } of callsTo(id)) {
    await verifyWebhook({ payload: text, headers, secrets: secret, toleranceSeconds: 3_600 });
  }
}

/** In each scope a change is told to an ordered subscription once all before it that it is told of were taken. */
function expectOrder({ id, isOrdered }: Subscription): void {
  const calls = receiver.calls.map((call, nth) => ({ ...toldBy(call), isTaken: answers[nth] === 200 }));
  for (const [scope, told] of Map.groupBy(
    calls.filter(({ subscription }) => isOrdered && subscription === id),
    (call) => call.scope,
  )) {
    const taken: number[] = [];
    for (const { revision, isTaken } of told) {
      expect(revision, `of ${scope} behind ${taken.at(-1)}`).toBeLessThanOrEqual(nextOf(told, taken));
      if (isTaken && !taken.includes(revision)) taken.push(revision);
    }
  }
}

/** The first of the changes that are told of at any time which was not taken yet. */
function nextOf(told: readonly { readonly revision: number }[], taken: readonly number[]): number {
  return Math.min(
    ...told.map(({ revision }) => revision).filter((revision) => !taken.includes(revision)),
    Infinity,
  );
}

function callsTo(id: string): Call[] {
  return receiver.calls.filter((call) => toldBy(call).subscription === id);
}

async function expectPublished(connection: string, changes: readonly WrittenChange[]): Promise<void> {
  const client = new ServiceBusClient(connection);
  try {
    const topic = client.createReceiver('notifications', BUS_SUBSCRIPTION, {
      receiveMode: 'receiveAndDelete',
    });
    const missing = new Set(changes.map(({ key, revision }) => `${key} ${revision}`));
    const deadline = Date.now() + 20_000;
    while (missing.size > 0 && Date.now() < deadline) {
      for (const { applicationProperties } of await topic.receiveMessages(500, { maxWaitTimeInMs: 500 })) {
        missing.delete(`${applicationProperties?.key} ${applicationProperties?.revision}`);
      }
    }
    expect([...missing], 'changes that the topic never told of').toEqual([]);
  } finally {
    await client.close();
  }
}

/** Writers that go on until Skerry is gone, and remember what they were told. */
class Load {
  /** All that acknowledged subscriptions have to hear of: changes that began after they were acknowledged. */
  readonly told: AcknowledgedChange[] = [];
  /** All that was acknowledged of single resources. */
  readonly acknowledged: WrittenChange[] = [];
  readonly subscriptions: Subscription[] = [];
  readonly #random: () => number;
  /** The one that is paused and resumed all the time. */
  #paused = '';
  readonly #resources: Resource[];
  readonly #together: readonly Together[] = Array.from({ length: WRITERS }, (_, writer) => ({
    prefix: `writer${writer}`,
    acknowledged: undefined,
    uncertain: undefined,
  }));
  readonly bundles = new BundleLoad();
  #writes = 0;

  constructor(random: () => number) {
    this.#random = random;
    this.#resources = Array.from({ length: WRITERS }, (_, writer) => [
      { path: `apps/app${writer}`, key: `/app/app${writer}`, acknowledged: undefined, uncertain: undefined },
      {
        path: `services/web${writer % 2}/instances/host${writer}`,
        key: `/srv/web${writer % 2}/host${writer}`,
        acknowledged: undefined,
        uncertain: undefined,
      },
    ]).flat();
  }

  summary(): string {
    return `${this.#writes} acknowledged writes, ${this.bundles.acknowledged.size} versions, ${this.subscriptions.length} subscriptions, ${this.told.length} changes to tell`;
  }

  /** Writes until no answer comes any more. */
  async run(api: HttpClient): Promise<void> {
    await Promise.all([
      ...this.#resources.map((resource) => untilGone(() => this.#write(api, resource))),
      ...this.#together.map((keys) => untilGone(() => this.#writeTogether(api, keys))),
      untilGone(() => this.#subscribeToAnything(api)),
      untilGone(() => this.#pauseAndResume(api)),
      this.bundles.run(api),
    ]);
  }

  async subscribe(
    api: HttpClient,
    { key, ordered = false }: { key: string; ordered?: boolean },
  ): Promise<string> {
    const answer = await api.post('subscriptions', {
      name: 'listener',
      key,
      endpoint: receiver.url,
      ordered,
    });
    if (answer.status === 503) {
      throw new Gone();
    }
    expect(answer.status, answer.text).toBe(201);
    const { id, secret } = answer.body as { id: string; secret: string };
    this.subscriptions.push({ id, key, isOrdered: ordered, secret });
    return id;
  }

  async subscribePaused(api: HttpClient): Promise<void> {
    this.#paused = await this.subscribe(api, { key: '/', ordered: this.#random() < 0.5 });
  }

  async resume(api: HttpClient): Promise<void> {
    const answer = await api.post(`subscriptions/${this.#paused}/resume`);
    expect(answer.status, answer.text).toBe(200);
  }

  async #pauseAndResume(api: HttpClient): Promise<void> {
    for (const step of ['pause', 'resume']) {
      await sleep(this.#random() * 100);
      const answer = await api.post(`subscriptions/${this.#paused}/${step}`);
      if (answer.status === 503) {
        throw new Gone();
      }
      expect(answer.status, answer.text).toBe(200);
    }
  }

  /** Holds what is stored against what was acknowledged, and settles what was uncertain. */
  async verify(api: HttpClient, when: string): Promise<void> {
    await Promise.all(this.#resources.map((resource) => verifyResource(api, resource, when)));
    await Promise.all(this.#together.map((keys) => verifyTogether(api, keys, when)));
    await this.bundles.verify(api, when);
    for (const { id, key } of this.subscriptions) {
      expect((await api.get(`subscriptions/${id}`)).body, `${id} ${when}`).toMatchObject({ id, key });
    }
  }

  async #write(api: HttpClient, resource: Resource): Promise<void> {
    const removes = resource.acknowledged !== undefined && this.#random() < 0.1;
    const value = removes ? undefined : this.#newValue(resource);
    const listeners = this.subscriptions.filter(({ key }) => isUnder(key, resource.key));
    resource.uncertain = { value };
    const answer =
      value === undefined ? await api.delete(resource.path) : await api.put(resource.path, value);
    if (answer.status === 503) {
      throw new Gone();
    }
    expect([200, 201, 204], `${resource.path}: ${answer.text}`).toContain(answer.status);
    const revision = revisionOf(answer);
    resource.acknowledged = value === undefined ? undefined : { revision, value };
    resource.uncertain = undefined;
    this.#writes += 1;
    this.acknowledged.push({ key: resource.key, revision });
    for (const { id } of listeners) {
      this.told.push({ subscription: id, key: resource.key, revision });
    }
  }

  async #writeTogether(api: HttpClient, keys: Together): Promise<void> {
    const value = this.#mark();
    const operations = KEYS_TOGETHER.map((key) => ({ put: { key: `${keys.prefix}/${key}`, value } }));
    keys.uncertain = value;
    const answer = await api.post('kv-transactions/crash', Object.fromEntries([['then', operations]]));
    if (answer.status === 503) {
      throw new Gone();
    }
    expect(answer.status, answer.text).toBe(200);
    keys.acknowledged = value;
    keys.uncertain = undefined;
    this.#writes += 1;
  }

  async #subscribeToAnything(api: HttpClient): Promise<void> {
    if (this.subscriptions.length >= 3 + 2 * KILLS) {
      throw new Gone();
    }
    await sleep(this.#random() * 200);
    const keys = [
      '/',
      '/app',
      '/srv',
      '/srv/web1',
      '/srv/web0/host0',
      ...this.#resources.map(({ key }) => key),
    ];
    const key = keys[Math.floor(this.#random() * keys.length)] ?? '/';
    await this.subscribe(api, { key, ordered: this.#random() < 0.3 });
  }

  #newValue({ path: resourcePath }: Resource): object {
    const mark = this.#mark();
    return resourcePath.startsWith('apps/')
      ? { config: { mark } }
      : { endpoints: { http: '10.0.0.1:80' }, metadata: { mark } };
  }

  #mark(): string {
    return `${this.#writes}-${Math.floor(this.#random() * 1e9)}`;
  }
}

function isUnder(prefix: string, key: string): boolean {
  return prefix === '/' || `${key}/`.startsWith(`${prefix}/`);
}

async function verifyResource(api: HttpClient, resource: Resource, when: string): Promise<void> {
  const answer = await api.get(resource.path);
  const what = `${resource.path} ${when}: ${answer.text}`;
  expect([200, 404], what).toContain(answer.status);
  const found =
    answer.status === 404 ? undefined : { revision: revisionOf(answer), body: Object(answer.body) };
  const { acknowledged, uncertain } = resource;
  if (isUncertainWrite(found?.body, uncertain)) {
    resource.acknowledged = found && { revision: found.revision, value: uncertain?.value ?? {} };
    expect(found?.revision ?? Number.POSITIVE_INFINITY, what).toBeGreaterThan(acknowledged?.revision ?? 0);
  } else {
    expect(found?.revision, what).toBe(acknowledged?.revision);
    expect(found?.body ?? {}, what).toMatchObject(acknowledged?.value ?? {});
  }
  resource.uncertain = undefined;
}

async function verifyTogether(api: HttpClient, keys: Together, when: string): Promise<void> {
  const answer = await api.get(`kv/crash/?prefix=${keys.prefix}`);
  const { items } = answer.body as { items: { value: string }[] };
  const values = items.map(({ value }) => value);
  const whole = (value: string | undefined) => (value === undefined ? [] : KEYS_TOGETHER.map(() => value));
  const stands = keys.uncertain !== undefined && isDeepStrictEqual(values, whole(keys.uncertain));
  expect(values, `${keys.prefix} ${when}`).toEqual(whole(stands ? keys.uncertain : keys.acknowledged));
  keys.acknowledged = stands ? keys.uncertain : keys.acknowledged;
  keys.uncertain = undefined;
}

/** Whether what is stored was left behind by the write; no two writes store the same. */
function isUncertainWrite(found: object | undefined, write: Resource['uncertain']): boolean {
  if (write === undefined || write.value === undefined || found === undefined) {
    return write !== undefined && write.value === found;
  }
  return isDeepStrictEqual({ ...found, ...write.value }, found);
}

function revisionOf(answer: Answer): number {
  return Number(answer.headers['x-skerry-revision']);
}
