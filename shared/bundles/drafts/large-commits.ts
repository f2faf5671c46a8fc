import { tooManyRequests } from '../../platform/errors.ts';

/** Bytes of files above which a commit is large: it holds some 85 to 150 MB while it runs. */
const LARGE_BYTES = 8 * 1024 * 1024;
/** The memory of a small instance is 512 MB, and uploads take some of it too. */
const AT_ONCE = 2;
const MAX_WAITING = 16;
/** Milliseconds; what waits and then takes its time is still over before callers and their proxies give up. */
const PATIENCE = 60_000;

/** Lets so many large commits run at a time in this process, in the order in which they came; small ones never wait. */
export class LargeCommits {
  readonly #patience: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(options: { readonly patience?: number } = {}) {
    this.#patience = options.patience ?? PATIENCE;
  }

  /**
   * Runs a commit when its turn has come.
   *
   * @param bytes of its files.
   * @throws SkerryError `too-many-requests` when too many are waiting, or its turn does not come.
   */
  async hold<Answer>(bytes: number, commit: () => Promise<Answer>): Promise<Answer> {
    if (bytes <= LARGE_BYTES) return await commit();
    await this.#turn();
    try {
      return await commit();
    } finally {
      this.#pass();
    }
  }

  async #turn(): Promise<void> {
    if (this.#running < AT_ONCE) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.size >= MAX_WAITING) throw busy();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const timer = setTimeout(() => {
      this.#waiting.delete(resolve);
      reject(busy());
    }, this.#patience);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives the turn to whoever waits longest. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#running -= 1;
    } else {
      this.#waiting.delete(next);
      next();
    }
  }
}

function busy(): Error {
  return tooManyRequests(
    'Too many large drafts are being committed here at the moment; nothing was published.',
    {
      fix: 'Commit the draft again a little later: it is as it was.',
      retryAfterSeconds: 10,
    },
  );
}
