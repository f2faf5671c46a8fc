import { type ErrorDetails, tooManyRequests } from './errors.ts';

export interface MemoryGateOptions {
  /** Bytes that are held at a time. */
  readonly maxBytes: number;
  /** How long, in milliseconds, somebody waits to be let in. */
  readonly patience: number;
  /** How many wait at the most; as many as come unless told. */
  readonly maxWaiting?: number;
  /** What those are told whose turn does not come. */
  readonly refusal: string;
  readonly refusalDetails?: ErrorDetails;
}

interface Waiting {
  readonly bytes: number;
  readonly letIn: () => void;
}

/** What holds less than this is let in at once, and not counted: it would have to wait behind what holds very much. */
const SMALL_BYTES = 1024 * 1024;

/** Lets in, in the order in which they come, who holds much memory for a while. */
export class MemoryGate {
  readonly #options: MemoryGateOptions;
  readonly #waiting = new Set<Waiting>();
  #held = 0;

  constructor(options: MemoryGateOptions) {
    this.#options = options;
  }

  /**
   * Waits until there is room; what needs more than all of it is let in alone.
   *
   * @returns what has to be called when the memory is held no more; all calls but the first do nothing.
   * @throws SkerryError `too-many-requests` after too long, or when too many wait already.
   */
  async enter(bytes: number): Promise<() => void> {
    if (bytes < SMALL_BYTES) return () => undefined;
    if (this.#waiting.size > 0 || !this.#hasRoom(bytes)) await this.#wait(bytes);
    else this.#held += bytes;
    let isIn = true;
    return () => {
      if (isIn) this.#held -= bytes;
      isIn = false;
      this.#letIn();
    };
  }

  /**
   * Runs, once there is room, what holds so much memory until it is over.
   *
   * @throws SkerryError `too-many-requests`, and whatever the work throws.
   */
  async hold<Answer>(bytes: number, work: () => Promise<Answer>): Promise<Answer> {
    const leave = await this.enter(bytes);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#held === 0 || this.#held + bytes <= this.#options.maxBytes;
  }

  async #wait(bytes: number): Promise<void> {
    const { patience, maxWaiting = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#waiting.size >= maxWaiting) throw this.#refused();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(this.#refused());
        this.#letIn();
      }, patience);
      const letIn = () => {
        clearTimeout(timer);
        resolve();
      };
      const waiting: Waiting = { bytes, letIn };
      this.#waiting.add(waiting);
    });
  }

  #refused(): Error {
    const { refusal, refusalDetails = { fix: 'Send the request again a little later.' } } = this.#options;
    return tooManyRequests(refusal, refusalDetails);
  }

  #letIn(): void {
    for (const waiting of this.#waiting) {
      if (!this.#hasRoom(waiting.bytes)) return;
      this.#waiting.delete(waiting);
      this.#held += waiting.bytes;
      waiting.letIn();
    }
  }
}
