import { randomUUID } from 'node:crypto';
import {
  messageLockLost,
  messageNotFound,
  notAllowed,
  sessionCannotBeLocked,
  sessionLockLost,
} from '../service-bus-error.ts';
import { Agenda } from './agenda.ts';
import type { Clock } from './clock.ts';
import type { Consumer, Lock, SessionSupply, Supply } from './consumer.ts';
import { DuplicateDetection } from './duplicate-detection.ts';
import { type Entry, type Line, newLine, takeTurn } from './line.ts';
import type { Message, MessageContent, PropertyChanges } from './message.ts';
import type { MessageStore, StoreTransaction } from './message-store.ts';
import type { QueueSettings } from './queue-settings.ts';
import { type Session, Sessions } from './sessions.ts';

/** The reason a message is in the dead-letter queue, as encoded application properties. */
export interface DeadLetterReasons {
  readonly maxDeliveryCountExceeded: (maxDeliveryCount: number) => PropertyChanges;
  readonly expired: PropertyChanges;
  readonly sessionIdIsNull: PropertyChanges;
}

export type EntityKind = 'queue' | 'topic' | 'subscription' | 'dead-letter queue';

/** Somebody who gets copies of what is sent to a topic. */
interface Subscription {
  readonly queue: MessageQueue;
  matches(content: MessageContent): boolean;
}

interface Delivery {
  readonly queue: MessageQueue;
  readonly message: Message;
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

/**
 * One queue or subscription: sending, locking, settling, sessions, scheduling, expiry and duplicate detection. A
 * message becomes visible only when it is written down, and a promise resolves only when its effect is. A store that
 * fails ends the process, because a broker that cannot write can keep none of its promises.
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
  /** All messages, where no sessions are required. */
  readonly #line = newLine();
  readonly #sessions: Sessions;
  readonly #sessionStates: Map<string, Buffer>;
  readonly #locked = new Map<string, Entry>();
  /** Locks may be renewed or settled before, and messages taken or cancelled. */
  readonly #deadlines: Agenda;
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
    this.#deadlines = new Agenda(this.#clock);
    const hasReady = (session: Session) => this.#nextReady(session) !== undefined;
    this.#sessions = new Sessions({ clock: this.#clock, newLine, hasReady });
    const stored = this.#store.load(this.name);
    this.#lastSequenceNumber = stored.lastSequenceNumber;
    if (settings.duplicateDetectionWindow !== undefined) {
      this.#duplicates = new DuplicateDetection(settings.duplicateDetectionWindow, stored.knownIds);
    }
    this.#sessionStates = new Map(stored.sessionStates);
    for (const message of stored.messages) this.#admit(message);
  }

  get isDeadLetterQueue(): boolean {
    return this.kind === 'dead-letter queue';
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
    if (this.#settings.requiresSession && contents.some(({ sessionId }) => sessionId === undefined)) {
      throw notAllowed(
        'The SessionId was not set on a message, and it cannot be sent to the entity. Entities that have session ' +
          'support enabled can only receive messages that have the SessionId set to a valid value.',
      );
    }
    const now = this.#clock.now();
    const messages = contents.map((content) => this.#newMessage(content, now));
    const sequenceNumbers = messages.map(({ sequenceNumber }) => sequenceNumber);
    const duplicates = this.#duplicates;
    if (duplicates === undefined) {
      await this.#enqueue(messages);
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
    const entries = sequenceNumbers.flatMap((sequenceNumber) => this.#entries.get(sequenceNumber) ?? []);
    const scheduled = entries.filter(({ state }) => state === 'scheduled');
    if (scheduled.length < sequenceNumbers.length) throw messageNotFound();
    await this.#remove(scheduled);
  }

  /** Begins to serve `consumer`, in turn with others. */
  subscribe(consumer: Consumer): Supply {
    this.#refuseWithoutSession();
    const line = this.#line;
    line.consumers.push(consumer);
    return {
      dispatch: () => this.#dispatch(line),
      end() {
        line.consumers = line.consumers.filter((other) => other !== consumer);
      },
    };
  }

  /** Locks the session, which needs no messages, for `consumer`. */
  acceptSession(consumer: Consumer, sessionId: string): SessionSupply {
    this.#refuseSession();
    const session = this.#sessions.findOrCreate(sessionId);
    if (session.lockedUntil !== undefined) throw sessionCannotBeLocked(sessionId);
    return this.#lockSession(session, consumer);
  }

  /** Locks a session for `consumer` as `Sessions.lockNext` does. */
  async acceptNextSession(consumer: Consumer, patience: number, signal: AbortSignal): Promise<SessionSupply> {
    this.#refuseSession();
    return this.#sessions.lockNext((session) => this.#lockSession(session, consumer), patience, signal);
  }

  /** Answers until when the session is locked now. The holder is named by its consumer's name, where it is known. */
  renewSessionLock(sessionId: string, holder: string | undefined): number {
    return this.#extendSessionLock(this.#requireSessionLock(sessionId, holder));
  }

  getSessionState(sessionId: string, holder: string | undefined): Buffer | undefined {
    this.#requireSessionLock(sessionId, holder);
    return this.#sessionStates.get(sessionId);
  }

  /** The state stays when the session's last message has gone, until it is set to undefined. */
  async setSessionState(
    sessionId: string,
    holder: string | undefined,
    state: Buffer | undefined,
  ): Promise<void> {
    this.#requireSessionLock(sessionId, holder);
    await this.#store.commit((transaction) => {
      if (state === undefined) transaction.removeSessionState(this.name, sessionId);
      else transaction.putSessionState(this.name, sessionId, state);
    });
    if (state === undefined) this.#sessionStates.delete(sessionId);
    else this.#sessionStates.set(sessionId, state);
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
    const entry = this.#requireLocked(lockToken);
    if (this.#settings.requiresSession) {
      throw notAllowed('The lock of a message in a session is renewed with the lock of its session.');
    }
    return this.#extendLock(entry, lockToken).until;
  }

  /** Ends a lock, if there is one, as though its time were over: that of a session for a message in a session. */
  loseLock(lockToken: string): void {
    const entry = this.#locked.get(lockToken);
    const session = entry && this.#sessionFor(entry);
    if (session !== undefined) void this.#loseSession(session);
    else if (entry !== undefined) void this.#loseLock(entry);
  }

  /** Ends the lock on a session, if there is one, as though its time were over. */
  loseSessionLock(sessionId: string): void {
    const session = this.#sessions.find(sessionId);
    if (session !== undefined && session.consumers.length > 0) void this.#loseSession(session);
  }

  /**
   * Up to `count` messages, of a session where sessions are required, from a sequence number on, locked and scheduled
   * ones included, in order.
   */
  peek(fromSequenceNumber: number, count: number, sessionId?: string): Message[] {
    if (sessionId === undefined) this.#refuseWithoutSession();
    const now = this.#clock.now();
    return [...this.#entries.values()]
      .map(({ message }) => message)
      .filter(({ sequenceNumber }) => sequenceNumber >= fromSequenceNumber)
      .filter(({ content }) => sessionId === undefined || content.sessionId === sessionId)
      .filter((message) => message.state === 'scheduled' || !isExpired(message, now))
      .sort((left, right) => left.sequenceNumber - right.sequenceNumber)
      .slice(0, count);
  }

  async #enqueue(
    messages: readonly Message[],
    write?: (transaction: StoreTransaction) => void,
  ): Promise<void> {
    const deliveries = this.#deliveriesOf(messages);
    await this.#store.commit((transaction) => {
      for (const { queue, message } of deliveries) transaction.putMessage(queue.name, message);
      for (const queue of [this, ...(this.#subscriptions ?? []).map((subscription) => subscription.queue)]) {
        transaction.putLastSequenceNumber(queue.name, queue.#lastSequenceNumber);
      }
      write?.(transaction);
    });
    for (const { queue, message } of deliveries) queue.#admit(message);
  }

  /** Where the messages go: all to this queue, but a topic's active ones to the subscriptions that they match. */
  #deliveriesOf(messages: readonly Message[]): Delivery[] {
    const subscriptions = this.#subscriptions;
    if (subscriptions === undefined) return messages.map((message) => ({ queue: this, message }));
    return messages.flatMap((message) => {
      if (message.state === 'scheduled') return { queue: this, message };
      const matching = subscriptions.filter(({ matches }) => matches(message.content));
      return matching.map(({ queue }) => queue.#deliver(message));
    });
  }

  /** A topic's message as this subscription keeps it; what its sender gave is shared. */
  #deliver({ sequenceNumber, timeToLive, ...shared }: Message): Delivery {
    const message: Message = {
      ...shared,
      sequenceNumber: this.#nextSequenceNumber(),
      enqueuedSequenceNumber: sequenceNumber,
      ...this.#lifetime(timeToLive, shared.enqueuedAt),
    };
    const isRefused = this.#settings.requiresSession && message.content.sessionId === undefined;
    if (!isRefused || this.#deadLetters === undefined) return { queue: this, message };
    return {
      queue: this.#deadLetters,
      message: deadLetter(message, this.#deadLetterReasons.sessionIdIsNull),
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
    if (entry.state === 'ready') {
      this.#makeReady(entry);
      return;
    }
    const isCurrent = () => entry.state === 'scheduled';
    const keep = () => void this.#enqueueScheduled(entry);
    this.#deadlines.add(message.content.scheduledFor ?? 0, { isCurrent, keep });
  }

  #makeReady(entry: Entry): void {
    entry.state = 'ready';
    const session = this.#sessionFor(entry);
    const line = session ?? this.#line;
    line.ready.push(entry);
    const { expiresAt } = entry.message;
    if (expiresAt !== undefined) {
      const isCurrent = () => entry.state === 'ready';
      this.#deadlines.add(expiresAt, { isCurrent, keep: () => void this.#expire(entry) });
    }
    this.#dispatch(line);
    if (session !== undefined) this.#sessions.offer(session);
  }

  #sessionFor({ message }: Entry): Session | undefined {
    const { sessionId } = message.content;
    return this.#settings.requiresSession && sessionId !== undefined
      ? this.#sessions.findOrCreate(sessionId)
      : undefined;
  }

  /** Hands ready messages to the consumers that have credit, in turn. */
  #dispatch(line: Line): void {
    for (;;) {
      const entry = this.#nextReady(line);
      if (entry === undefined) return;
      const consumer = takeTurn(line.consumers);
      if (consumer === undefined) return;
      line.ready.pop();
      consumer.reserve();
      if (consumer.mode === 'peekLock') consumer.deliver(entry.message, this.#lock(entry));
      else void this.#remove([entry]).then(() => consumer.deliver(entry.message));
    }
  }

  #nextReady({ ready }: Line): Entry | undefined {
    const now = this.#clock.now();
    for (;;) {
      const entry = ready.peek();
      if (entry?.state === 'ready' && !isExpired(entry.message, now)) return entry;
      if (entry === undefined) return undefined;
      ready.pop();
      if (entry.state === 'ready') void this.#expire(entry);
    }
  }

  #refuseWithoutSession(): void {
    if (!this.#settings.requiresSession) return;
    throw notAllowed(
      'It is not possible for an entity that requires sessions to create a non-sessionful message receiver.',
    );
  }

  #refuseSession(): void {
    if (this.#settings.requiresSession) return;
    throw notAllowed(
      'A sessionful message receiver cannot be created on an entity that does not require sessions. Ensure ' +
        'RequiresSession is set to true when creating a Queue or Subscription to enable sessionful behavior.',
    );
  }

  #lockSession(session: Session, consumer: Consumer): SessionSupply {
    session.consumers = [consumer];
    return {
      sessionId: session.id,
      lockedUntil: this.#extendSessionLock(session),
      dispatch: () => this.#dispatch(session),
      end: () => {
        if (!session.consumers.includes(consumer)) return;
        session.consumers = [];
        // Nothing failed: what the holder leaves unsettled is not counted (Microsoft, "Message sessions").
        for (const entry of this.#takeLockedOf(session)) this.#makeReady(entry);
        this.#sessions.free(session);
      },
    };
  }

  #extendSessionLock(session: Session): number {
    const until = this.#clock.now() + this.#settings.lockDuration;
    session.lockedUntil = until;
    this.#deadlines.add(until, {
      isCurrent: () => session.lockedUntil === until && session.consumers.length > 0,
      keep: () => void this.#loseSession(session),
    });
    return until;
  }

  #requireSessionLock(sessionId: string, holder: string | undefined): Session {
    const session = this.#sessions.find(sessionId);
    const consumer = session?.consumers[0];
    const isHeld = (session?.lockedUntil ?? 0) > this.#clock.now() && consumer !== undefined;
    if (session === undefined || !isHeld || consumer.name !== (holder ?? consumer.name))
      throw sessionLockLost();
    return session;
  }

  /** Nobody may accept the session before its messages are back in their order. */
  async #loseSession(session: Session): Promise<void> {
    const [holder] = session.consumers;
    session.consumers = [];
    const failed = this.#takeLockedOf(session);
    holder?.fail(sessionLockLost());
    await Promise.all(failed.map((entry) => this.#release(entry, {})));
    this.#sessions.free(session);
  }

  async #loseLock(entry: Entry): Promise<void> {
    this.#unlock(entry);
    await this.#release(entry, {});
  }

  #takeLockedOf({ id }: Session): Entry[] {
    const entries = [...this.#locked.values()].filter(({ message }) => message.content.sessionId === id);
    for (const entry of entries) this.#unlock(entry);
    return entries;
  }

  #lock(entry: Entry): Lock {
    entry.state = 'locked';
    const token = randomUUID();
    this.#locked.set(token, entry);
    const lockedUntil = this.#sessionFor(entry)?.lockedUntil;
    if (lockedUntil === undefined) return this.#extendLock(entry, token);
    entry.lock = { token, until: lockedUntil };
    return entry.lock;
  }

  #extendLock(entry: Entry, token: string): Lock {
    const lock = { token, until: this.#clock.now() + this.#settings.lockDuration };
    entry.lock = lock;
    const isCurrent = () => entry.lock === lock;
    this.#deadlines.add(lock.until, { isCurrent, keep: () => void this.#loseLock(entry) });
    return lock;
  }

  #requireLocked(lockToken: string): Entry {
    const entry = this.#locked.get(lockToken);
    const until = entry && (this.#sessionFor(entry)?.lockedUntil ?? entry.lock?.until);
    if (entry !== undefined && until !== undefined && until > this.#clock.now()) return entry;
    throw this.#settings.requiresSession ? sessionLockLost() : messageLockLost();
  }

  /** Ends a lock that still holds. */
  #takeLocked(lockToken: string): Entry {
    const entry = this.#requireLocked(lockToken);
    this.#unlock(entry);
    return entry;
  }

  #unlock(entry: Entry): void {
    if (entry.lock !== undefined) this.#locked.delete(entry.lock.token);
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
  }

  async #moveToDeadLetters(entry: Entry, changes: PropertyChanges): Promise<void> {
    const deadLetters = this.#deadLetters;
    if (deadLetters === undefined) throw new Error(`The queue ${this.name} has no dead-letter queue.`);
    entry.state = 'moving';
    const dead = deadLetter(entry.message, changes);
    await this.#store.commit((transaction) => {
      transaction.removeMessage(this.name, dead.sequenceNumber);
      transaction.putMessage(deadLetters.name, dead);
    });
    this.#forget(entry);
    deadLetters.#admit(dead);
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

function isExpired(message: Message, now: number): boolean {
  return message.expiresAt !== undefined && message.expiresAt <= now;
}

/** A dead letter keeps its sequence number and never expires. */
function deadLetter(message: Message, changes: PropertyChanges): Message {
  const { expiresAt: _, ...dead } = withChanges(message, changes);
  return dead;
}

function withChanges(message: Message, changes: PropertyChanges): Message {
  return { ...message, propertyChanges: { ...message.propertyChanges, ...changes } };
}
