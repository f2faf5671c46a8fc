import type { FetchImplementation } from 'jose';
import type { Clock } from '../../platform/clock.ts';
import { unavailable } from '../../platform/errors.ts';

const MAX_BYTES = 512 * 1024;
/** Milliseconds in which nobody asks again after a failure, so that an outage costs each request nothing. */
const PAUSE = 5_000;
/** Milliseconds for which keys serve on while their source does not answer. */
const MAX_AGE = 24 * 60 * 60 * 1000;

/** How signing keys are fetched: bounded, not again at once after a failure, and with those from before while their source is away. */
export class KeySetFetch {
  readonly #clock: Clock;
  #last: { readonly text: string; readonly at: number } | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws SkerryError `unavailable` where there are no keys to go by. */
  readonly fetch: FetchImplementation = async (url, options) => {
    const now = this.#clock.now();
    try {
      if (now - this.#failedAt < PAUSE) {
        throw new Error('The keys could not be fetched a moment ago.');
      }
      const text = await readKeySet(await fetch(url, options));
      this.#last = { text, at: now };
      return new Response(text);
    } catch (cause) {
      if (now - this.#failedAt >= PAUSE) this.#failedAt = this.#clock.now();
      if (this.#last !== undefined && now - this.#last.at < MAX_AGE) {
        return new Response(this.#last.text);
      }
      throw unavailable('The keys that access tokens are signed with cannot be fetched.', { cause });
    }
  };
}

/** The text of a response that is a set of keys. */
async function readKeySet(response: Response): Promise<string> {
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`The source of the keys answers ${response.status}.`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BYTES) {
      throw new Error(`The keys are more than ${MAX_BYTES} bytes.`);
    }
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  const { keys } = JSON.parse(text);
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'object' && key !== null)) {
    throw new Error('What the source of the keys answers is no set of keys.');
  }
  return text;
}
