import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Typed } from 'rhea';
import type { Consumer, Lock, Supply } from '../broker/consumer.ts';
import type { Message } from '../broker/message.ts';
import type { MessageQueue } from '../broker/message-queue.ts';
import { notImplemented, ServiceBusError } from '../service-bus-error.ts';
import type { FaultInjection } from './fault-injection.ts';
import { toDeliveryTag } from './lock-token.ts';
import { encodeMessage } from './message-codec.ts';
import { type Outcome, parseOutcome } from './outcome.ts';
import type { RheaSender } from './rhea-internals.ts';
import type { SessionTransfers } from './session-transfers.ts';

const SETTLED = 1;

/** A link on which a client receives from a queue or from one of its sessions. */
export class ConsumerLink implements Consumer {
  readonly name: string;
  readonly mode: Consumer['mode'];
  readonly #link: RheaSender;
  readonly #queue: MessageQueue;
  readonly #transfers: SessionTransfers;
  readonly #faults: FaultInjection | undefined;
  /** Faults may delay deliveries, but not change their order. */
  #delivered: Promise<void> = Promise.resolve();
  #reserved = 0;
  /** A client may give credit together with its attach, whose answer rhea writes only behind what is sent at once. */
  #isAttached = false;

  constructor(
    link: RheaSender,
    queue: MessageQueue,
    transfers: SessionTransfers,
    faults: FaultInjection | undefined,
  ) {
    this.#link = link;
    this.#queue = queue;
    this.#transfers = transfers;
    this.#faults = faults;
    this.name = link.name;
    this.mode = link.snd_settle_mode === SETTLED ? 'receiveAndDelete' : 'peekLock';
  }

  /** Serves the link from what the queue gave it. */
  open(supply: Supply): void {
    answerEveryDrain(this.#link);
    const serve = () => {
      supply.dispatch();
      if (this.#isAttached && this.#link._draining) this.#finishDrain();
    };
    this.#link.on('sender_flow', serve);
    this.#link.on('sendable', () => supply.dispatch());
    void setImmediate().then(() => {
      this.#isAttached = true;
      serve();
    });
  }

  credit(): number {
    if (!this.#isAttached) return 0;
    return this.#transfers.creditOf(this.#link) - this.#reserved;
  }

  reserve(): void {
    this.#reserved += 1;
  }

  deliver(message: Message, lock?: Lock): void {
    const faults = this.#faults;
    if (faults === undefined) {
      this.#send(message, lock);
      return;
    }
    const loseLocks = () => lock && this.#queue.loseLock(lock.token);
    this.#delivered = this.#delivered
      .then(() => faults.run({ operation: 'receive', loseLocks }, () => this.#sendNow(message, lock)))
      .catch((error) => {
        if (!(error instanceof ServiceBusError)) throw error;
        this.fail(error);
      });
  }

  /** Resolves when the delivery is on its way, so that a connection may be dropped after it. */
  async #sendNow(message: Message, lock: Lock | undefined): Promise<void> {
    this.#send(message, lock);
    await setImmediate();
  }

  #send(message: Message, lock: Lock | undefined): void {
    this.#reserved -= 1;
    if (!this.#link.is_open()) return;
    if (lock === undefined) {
      this.#transfers.sendSettled(this.#link, randomBytes(16), encodeMessage(message));
    } else {
      this.#transfers.send(this.#link, toDeliveryTag(lock.token), encodeMessage(message, lock), (state) =>
        this.#settle(lock.token, state),
      );
    }
    if (this.#link._draining) this.#finishDrain();
  }

  fail(error: ServiceBusError): void {
    this.#link.close({ condition: error.condition, description: error.message });
  }

  async #settle(lockToken: string, state: Typed): Promise<void> {
    const outcome = parseOutcome(state);
    if (outcome === undefined) throw notImplemented('this delivery state');
    const settle = () => settleMessage(this.#queue, lockToken, outcome);
    const loseLocks = () => this.#queue.loseLock(lockToken);
    await (this.#faults?.run({ operation: outcome.kind, loseLocks }, settle) ?? settle());
  }

  /** Tells the client that nothing more comes, once what is on its way has gone. */
  #finishDrain(): void {
    if (this.#reserved > 0) return;
    this.#link.set_drained(true);
    this.#link.connection._register();
  }
}

export async function settleMessage(queue: MessageQueue, lockToken: string, outcome: Outcome): Promise<void> {
  if (outcome.kind === 'defer') throw notImplemented('deferring messages');
  if (outcome.kind === 'complete') await queue.complete(lockToken);
  else if (outcome.kind === 'abandon') await queue.abandon(lockToken, outcome.changes);
  else await queue.deadLetter(lockToken, outcome.changes);
}

/** rhea answers a drain only while there is credit left; the SDK then waits 200 ms and closes its receiver. */
function answerEveryDrain(link: RheaSender): void {
  const consumeCredit = link._get_drain.bind(link);
  link._get_drain = () => consumeCredit() || link._draining;
}
