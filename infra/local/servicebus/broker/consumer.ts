import type { ServiceBusError } from '../service-bus-error.ts';
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
  /** Tells the holder of a session's lock from others. */
  readonly name: string;
  readonly mode: 'peekLock' | 'receiveAndDelete';
  /** How many more messages it takes now. */
  credit(): number;
  /** Sets one credit aside for a delivery that follows. */
  reserve(): void;
  /** Uses a reserved credit. The lock is absent in receive-and-delete mode. */
  deliver(message: Message, lock?: Lock): void;
  /** Nothing more comes, because the session that it held is lost. */
  fail(error: ServiceBusError): void;
}

/** A queue's serving of one consumer. */
export interface Supply {
  /** Hands over what is ready, as far as the credit goes; to be called when there is more credit. */
  dispatch(): void;
  /** Locks on messages outlive it, as they do in the service, but not the lock on a session and what it holds. */
  end(): void;
}

export interface SessionSupply extends Supply {
  readonly sessionId: string;
  /** Milliseconds since the epoch. */
  readonly lockedUntil: number;
}
