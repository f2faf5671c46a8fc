import { type ChangeFeedPullModelIterator, ChangeFeedStartFrom, type Database } from '@azure/cosmos';
import type { ServiceBusReceivedMessage, ServiceBusReceiver, ServiceBusSender } from '@azure/service-bus';
import { COSMOS_CONTAINERS, SERVICE_BUS_TOPICS } from '../../../../shared/platform/topology.ts';
import { parseScopeId } from '../../../../shared/records/index.ts';
import {
  parseQueueMessage,
  type QueueMessage,
  type WebhookRequest,
  type WebhookResult,
} from '../../../../shared/webhooks/index.ts';
import { errorOf, type Fault, Faults, type Step } from './crash-faults.ts';
import type { CrashServers } from './crash-servers.ts';
import { CrashingProcess, type Stepping } from './crashing-process.ts';

/** A POST as its endpoint saw it. */
export interface Post {
  /** Milliseconds of true time, as all times here. */
  readonly at: number;
  readonly subscription: string;
  readonly scope: string;
  readonly revision: number;
  readonly request: WebhookRequest;
  /** What was answered; absent as long as nothing is. */
  result?: WebhookResult;
}

/** What an endpoint answers to its nth call, after how many milliseconds. */
export type Endpoint = (nth: number) => { readonly result: WebhookResult; readonly after: number };

export interface WorldOptions {
  readonly ns: string;
  readonly queue: string;
  /** Milliseconds by which the processes' clocks are fast; one process for each. */
  readonly skews: readonly number[];
  /** Whether locks of processes that die are left to expire, rather than broken at once. */
  readonly locksExpire: boolean;
  readonly feedPage: number;
}

export type Outcome<Answer> =
  | { readonly kind: 'done'; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'lost' };

export interface Living {
  readonly process: CrashingProcess;
  readonly death: Promise<void>;
  readonly stepping: Stepping;
}

/** Turns of the event loop without anything happening, after which nothing is on its way between this process and the servers. */
const CALM_TURNS = 25;
/** Beyond all that anybody waits for here; only locks on nothing and messages that nobody takes last longer. */
const LONGEST_WAIT_MILLISECONDS = 60 * 60_000;
/** Milliseconds of real time without anything to wait for, after which nothing more comes, however busy the machine is. */
const IDLE_MILLISECONDS = 20_000;
/** What a step takes. */
const STEP_MILLISECONDS = 3;

/**
 * Some processes of the app that die at the steps that a plan names, the change feed and the bus that hand work over to them again,
 * and endpoints. Time stands still as long as anything is under way, and skips to the next event then.
 */
export class CrashWorld {
  readonly posts: Post[] = [];
  /** `SCOPE@REVISION` of what the topic of the bus told. */
  readonly published = new Set<string>();
  readonly faults = new Faults();
  readonly endpoints = new Map<string, Endpoint>();
  /** Who reads and writes without faults. */
  readonly observer: CrashingProcess;
  readonly #servers: CrashServers;
  readonly #options: WorldOptions;
  readonly #database: Database;
  readonly #senders: { readonly queue: ServiceBusSender; readonly topic: ServiceBusSender };
  readonly #living: Living[];
  readonly #stopListening: () => Promise<void>;
  #turn = 0;
  /** Counts what happens. */
  #activity = 0;
  #underWay = 0;
  #continuation: string | undefined;
  #isFanningOut = false;

  private constructor(servers: CrashServers, options: WorldOptions) {
    this.#servers = servers;
    this.#options = options;
    this.#database = servers.cosmos.connect();
    this.#senders = {
      queue: servers.client.createSender(options.queue),
      topic: servers.client.createSender(SERVICE_BUS_TOPICS.notifications.name),
    };
    this.#living = options.skews.map((skew) => this.#bear(skew));
    this.observer = this.#compose(0, async (_step, run) => await run());
    this.#stopListening = servers.listen({
      queue: options.queue,
      take: (message, receiver) => this.#take(message, receiver),
      hear: (message) => this.#note(message),
    });
  }

  static async open(servers: CrashServers, options: WorldOptions): Promise<CrashWorld> {
    const world = new CrashWorld(servers, options);
    const feed = world.#feed(ChangeFeedStartFrom.Now());
    world.#continuation = (await feed.readNext()).continuationToken;
    return world;
  }

  async close(): Promise<void> {
    await this.#stopListening();
    await Promise.all([this.#senders.queue.close(), this.#senders.topic.close()]);
  }

  get now(): number {
    return this.#servers.clock.now();
  }

  /** Does something in one of the processes, as a call of the API does. */
  async ask<Answer>(work: (living: Living) => Promise<Answer>): Promise<Outcome<Answer>> {
    this.#turn += 1;
    const living = this.#living[this.#turn % this.#living.length];
    if (living === undefined) {
      throw new Error('There is no process.');
    }
    this.#activity += 1;
    const outcome = await Promise.race([
      work(living).then(
        (answer) => ({ kind: 'done', answer }) as const,
        (error: unknown) => ({ kind: 'failed', error }) as const,
      ),
      living.death.then(() => ({ kind: 'lost' }) as const),
    ]);
    this.#activity += 1;
    return outcome;
  }

  /** Lets everything happen that happens within a time. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    const cancel = this.#servers.clock.schedule(end, () => {});
    await this.until(async () => this.now >= end);
    cancel();
  }

  /**
   * Lets everything happen until something is so.
   *
   * @param isSo is asked whenever nothing is under way.
   */
  async until(isSo: () => Promise<boolean>): Promise<void> {
    const { clock } = this.#servers;
    for (let idleSince = Date.now(); ; ) {
      await this.#calm();
      if (await this.#fanOut()) {
        idleSince = Date.now();
        continue;
      }
      if (await isSo()) {
        return;
      }
      if (clock.skip(LONGEST_WAIT_MILLISECONDS)) {
        idleSince = Date.now();
        continue;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (Date.now() >= idleSince + IDLE_MILLISECONDS) {
        clock.pass(LONGEST_WAIT_MILLISECONDS);
        idleSince = Date.now();
      }
    }
  }

  async #calm(): Promise<void> {
    let calm = 0;
    while (calm < CALM_TURNS) {
      const before = this.#activity;
      this.#servers.clock.ring();
      await new Promise(setImmediate);
      calm = this.#activity === before && this.#underWay === 0 ? calm + 1 : 0;
    }
  }

  /** Hands what the feed has over to a process, in the background; returns whether it has anything, or is at it. */
  async #fanOut(): Promise<boolean> {
    if (this.#isFanningOut) {
      return false;
    }
    const { result, continuationToken } = await this.#feed(
      ChangeFeedStartFrom.Continuation(this.#continuation ?? ''),
    ).readNext();
    if (result === undefined || result.length === 0) {
      return false;
    }
    this.#isFanningOut = true;
    const alerts = { error: () => {} };
    void this.ask(({ process }) => process.fanOut.handle(result, alerts)).then(async ({ kind }) => {
      if (kind === 'done') {
        this.#continuation = continuationToken;
      } else {
        await this.#servers.clock.sleep(1_000);
      }
      this.#isFanningOut = false;
      this.#activity += 1;
    });
    return true;
  }

  #feed(changeFeedStartFrom: ChangeFeedStartFrom): ChangeFeedPullModelIterator<unknown> {
    return this.#database.container(COSMOS_CONTAINERS.records.id).items.getChangeFeedIterator({
      changeFeedStartFrom,
      maxItemCount: this.#options.feedPage,
    });
  }

  /** A message whose handler fails comes again at once; of one that dies at once, or when its lock is over. */
  async #take(received: ServiceBusReceivedMessage, receiver: ServiceBusReceiver): Promise<void> {
    const message = parseQueueMessage(received.body);
    if (!isOf(this.#options.ns, message)) {
      return await receiver.completeMessage(received);
    }
    let isSettled = false;
    const outcome = await this.ask(async ({ process, stepping }) => {
      await process.handle(message);
      await stepping('complete', async () => {
        isSettled = true;
        await receiver.completeMessage(received).catch(ignoreLostLock);
      });
    });
    if (!isSettled && (outcome.kind === 'failed' || !this.#options.locksExpire)) {
      await this.#count(() => receiver.abandonMessage(received).catch(ignoreLostLock));
    }
  }

  #note({ messageId }: ServiceBusReceivedMessage): void {
    this.#activity += 1;
    this.published.add(String(messageId));
  }

  #bear(skew: number): Living {
    const { promise: death, resolve: die } = Promise.withResolvers<void>();
    let isDead = false;
    const fail = async (fault: Fault) => {
      if (fault.kind !== 'kill') {
        throw errorOf(fault);
      }
      isDead = true;
      this.#living[this.#living.indexOf(living)] = this.#bear(skew);
      die();
      return await NEVER;
    };
    const stepping: Stepping = async (step, run) => {
      if (isDead) {
        return await NEVER;
      }
      this.#servers.clock.pass(STEP_MILLISECONDS);
      const fault = this.faults.next(step);
      if (fault?.moment === 'before') {
        return await fail(fault);
      }
      const answer = await this.#run(step, run);
      if (isDead) {
        return await NEVER;
      }
      return fault === undefined ? answer : await fail(fault);
    };
    const living = { process: this.#compose(skew, stepping), death, stepping };
    return living;
  }

  #compose(skew: number, stepping: Stepping): CrashingProcess {
    return new CrashingProcess({
      database: this.#database,
      queueSender: this.#senders.queue,
      topicSender: this.#senders.topic,
      clock: this.#servers.clock,
      skew,
      post: (request) => this.#hear(request),
      stepping,
    });
  }

  /** An endpoint takes the time that passes meanwhile; for all others it stands still. */
  async #run<Answer>(step: Step, run: () => Promise<Answer>): Promise<Answer> {
    return await (step === 'post' ? run() : this.#count(run));
  }

  async #hear(request: WebhookRequest): Promise<WebhookResult> {
    const { subscription, scope, revision } = readTold(request);
    const earlier = this.posts.filter((post) => post.subscription === subscription).length;
    const post: Post = { at: this.now, subscription, scope, revision, request };
    this.posts.push(post);
    const { result, after } = this.endpoints.get(subscription)?.(earlier) ?? {
      result: { status: 200 },
      after: 0,
    };
    if (after > 0) {
      await this.#servers.clock.sleep(after);
    }
    post.result = result;
    return result;
  }

  async #count<Answer>(run: () => Promise<Answer>): Promise<Answer> {
    this.#underWay += 1;
    try {
      return await run();
    } finally {
      this.#underWay -= 1;
      this.#activity += 1;
    }
  }
}

const NEVER = new Promise<never>(() => {});

function ignoreLostLock(): void {}

function isOf(ns: string, message: QueueMessage): boolean {
  return ('ns' in message ? message.ns : parseScopeId(message.scope).ns) === ns;
}

/** What a request in the format `standard` or as a structured CloudEvent tells of. */
function readTold({ body }: WebhookRequest): Pick<Post, 'subscription' | 'scope' | 'revision'> {
  return (JSON.parse(body) as { data: Pick<Post, 'subscription' | 'scope' | 'revision'> }).data;
}
