import type { Message } from './message.ts';

/** The exclusive right of a receiver to settle a message. */
export interface Lock {
  /** A lower-case UUID. */
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** Somebody who takes messages from a queue, as far as its credit goes. */
export interface Consumer {
  readonly mode: 'peekLock' | 'receiveAndDelete';
  /** How many more messages it takes now. */
  credit(): number;
  /** Sets one credit aside for a delivery that follows. */
  reserve(): void;
  /** Uses a reserved credit. The lock is absent in receive-and-delete mode. */
  deliver(message: Message, lock?: Lock): void;
}
