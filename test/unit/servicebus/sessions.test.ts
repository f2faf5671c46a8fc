import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Broker } from '../../../infra/local/servicebus/broker/broker.ts';
import type { Consumer, Lock, SessionSupply } from '../../../infra/local/servicebus/broker/consumer.ts';
import type { Message, MessageContent } from '../../../infra/local/servicebus/broker/message.ts';
import type { MessageQueue } from '../../../infra/local/servicebus/broker/message-queue.ts';
import type { ServiceBusError } from '../../../infra/local/servicebus/service-bus-error.ts';
import { printedSeed } from '../../integration/seeded-runs.ts';
import { ManualClock } from './manual-clock.ts';
import { MemoryStore } from './memory-store.ts';

const EMPTY = Buffer.alloc(0);
const LOCK_DURATION = 30_000;
const NEVER = new AbortController().signal;

let sent = 0;

function contentOf(sessionId: string): MessageContent {
  sent += 1;
  return {
    messageId: `id-${sent}`,
    sessionId,
    durable: false,
    annotations: [],
    properties: EMPTY,
    applicationProperties: EMPTY,
    body: EMPTY,
  };
}

/** The holder of a session, who takes one message at a time. */
class Holder implements Consumer {
  readonly name: string;
  readonly mode = 'peekLock';
  readonly tokens = new Map<number, string>();
  failure: ServiceBusError | undefined;
  supply: SessionSupply | undefined;
  #credit = 0;
  #latest: number | undefined;

  constructor(name: string) {
    this.name = name;
  }

  credit(): number {
    return this.#credit;
  }

  reserve(): void {
    this.#credit -= 1;
  }

  deliver({ sequenceNumber }: Message, lock?: Lock): void {
    this.#latest = sequenceNumber;
    this.tokens.set(sequenceNumber, lock?.token ?? '');
  }

  fail(error: ServiceBusError): void {
    this.failure = error;
  }

  /** The number of the message that there is, if there is one. */
  take(): number | undefined {
    this.#latest = undefined;
    this.#credit = 1;
    this.supply?.dispatch();
    this.#credit = 0;
    return this.#latest;
  }
}

describe('sessions of a queue', () => {
  let clock: ManualClock;
  let queue: MessageQueue;

  function open(store = new MemoryStore()): void {
    const settings = {
      name: 'orders',
      lockDuration: LOCK_DURATION,
      maxDeliveryCount: 1_000,
      deadLetterOnExpiration: false,
      requiresSession: true,
    };
    const deadLetterReasons = { maxDeliveryCountExceeded: () => ({}), expired: {}, sessionIdIsNull: {} };
    const broker = new Broker({ queues: [settings], topics: [] }, { clock, store, deadLetterReasons });
    queue = broker.find('orders') ?? expect.fail();
  }

  beforeEach(() => {
    clock = new ManualClock();
    open();
  });

  function accept(sessionId: string, name = 'holder'): Holder {
    const holder = new Holder(name);
    holder.supply = queue.acceptSession(holder, sessionId);
    return holder;
  }

  async function acceptNext(patience: number, signal = NEVER): Promise<Holder> {
    const holder = new Holder('next');
    holder.supply = await queue.acceptNextSession(holder, patience, signal);
    return holder;
  }

  it('are renewed and changed only by the link that holds them', async () => {
    accept('a', 'first');
    await clock.advance(LOCK_DURATION - 1);
    const lost = { condition: 'com.microsoft:session-lock-lost' };
    expect(() => queue.renewSessionLock('a', 'second')).toThrow(expect.objectContaining(lost));
    await expect(queue.setSessionState('a', 'second', EMPTY)).rejects.toMatchObject(lost);
    expect(() => queue.getSessionState('b', undefined)).toThrow(expect.objectContaining(lost));
    expect(queue.renewSessionLock('a', 'first')).toBe(clock.now() + LOCK_DURATION);
    await clock.advance(LOCK_DURATION - 1);
    expect(queue.renewSessionLock('a', undefined)).toBe(clock.now() + LOCK_DURATION);
  });

  it('tell their holder when the lock ends, and none of its tokens settles any more', async () => {
    await queue.send([contentOf('a')]);
    const holder = accept('a');
    const number = holder.take() ?? expect.fail();
    await clock.advance(LOCK_DURATION);
    expect(holder.failure?.condition).toBe('com.microsoft:session-lock-lost');
    await expect(queue.complete(holder.tokens.get(number) ?? '')).rejects.toMatchObject({
      condition: 'com.microsoft:session-lock-lost',
    });
    expect(queue.peek(0, 10, 'a')).toMatchObject([{ deliveryCount: 1 }]);
    holder.supply?.end();
    expect(accept('a').take()).toBe(number);
  });

  it('are waited for as long as the client is patient, or there', async () => {
    const early = acceptNext(5_000);
    const left = new AbortController();
    const gone = acceptNext(60_000, left.signal);
    const patient = acceptNext(60_000);
    const timeout = { condition: 'com.microsoft:timeout' };
    const refused = Promise.all([
      expect(early).rejects.toMatchObject(timeout),
      expect(gone).rejects.toMatchObject(timeout),
    ]);
    await clock.advance(5_000);
    left.abort();
    await refused;
    await queue.send([contentOf('a')]);
    expect((await patient).supply?.sessionId).toBe('a');
  });

  it('go to nobody who left in the moment in which they became free', async () => {
    await queue.send([contentOf('a')]);
    const holder = accept('a');
    const left = new AbortController();
    const gone = expect(acceptNext(60_000, left.signal)).rejects.toThrow();
    const patient = acceptNext(60_000);
    left.abort();
    holder.supply?.end();
    await gone;
    expect((await patient).supply?.sessionId).toBe('a');
  });

  it('keep the state of those without messages, and forget the state that is taken back', async () => {
    const store = new MemoryStore();
    open(store);
    accept('a');
    accept('b');
    await queue.setSessionState('a', 'holder', Buffer.from('state'));
    await queue.setSessionState('b', 'holder', Buffer.from('other'));
    await queue.setSessionState('b', 'holder', undefined);
    open(store);
    accept('a');
    accept('b');
    expect(queue.getSessionState('a', 'holder')?.toString()).toBe('state');
    expect(queue.getSessionState('b', 'holder')).toBeUndefined();
  });

  it('have one holder each, who gets their messages in order, whatever happens', async () => {
    const session = fc.constantFrom('a', 'b', 'c');
    const step = fc.oneof(
      { arbitrary: fc.record({ kind: fc.constant('send' as const), session }), weight: 4 },
      { arbitrary: fc.record({ kind: fc.constant('receive' as const), session }), weight: 4 },
      fc.record({
        kind: fc.constantFrom('accept', 'next', 'complete', 'abandon', 'close', 'expire'),
        session,
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        clock = new ManualClock();
        open();
        const model = new Map(['a', 'b', 'c'].map((id) => [id, new SessionModel()]));
        for (const { kind, session: id } of steps) {
          const known = model.get(id) ?? expect.fail();
          await take(kind, id, known, model);
        }
      }),
      { seed: printedSeed('Sessions of a queue') },
    );
  });

  async function take(
    kind: string,
    id: string,
    known: SessionModel,
    model: ReadonlyMap<string, SessionModel>,
  ): Promise<void> {
    if (kind === 'send') known.messages.push(...(await queue.send([contentOf(id)])));
    else if (kind === 'accept') {
      if (known.holder === undefined) known.holder = accept(id);
      else expect(() => accept(id)).toThrow(`'${id}' cannot be accepted`);
    } else if (kind === 'next') await takeNext(model);
    else if (kind === 'expire') await expireAll(model);
    else if (known.holder !== undefined) await workAs(known.holder, kind, known);
  }

  async function takeNext(model: ReadonlyMap<string, SessionModel>): Promise<void> {
    const free = [...model].filter(([, { holder, messages }]) => holder === undefined && messages.length > 0);
    const accepting = acceptNext(0);
    if (free.length === 0) {
      const refused = expect(accepting).rejects.toThrow('no session became available');
      await clock.advance(0);
      await refused;
      return;
    }
    const holder = await accepting;
    const [, known] = free.find(([id]) => id === holder.supply?.sessionId) ?? expect.fail('Not free.');
    known.holder = holder;
  }

  async function expireAll(model: ReadonlyMap<string, SessionModel>): Promise<void> {
    await clock.advance(LOCK_DURATION);
    for (const known of model.values()) {
      expect(known.holder?.failure?.condition).toBe(known.holder && 'com.microsoft:session-lock-lost');
      known.holder = undefined;
    }
  }

  async function workAs(holder: Holder, kind: string, known: SessionModel): Promise<void> {
    if (kind === 'close') {
      holder.supply?.end();
      known.holder = undefined;
    } else if (kind === 'receive') {
      const next = known.messages.find((number) => !holder.tokens.has(number));
      expect(holder.take()).toBe(next);
    } else {
      const [first] = holder.tokens;
      if (first === undefined) return;
      const [number, token] = first;
      holder.tokens.delete(number);
      if (kind === 'complete') {
        await queue.complete(token);
        known.messages = known.messages.filter((other) => other !== number);
      } else await queue.abandon(token, {});
    }
  }
});

class SessionModel {
  /** In the order in which they are to come, those that the holder has included. */
  messages: number[] = [];
  holder: Holder | undefined;
}
