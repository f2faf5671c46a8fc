import type { Message } from './message.ts';

/** The writes of one atomic commit. */
export interface StoreTransaction {
  putMessage(queue: string, message: Message): void;
  removeMessage(queue: string, sequenceNumber: number): void;
  /** Remembers a message id for duplicate detection until `expiresAt` (milliseconds since the epoch). */
  putKnownId(queue: string, messageId: string, expiresAt: number): void;
  removeKnownId(queue: string, messageId: string): void;
  putSessionState(queue: string, sessionId: string, state: Buffer): void;
  removeSessionState(queue: string, sessionId: string): void;
  putLastSequenceNumber(queue: string, sequenceNumber: number): void;
}

export interface StoredQueue {
  readonly messages: readonly Message[];
  readonly knownIds: ReadonlyMap<string, number>;
  readonly sessionStates: ReadonlyMap<string, Buffer>;
  readonly lastSequenceNumber: number;
}

/** Where queues keep what they have acknowledged. */
export interface MessageStore {
  load(queue: string): StoredQueue;
  /** Resolves when the writes, all or none of them, survive the death of the process, and ends it when they cannot. */
  commit(write: (transaction: StoreTransaction) => void): Promise<void>;
  close(): Promise<void>;
}
