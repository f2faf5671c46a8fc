import { randomBytes } from 'node:crypto';
import { type Clock, toTimestamp } from '../../../../shared/platform/clock.ts';
import { systemRandom } from '../../../../shared/platform/random.ts';
import { Sealer } from '../../../../shared/platform/sealer.ts';
import { COSMOS_CONTAINERS } from '../../../../shared/platform/topology.ts';
import { type Json, Records, type Scope, scopeId } from '../../../../shared/records/index.ts';
import {
  CursorStorage,
  type Delivery,
  DeliveryStorage,
  type GateAnswer,
  OrderedDeliveries,
  RequestWriter,
  type Subscription,
  type SubscriptionInput,
  Subscriptions,
  type WakeMessage,
  type WebhookResult,
  withState,
} from '../../../../shared/webhooks/index.ts';
import { isOrdered } from '../../../../shared/webhooks/subscription/ordering.ts';
import { anyMaker } from '../../any-maker.ts';
import type { CosmosFixture } from '../../cosmos-fixture.ts';
import { Actor, type Gate } from '../../interleaving.ts';
import { TestClock } from '../../registry/registry-fixture.ts';
import { SkewedClock } from '../../sessions/sessions-fixture.ts';
import { type Fault, faulty, gated } from '../gated-part.ts';
import { SimulatedQueue } from './simulated-queue.ts';

/** A call of the endpoint. */
export interface TimedCall {
  readonly scope: string;
  readonly revision: number;
  readonly webhookId: string;
}

export const RETRY_SECONDS = [5, 60, 300];
export const TIMEOUT_MILLISECONDS = 10_000;
const CLOCK_SKEW_MILLISECONDS = 2_000;
/** A process that stands still for longer is killed: the endpoint would hear late from it. */
const MAX_STANDSTILL_MILLISECONDS = 15_000;
/** Messages that are handled at a time. */
const MAX_HANDLERS = 3;
const LOCK_MILLISECONDS = 60_000;
const INPUT = { name: 'test', key: '/kv/*/a', endpoint: 'http://127.0.0.1:1', ordered: true };
const AUTHOR = { actor: 'test' };
/** Messages that are handled in the end; more would be a message that breeds. */
const MAX_MESSAGES = 500;

interface Handler {
  readonly actor: Actor;
  readonly message: WakeMessage;
  /** What becomes of the handling; the promise never ends for one that was killed. */
  readonly outcome: Promise<PromiseSettledResult<void>>;
  movedAt: number;
  fault: Fault | undefined;
}

interface Process {
  readonly clock: Clock;
  readonly records: Records;
  readonly subscriptions: Subscriptions;
  readonly storage: DeliveryStorage;
  readonly cursors: CursorStorage;
  /** As the fan-out uses it. */
  readonly ordered: OrderedDeliveries;
}

/** One ordered subscription to several scopes, two processes, and everything that may happen to them. */
export class OrderedWorld {
  readonly clock = new TestClock();
  readonly queue = new SimulatedQueue(this.clock);
  readonly calls: TimedCall[] = [];
  readonly alerts: string[] = [];
  /** What the endpoint answers next; success when there is nothing more. */
  readonly failures: boolean[];
  /** Whether the endpoint is not to be called at the moment. */
  isClosed = false;
  millisecondsPerCall = 0;
  /** Revisions of the changes for which the fan-out sent messages of their own. */
  readonly messagesSent: number[] = [];
  readonly processes: readonly Process[];
  /** Of the subscription. */
  id = '';
  readonly #ns: string;
  readonly #handlers: Handler[] = [];
  /** Changes that the fan-out has not seen. */
  #feed: {
    readonly scope: Scope;
    readonly revision: number;
    readonly isHeard: boolean;
    readonly at: string;
  }[] = [];
  #isActive = true;

  private constructor(
    cosmos: CosmosFixture,
    ns: string,
    skews: readonly number[],
    failures: readonly boolean[],
  ) {
    this.#ns = ns;
    this.failures = [...failures];
    this.processes = skews.map((skew) => this.#openProcess(cosmos, skew));
  }

  static async open(
    cosmos: CosmosFixture,
    ns: string,
    skews: readonly number[],
    failures: readonly boolean[],
  ): Promise<OrderedWorld> {
    const world = new OrderedWorld(cosmos, ns, skews, failures);
    const [{ subscriptions }] = world.processes as [Process];
    const { id } = await subscriptions.create(ns, INPUT, AUTHOR);
    world.id = id;
    return world;
  }

  async write(store: string, isHeard: boolean, is = systemRandom.id()): Promise<void> {
    const { records, clock } = this.#process(0);
    const scope = this.scope(store);
    const key = `/kv/${store}/${isHeard ? 'a' : 'x'}`;
    const at = toTimestamp(clock.now());
    const decide = () => ({ type: 'put', value: { is, nonce: systemRandom.id() } }) as const;
    const { revision } = await records.commit<Json>(scope, { key, ...AUTHOR, decide });
    this.#feed.push({ scope, revision, isHeard, at });
  }

  /** Has the fan-out of a process take all that is new, or die between creating cursors and sending messages. */
  async fanOut(nth: number, dies: boolean): Promise<void> {
    const { ordered, subscriptions } = this.#process(nth);
    const taken = this.#feed;
    const subscription = await subscriptions.find(this.#ns, this.id);
    if (subscription === undefined) {
      return;
    }
    const heard = taken.filter(({ isHeard }) => isHeard);
    const batch = heard.filter(({ at }) => isOrdered(subscription, at, CLOCK_SKEW_MILLISECONDS));
    const messages: WakeMessage[] = [];
    for (const changes of Object.values(Object.groupBy(batch, ({ scope }) => scope.name))) {
      const [first] = changes ?? [];
      const last = changes?.at(-1);
      if (first !== undefined && last !== undefined) {
        const { scope, revision } = first;
        const section = { scope: scopeId(scope), first: revision, last: last.revision };
        const message = await ordered.prepare(subscription, section);
        messages.push(...(message === undefined ? [] : [message]));
      }
    }
    if (!dies) {
      await this.queue.send(messages);
      this.messagesSent.push(
        ...heard.filter((each) => !batch.includes(each)).map(({ revision }) => revision),
      );
      this.#feed = this.#feed.slice(taken.length);
    }
  }

  async setActive(isActive: boolean): Promise<void> {
    const { subscriptions, ordered } = this.#process(0);
    if (isActive === this.#isActive) {
      return;
    }
    this.#isActive = isActive;
    const state = isActive ? 'active' : 'paused';
    const subscription = await subscriptions.update(this.#ns, this.id, AUTHOR, (value) =>
      withState(value, state, this.clock.now()),
    );
    if (isActive) {
      await ordered.wakeAll(subscription.id);
    }
  }

  async replace(input: Partial<SubscriptionInput>): Promise<void> {
    const { subscriptions } = this.#process(0);
    await subscriptions.replace(this.#ns, this.id, { ...INPUT, ...input }, AUTHOR);
  }

  async remove(): Promise<void> {
    await this.#process(0).subscriptions.remove(this.#ns, this.id, AUTHOR);
  }

  /** Hands a message that is due to a process, which takes some of its steps. */
  async take(nth: number, process: number, steps: number): Promise<void> {
    const message = this.#handlers.length < MAX_HANDLERS ? this.queue.take(nth) : undefined;
    if (message !== undefined) {
      const last = this.#handlers.push(this.#begin(message, process)) - 1;
      await this.goOn(last, steps);
    }
  }

  /** Lets a handler take some of its steps. */
  async goOn(nth: number, steps: number, fault?: Fault): Promise<void> {
    const handler = this.#handler(nth);
    if (handler === undefined) {
      return;
    }
    handler.fault = fault;
    handler.movedAt = this.clock.now();
    await handler.actor.arrive();
    for (let step = 0; step < steps && !handler.actor.isFinished; step += 1) {
      await handler.actor.step();
    }
    await this.#endIfFinished(handler);
  }

  /** Kills a handler's process before its next step. */
  kill(nth: number, comesAtOnce: boolean): void {
    const handler = this.#handler(nth);
    if (handler !== undefined) {
      this.#kill(handler, comesAtOnce ? 0 : LOCK_MILLISECONDS);
    }
  }

  /** The message of a handler comes once more, as after a lock that was lost, or past the window of the duplicate detection. */
  double(nth: number): void {
    const handler = this.#handler(nth);
    if (handler !== undefined) {
      this.queue.putBack(handler.message, this.clock.now());
    }
  }

  pass(milliseconds: number): void {
    this.clock.advance(milliseconds / 1000);
    for (const handler of [...this.#handlers]) {
      if (this.clock.now() - handler.movedAt > MAX_STANDSTILL_MILLISECONDS) {
        this.#kill(handler, 0);
      }
    }
  }

  /** Lets time pass until another message is due. */
  passToNext(): void {
    const next = Math.min(...this.queue.waiting.map(({ at }) => at).filter((at) => at > this.clock.now()));
    if (Number.isFinite(next)) {
      this.pass(next - this.clock.now());
    }
  }

  /** Nothing more goes wrong: everything comes to its end. */
  async settle(): Promise<void> {
    this.isClosed = false;
    this.failures.length = Math.min(this.failures.length, 5);
    await this.setActive(true);
    await this.fanOut(1, false);
    while (this.#handlers.length > 0) {
      await this.goOn(0, 1_000);
    }
    for (let count = 0; this.queue.waiting.length > 0; count += 1) {
      if (count > MAX_MESSAGES) {
        throw new Error(`${count} messages were handled, and there are more.`);
      }
      if (!this.queue.hasDue) {
        this.passToNext();
      }
      await this.take(count, count, 1_000);
    }
  }

  async heard(store: string): Promise<number[]> {
    const [{ records }] = this.processes as [Process];
    const { changes } = await records.history<Json>(this.scope(store), {
      prefix: '',
      order: 'oldest',
      limit: 1_000,
    });
    return changes.filter(({ key }) => key.endsWith('/a')).map(({ revision }) => revision);
  }

  callsOf(store: string): TimedCall[] {
    return this.calls.filter(({ scope }) => scope === this.scopeId(store));
  }

  async cursor(store: string) {
    return (await this.#process(0).cursors.read(this.id, this.scopeId(store)))?.cursor;
  }

  async deliveries(store: string): Promise<Delivery[]> {
    const { deliveries } = await this.#process(0).storage.list(this.id, { limit: 1_000 });
    return deliveries
      .filter(({ scope }) => scope === this.scopeId(store))
      .sort((one, other) => one.revision - other.revision);
  }

  scopeId(store: string): string {
    return scopeId(this.scope(store));
  }

  scope(store: string): Scope {
    return { ns: this.#ns, kind: 'kv', name: store };
  }

  #openProcess(cosmos: CosmosFixture, skew: number): Process {
    const clock = new SkewedClock(this.clock);
    clock.skew = skew;
    const database = cosmos.connect();
    const container = database.container(COSMOS_CONTAINERS.records.id);
    const records = new Records({ container, clock, random: systemRandom });
    const endpointPolicy = { allowPrivate: true, ports: [] };
    const subscriptions = new Subscriptions({
      records,
      clock,
      random: systemRandom,
      sealer: SEALER,
      endpointPolicy,
    });
    const deliveries = database.container(COSMOS_CONTAINERS.deliveries.id);
    const parts = {
      clock,
      records,
      subscriptions,
      storage: new DeliveryStorage(deliveries),
      cursors: new CursorStorage(deliveries),
    };
    return { ...parts, ordered: this.#ordered(parts, (_step, run) => run()) };
  }

  #ordered(process: Omit<Process, 'ordered'>, gate: Gate): OrderedDeliveries {
    const { clock } = process;
    return new OrderedDeliveries({
      records: gated(process.records, gate),
      subscriptions: gated(process.subscriptions, gate),
      storage: gated(process.storage, gate),
      cursors: gated(process.cursors, gate),
      queue: gated(this.queue, gate),
      gate: { call: async (call, post) => await this.#passGate(clock, call.subscription, post) },
      requests: new RequestWriter({ sealer: SEALER, publicUrl: undefined }),
      callerOf: anyMaker,
      post: (request) =>
        gate('post', async () => this.#hear(String(request.headers['webhook-id']), JSON.parse(request.body))),
      clock,
      random: systemRandom,
      retrySeconds: RETRY_SECONDS,
      clockSkewMilliseconds: CLOCK_SKEW_MILLISECONDS,
      timeoutMilliseconds: TIMEOUT_MILLISECONDS,
    });
  }

  async #passGate(
    clock: Clock,
    _subscription: Subscription,
    post: () => Promise<WebhookResult>,
  ): Promise<GateAnswer> {
    const startedAt = clock.now();
    return this.isClosed
      ? { kind: 'wait', until: startedAt + 30_000 }
      : { kind: 'called', result: await post(), startedAt, durationMs: clock.now() - startedAt };
  }

  #hear(webhookId: string, { data }: { data: { scope: string; revision: number } }): WebhookResult {
    this.clock.advance(this.millisecondsPerCall / 1000);
    this.calls.push({ scope: data.scope, revision: data.revision, webhookId });
    return this.failures.shift() === true ? { status: 500, error: 'HTTP 500' } : { status: 200 };
  }

  #begin(message: WakeMessage, nth: number): Handler {
    const actor = new Actor();
    const handler: { fault: Fault | undefined } = { fault: undefined };
    const gate = faulty(actor.gate, () => {
      const { fault } = handler;
      handler.fault = undefined;
      return fault;
    });
    const process = this.#process(nth);
    const ordered = this.#ordered(process, gate);
    const log = { error: (...texts: unknown[]) => this.alerts.push(texts.join(' ')) };
    const outcome = actor.start(() => ordered.wake(message, log));
    return Object.assign(handler, { actor, message, outcome, movedAt: this.clock.now() });
  }

  async #endIfFinished(handler: Handler): Promise<void> {
    if (handler.actor.isFinished) {
      this.#handlers.splice(this.#handlers.indexOf(handler), 1);
      const outcome = await handler.outcome;
      if (outcome.status === 'rejected') {
        this.queue.putBack(handler.message, this.clock.now());
      }
    }
  }

  #kill(handler: Handler, pause: number): void {
    handler.actor.kill();
    this.#handlers.splice(this.#handlers.indexOf(handler), 1);
    this.queue.putBack(handler.message, this.clock.now() + pause);
  }

  #handler(nth: number): Handler | undefined {
    return this.#handlers[nth % this.#handlers.length];
  }

  #process(nth: number): Process {
    const process = this.processes[nth % this.processes.length];
    if (process === undefined) {
      throw new Error('There is no process.');
    }
    return process;
  }
}

const SEALER = new Sealer([randomBytes(32)]);
