import { MemoryGate } from '../../platform/memory-gate.ts';

/** Bytes of files above which a commit is large. */
const LARGE_BYTES = 8 * 1024 * 1024;
/** What a large commit holds while it runs, at the most. */
const HELD_BYTES = 150 * 1024 * 1024;
/** The memory of a small instance is 512 MB, and uploads take some of it too. */
const AT_ONCE = 2;
const MAX_WAITING = 16;
/** Milliseconds; what waits and then takes its time is still over before callers and their proxies give up. */
const PATIENCE = 60_000;

/** Lets so many large commits run at a time in this process, in the order in which they came; small ones never wait. */
export class LargeCommits {
  readonly #gate: MemoryGate;

  constructor({ patience = PATIENCE }: { readonly patience?: number } = {}) {
    this.#gate = new MemoryGate({
      maxBytes: AT_ONCE * HELD_BYTES,
      patience,
      maxWaiting: MAX_WAITING,
      refusal: 'Too many large drafts are being committed here at the moment; nothing was published.',
      refusalDetails: {
        fix: 'Commit the draft again a little later: it is as it was.',
        retryAfterSeconds: 10,
      },
    });
  }

  /**
   * Runs a commit when its turn has come.
   *
   * @param bytes of its files.
   * @throws SkerryError `too-many-requests` when too many are waiting, or its turn does not come.
   */
  async hold<Answer>(bytes: number, commit: () => Promise<Answer>): Promise<Answer> {
    if (bytes <= LARGE_BYTES) return await commit();
    return await this.#gate.hold(HELD_BYTES, commit);
  }
}
