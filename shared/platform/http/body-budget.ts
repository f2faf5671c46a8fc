import { tooManyRequests } from '../errors.ts';

/** What has fewer bytes is let in at once, and not counted: it need not be sent again because somebody uploads much. */
const SMALL_BYTES = 1024 * 1024;

/** How many bytes of request bodies a process holds at a time, of the endpoints that share it. */
export class BodyBudget {
  readonly #maxBytes: number;
  #held = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Runs what reads a body and works with it.
   *
   * @param bytes that the body has, or may have.
   * @throws SkerryError `too-many-requests` when others hold too much at the moment.
   */
  async hold<Answer>(bytes: number, work: () => Promise<Answer>): Promise<Answer> {
    if (bytes < SMALL_BYTES) return await work();
    if (this.#held > 0 && this.#held + bytes > this.#maxBytes) {
      throw tooManyRequests('Too much is being uploaded here at the moment.', {
        fix: 'Send it again a little later, and with its Content-Length: without one it counts as the largest.',
      });
    }
    this.#held += bytes;
    try {
      return await work();
    } finally {
      this.#held -= bytes;
    }
  }
}
