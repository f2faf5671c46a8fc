import { noSessionAvailable } from '../service-bus-error.ts';
import type { Clock } from './clock.ts';
import type { Line } from './line.ts';

/** The messages of one session; its only consumer is the holder of its lock. */
export interface Session extends Line {
  readonly id: string;
  /** Milliseconds since the epoch; absent when anybody may accept the session. */
  lockedUntil?: number;
}

interface SessionsOptions {
  readonly clock: Clock;
  newLine(): Line;
  hasReady(session: Session): boolean;
}

/** The sessions of a queue that have messages or are locked, and those who wait for any that is free. */
export class Sessions {
  readonly #options: SessionsOptions;
  /** The one that was available longest comes first. */
  readonly #sessions = new Map<string, Session>();
  /** In the order of their coming. */
  readonly #waiting = new Set<(session: Session) => void>();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  find(id: string): Session | undefined {
    return this.#sessions.get(id);
  }

  findOrCreate(id: string): Session {
    let session = this.#sessions.get(id);
    if (session === undefined) {
      session = { ...this.#options.newLine(), id };
      this.#sessions.set(id, session);
    }
    return session;
  }

  /**
   * Has `lock` lock the next session that is free and has messages, as soon as there is one. Rejects when there is none
   * for `patience` (milliseconds), or when the signal says that nobody waits any more.
   */
  async lockNext<Locked>(
    lock: (session: Session) => Locked,
    patience: number,
    signal: AbortSignal,
  ): Promise<Locked> {
    const free = [...this.#sessions.values()].find((session) => this.#isAvailable(session));
    if (free !== undefined) return lock(free);
    const { clock } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<Locked>();
    const leave = () => {
      this.#waiting.delete(accept);
      cancelTimer();
    };
    const accept = (session: Session) => {
      leave();
      resolve(lock(session));
    };
    const giveUp = () => {
      leave();
      reject(noSessionAvailable());
    };
    const cancelTimer = clock.schedule(clock.now() + patience, giveUp);
    this.#waiting.add(accept);
    signal.addEventListener('abort', giveUp);
    return promise;
  }

  /** Ends the lock. The session takes its place behind the others; one without messages is forgotten. */
  free(session: Session): void {
    delete session.lockedUntil;
    this.#sessions.delete(session.id);
    if (!this.#isAvailable(session)) return;
    this.#sessions.set(session.id, session);
    this.offer(session);
  }

  /** Gives the session, if it is free and has messages, to whoever waits longest. */
  offer(session: Session): void {
    const [accept] = this.#waiting;
    if (accept !== undefined && this.#isAvailable(session)) accept(session);
  }

  #isAvailable(session: Session): boolean {
    return session.lockedUntil === undefined && this.#options.hasReady(session);
  }
}
