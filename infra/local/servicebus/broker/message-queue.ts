import { randomUUID } from 'node:crypto';
import { messageLockLost, messageNotFound, notAllowed } from '../service-bus-error.ts';
import { Agenda } from './agenda.ts';
import type { Clock } from './clock.ts';
import type { Consumer, Lock } from './consumer.ts';
import { DuplicateDetection } from './duplicate-detection.ts';
import { Heap } from './heap.ts';
import type { Message, MessageContent, PropertyChanges } from './message.ts';
import type { MessageStore, StoreTransaction } from './message-store.ts';
import type { QueueSettings } from './queue-settings.ts';

/** The reason a message is in the dead-letter queue, as encoded application properties. */
export interface DeadLetterReasons {
  readonly maxDeliveryCountExceeded: (maxDeliveryCount: number) => PropertyChanges;
  readonly expired: PropertyChanges;
}

export type EntityKind = 'queue' | 'topic' | 'subscription' | 'deadLetterQueue';

/** Somebody who gets copies of what is sent to a topic. */
interface Subscription {
  readonly queue: MessageQueue;
  matches(content: MessageContent): boolean;
}

interface QueueDependencies {
  readonly kind: EntityKind;
  readonly clock: Clock;
  readonly store: MessageStore;
  readonly deadLetterReasons: DeadLetterReasons;
  /** Absent for a topic and a queue that is a dead-letter queue itself. */
  readonly deadLetters?: MessageQueue;
  /** Present for a topic, which itself keeps only what is scheduled. */
  readonly subscriptions?: readonly Subscription[];
}

/** A message in memory, and who has it. */
interface Entry {
  message: Message;
  /** `moving`: its next state is being written down, and nothing else may happen to it. */
  state: 'ready' | 'locked' | 'scheduled' | 'moving' | 'gone';
  lock?: Lock;
}

interface Deadline {
  readonly entry: Entry;
  readonly kind: 'enqueue' | 'unlock' | 'expire';
}

/**
 * One queue: sending, locking, settling, scheduling, expiry and duplicate detection. A message becomes visible only
 * when it is written down, and a promise resolves only when its effect is. A store that fails ends the process: timers
 * leave its rejection unhandled on purpose, because a broker that cannot write can keep none of its promises.
 */
export class MessageQueue {
  readonly name: string;
  readonly kind: EntityKind;
  readonly #settings: QueueSettings;
  readonly #clock: Clock;
  readonly #store: MessageStore;
  readonly #deadLetters: MessageQueue | undefined;
  readonly #subscriptions: readonly Subscription[] | undefined;
  readonly #deadLetterReasons: DeadLetterReasons;
  readonly #duplicates: DuplicateDetection | undefined;
  readonly #entries = new Map<number, Entry>();
  readonly #ready = new Heap<Entry>(
    (left, right) => left.message.sequenceNumber - right.message.sequenceNumber,
  );
  readonly #locked = new Map<string, Entry>();
  readonly #deadlines: Agenda<Deadline>;
  /** In the order in which they are served next. */
  #consumers: Consumer[] = [];
  #lastSequenceNumber: number;

  constructor(settings: QueueSettings, dependencies: QueueDependencies) {
    this.name = settings.name;
    this.kind = dependencies.kind;
    this.#settings = settings;
    this.#clock = dependencies.clock;
    this.#store = dependencies.store;
    this.#deadLetters = dependencies.deadLetters;
    this.#subscriptions = dependencies.subscriptions;
    this.#deadLetterReasons = dependencies.deadLetterReasons;
    this.#deadlines = new Agenda({ clock: this.#clock, isCurrent: isPending, run: (due) => this.#meet(due) });
    const stored = this.#store.load(this.name);
    this.#lastSequenceNumber = stored.lastSequenceNumber;
    if (settings.duplicateDetectionWindow !== undefined) {
      this.#duplicates = new DuplicateDetection(settings.duplicateDetectionWindow, stored.knownIds);
    }
    for (const message of stored.messages) this.#admit(message);
  }

  get isDeadLetterQueue(): boolean {
    return this.kind === 'deadLetterQueue';
  }

  /** Stops all timers. */
  close(): void {
    this.#deadlines.close();
  }

  /**
   * Takes all of `contents` and answers their sequence numbers, which can cancel those that are scheduled. A message
   * whose id is known is accepted too, but never delivered; its number leads to nothing.
   */
  async send(contents: readonly MessageContent[]): Promise<number[]> {
    const now = this.#clock.now();
    const messages = contents.map((content) => this.#newMessage(content, now));
    const sequenceNumbers = messages.map(({ sequenceNumber }) => sequenceNumber);
    const duplicates = this.#duplicates;
    if (duplicates === undefined) {
      await this.#enqueue(messages, () => {});
      return sequenceNumbers;
    }
    const forgotten = duplicates.forgetOlderThan(now);
    const { fresh, known } = duplicates.separate(messages);
    const stored = this.#enqueue(fresh, (transaction) => {
      for (const id of forgotten) transaction.removeKnownId(this.name, id);
      for (const { content } of fresh) {
        transaction.putKnownId(this.name, content.messageId, duplicates.expiryOf(now));
      }
    });
    duplicates.remember(fresh, now, stored);
    // A duplicate may be acknowledged only when the message it repeats is safe.
    await Promise.all([stored, ...known]);
    return sequenceNumbers;
  }

  /** Removes all of the scheduled messages, or none if one of them is not scheduled (any more). */
  async cancelScheduled(sequenceNumbers: readonly number[]): Promise<void> {
    const entries = sequenceNumbers.map((sequenceNumber) => this.#entries.get(sequenceNumber));
    const scheduled = entries
      .filter((entry) => entry?.state === 'scheduled')
      .filter((entry) => entry !== undefined);
    if (scheduled.length < sequenceNumbers.length) throw messageNotFound();
    await this.#remove(scheduled);
  }

  /** Begins to serve `consumer`; the answer ends it. Locks outlive the consumer, as they do in the service. */
  subscribe(consumer: Consumer): () => void {
    this.#consumers.push(consumer);
    return () => {
      this.#consumers = this.#consumers.filter((other) => other !== consumer);
    };
  }

  /** Hands ready messages to the consumers that have credit, in turn. To be called when a consumer got credit. */
  dispatch(): void {
    for (;;) {
      const consumer = this.#consumers.find((candidate) => candidate.credit() > 0);
      if (consumer === undefined) return;
      const entry = this.#nextReady();
      if (entry === undefined) return;
      this.#serveLast(consumer);
      consumer.reserve();
      if (consumer.mode === 'peekLock') consumer.deliver(entry.message, this.#lock(entry));
      else void this.#remove([entry]).then(() => consumer.deliver(entry.message));
    }
  }

  async complete(lockToken: string): Promise<void> {
    await this.#remove([this.#takeLocked(lockToken)]);
  }

  /** Counts the delivery as failed and makes the message available again, or dead-letters it after too many. */
  async abandon(lockToken: string, changes: PropertyChanges): Promise<void> {
    await this.#release(this.#takeLocked(lockToken), changes);
  }

  async deadLetter(lockToken: string, changes: PropertyChanges): Promise<void> {
    const deadLetters = this.#deadLetters;
    if (deadLetters === undefined) {
      throw notAllowed('A message in a dead-letter queue cannot be dead-lettered.');
    }
    await this.#moveToDeadLetters(this.#takeLocked(lockToken), changes);
  }

  /** Answers until when the message is locked now. */
  renewLock(lockToken: string): number {
    const entry = this.#locked.get(lockToken);
    if (entry?.lock === undefined || entry.lock.until <= this.#clock.now()) throw messageLockLost();
    return this.#extendLock(entry, lockToken).until;
  }

  /** Up to `count` messages from a sequence number on, locked and scheduled ones included, in order. */
  peek(fromSequenceNumber: number, count: number): Message[] {
    const now = this.#clock.now();
    return [...this.#entries.values()]
      .filter(({ state }) => state !== 'moving')
      .map(({ message }) => message)
      .filter(({ sequenceNumber }) => sequenceNumber >= fromSequenceNumber)
      .filter((message) => message.state === 'scheduled' || !isExpired(message, now))
      .sort((left, right) => left.sequenceNumber - right.sequenceNumber)
      .slice(0, count);
  }

  async #enqueue(
    messages: readonly Message[],
    write: (transaction: StoreTransaction) => void,
  ): Promise<void> {
    const deliveries = this.#deliveriesOf(messages);
    await this.#store.commit((transaction) => {
      for (const [queue, delivered] of deliveries) {
        for (const message of delivered) transaction.putMessage(queue.name, message);
        transaction.putLastSequenceNumber(queue.name, queue.#lastSequenceNumber);
      }
      write(transaction);
    });
    for (const [queue, delivered] of deliveries) {
      for (const message of delivered) queue.#admit(message);
      queue.dispatch();
    }
  }

  /** Which queues keep what of the messages: this one all, but a topic's subscriptions what is active and matches. */
  #deliveriesOf(messages: readonly Message[]): [MessageQueue, readonly Message[]][] {
    if (this.#subscriptions === undefined) return [[this, messages]];
    const active = messages.filter(({ state }) => state === 'active');
    const copies = this.#subscriptions.map(({ queue, matches }): [MessageQueue, Message[]] => [
      queue,
      active.filter(({ content }) => matches(content)).map((message) => queue.#copy(message)),
    ]);
    const scheduled = messages.filter(({ state }) => state === 'scheduled');
    return [[this, scheduled], ...copies.filter(([, delivered]) => delivered.length > 0)];
  }

  /** A topic's message as this subscription keeps it; what its sender gave is shared. */
  #copy({ sequenceNumber, timeToLive, enqueuedAt, ...shared }: Message): Message {
    return {
      ...shared,
      sequenceNumber: this.#nextSequenceNumber(),
      enqueuedSequenceNumber: sequenceNumber,
      enqueuedAt,
      ...this.#lifetime(timeToLive, enqueuedAt),
    };
  }

  #newMessage(content: MessageContent, now: number): Message {
    const scheduled = content.scheduledFor !== undefined && content.scheduledFor > now;
    return {
      sequenceNumber: this.#nextSequenceNumber(),
      content,
      enqueuedAt: now,
      state: scheduled ? 'scheduled' : 'active',
      ...this.#lifetime(content.timeToLive, now),
      deliveryCount: 0,
      propertyChanges: {},
    };
  }

  #lifetime(own = Number.POSITIVE_INFINITY, enqueuedAt: number): Pick<Message, 'timeToLive' | 'expiresAt'> {
    const timeToLive = Math.min(own, this.#settings.defaultTimeToLive ?? Number.POSITIVE_INFINITY);
    return timeToLive === Number.POSITIVE_INFINITY ? {} : { timeToLive, expiresAt: enqueuedAt + timeToLive };
  }

  #nextSequenceNumber(): number {
    this.#lastSequenceNumber += 1;
    return this.#lastSequenceNumber;
  }

  /** Puts a stored message where it belongs. */
  #admit(message: Message): void {
    const entry: Entry = { message, state: message.state === 'scheduled' ? 'scheduled' : 'ready' };
    this.#entries.set(message.sequenceNumber, entry);
    if (entry.state === 'ready') this.#makeReady(entry);
    else this.#deadlines.add(message.content.scheduledFor ?? 0, { entry, kind: 'enqueue' });
  }

  #makeReady(entry: Entry): void {
    entry.state = 'ready';
    this.#ready.push(entry);
    const { expiresAt } = entry.message;
    if (expiresAt !== undefined) this.#deadlines.add(expiresAt, { entry, kind: 'expire' });
  }

  #serveLast(consumer: Consumer): void {
    if (this.#consumers.length < 2) return;
    this.#consumers.splice(this.#consumers.indexOf(consumer), 1);
    this.#consumers.push(consumer);
  }

  #nextReady(): Entry | undefined {
    const now = this.#clock.now();
    for (;;) {
      const entry = this.#ready.pop();
      if (entry === undefined) return undefined;
      if (entry.state !== 'ready') continue;
      if (!isExpired(entry.message, now)) return entry;
      void this.#expire(entry);
    }
  }

  #lock(entry: Entry): Lock {
    entry.state = 'locked';
    const token = randomUUID();
    this.#locked.set(token, entry);
    return this.#extendLock(entry, token);
  }

  #extendLock(entry: Entry, token: string): Lock {
    const lock = { token, until: this.#clock.now() + this.#settings.lockDuration };
    entry.lock = lock;
    this.#deadlines.add(lock.until, { entry, kind: 'unlock' });
    return lock;
  }

  /** Ends a lock that still holds. */
  #takeLocked(lockToken: string): Entry {
    const entry = this.#locked.get(lockToken);
    if (entry?.lock === undefined || entry.lock.until <= this.#clock.now()) throw messageLockLost();
    this.#unlock(entry, entry.lock);
    return entry;
  }

  #unlock(entry: Entry, lock: Lock): void {
    this.#locked.delete(lock.token);
    delete entry.lock;
    entry.state = 'moving';
  }

  async #remove(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) entry.state = 'moving';
    await this.#store.commit((transaction) => {
      for (const { message } of entries) transaction.removeMessage(this.name, message.sequenceNumber);
    });
    for (const entry of entries) this.#forget(entry);
  }

  #forget(entry: Entry): void {
    entry.state = 'gone';
    this.#entries.delete(entry.message.sequenceNumber);
  }

  async #release(entry: Entry, changes: PropertyChanges): Promise<void> {
    const { maxDeliveryCount } = this.#settings;
    const message = withChanges(entry.message, changes);
    // In a dead-letter queue the service counts no more (Azure/azure-sdk-for-net issue 53437).
    const deliveryCount = message.deliveryCount + (this.isDeadLetterQueue ? 0 : 1);
    const released = { ...message, deliveryCount };
    entry.message = released;
    if (deliveryCount >= maxDeliveryCount) {
      const reason = this.#deadLetterReasons.maxDeliveryCountExceeded(maxDeliveryCount);
      return this.#moveToDeadLetters(entry, reason);
    }
    await this.#store.commit((transaction) => transaction.putMessage(this.name, released));
    this.#makeReady(entry);
    this.dispatch();
  }

  async #moveToDeadLetters(entry: Entry, changes: PropertyChanges): Promise<void> {
    const deadLetters = this.#deadLetters;
    if (deadLetters === undefined) throw new Error(`The queue ${this.name} has no dead-letter queue.`);
    entry.state = 'moving';
    // A dead letter keeps its sequence number and never expires.
    const { expiresAt: _, ...dead } = withChanges(entry.message, changes);
    await this.#store.commit((transaction) => {
      transaction.removeMessage(this.name, dead.sequenceNumber);
      transaction.putMessage(deadLetters.name, dead);
    });
    this.#forget(entry);
    deadLetters.#admit(dead);
    deadLetters.dispatch();
  }

  #meet({ entry, kind }: Deadline): void {
    if (kind === 'enqueue') void this.#enqueueScheduled(entry);
    else if (kind === 'expire') void this.#expire(entry);
    else if (entry.lock !== undefined) {
      this.#unlock(entry, entry.lock);
      void this.#release(entry, {});
    }
  }

  /** A scheduled message gets a new sequence number when it becomes active, as if it were sent at that moment. */
  async #enqueueScheduled(entry: Entry): Promise<void> {
    entry.state = 'moving';
    const now = this.#clock.now();
    const active: Message = {
      ...entry.message,
      sequenceNumber: this.#nextSequenceNumber(),
      state: 'active',
      enqueuedAt: now,
      ...this.#lifetime(entry.message.content.timeToLive, now),
    };
    await this.#enqueue([active], (transaction) =>
      transaction.removeMessage(this.name, entry.message.sequenceNumber),
    );
    this.#forget(entry);
  }

  async #expire(entry: Entry): Promise<void> {
    if (this.#settings.deadLetterOnExpiration && this.#deadLetters !== undefined) {
      await this.#moveToDeadLetters(entry, this.#deadLetterReasons.expired);
    } else {
      await this.#remove([entry]);
    }
  }
}

/** Whether a deadline still stands: locks may have been renewed or settled, messages taken or cancelled. */
function isPending({ entry, kind }: Deadline, at: number): boolean {
  if (kind === 'enqueue') return entry.state === 'scheduled';
  if (kind === 'expire') return entry.state === 'ready';
  return entry.state === 'locked' && entry.lock?.until === at;
}

function isExpired(message: Message, now: number): boolean {
  return message.expiresAt !== undefined && message.expiresAt <= now;
}

function withChanges(message: Message, changes: PropertyChanges): Message {
  return { ...message, propertyChanges: { ...message.propertyChanges, ...changes } };
}
