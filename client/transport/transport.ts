import { backoff } from './backoff.ts';
import { startDeadline } from './deadline.ts';
import { EtagCache } from './etag-cache.ts';
import {
  isNotFound,
  isPassing,
  orUndefined,
  readProblem,
  SkerryProblem,
  SkerryUncertain,
  SkerryUnreachable,
} from './problem.ts';
import type { Timing } from './timing.ts';

const API = '/api/v1/';
const RETRIED = new Set([429, 502, 503, 504]);

/** Gives the token that is good now. */
export type TokenSource = () => string | Promise<string>;

export interface TransportOptions {
  readonly url: string;
  readonly token: string | TokenSource | undefined;
  readonly ns: string | undefined;
  readonly fetch: typeof fetch;
  readonly attemptTimeout: number;
  readonly timeout: number;
  readonly timing: Timing;
}

/** A list stands for a parameter that is repeated. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

export interface CallOptions {
  /** Ends the call, its retries included, at once. */
  readonly signal?: AbortSignal | undefined;
}

export interface Call extends CallOptions {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Below `/api/v1/`, percent-encoded. */
  readonly path: string;
  readonly query?: Query;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, unless `content` is given. */
  readonly body?: unknown;
  readonly content?:
    | { readonly bytes: Uint8Array<ArrayBuffer> | Blob | string; readonly type: string }
    | undefined;
  /** Milliseconds for one attempt, where the answer may take longer than others do. */
  readonly attemptTimeout?: number;
  /** Milliseconds with all retries, where one attempt may take so long that there is no time for another; that of one attempt unless told. */
  readonly timeout?: number;
  /** Whether a POST does no harm when it is done twice; any other method does none. */
  readonly isRepeatable?: boolean;
  /** Whether what is done already is refused by 409, so that a repetition may meet what its own first attempt has done. */
  readonly isRefusedWhenDone?: boolean;
  /** Leaves the cache of entity tags alone, where an answer holds what its tag does not cover or never comes again. */
  readonly isUncached?: boolean;
  /** How many times to try; as often as time allows unless told. */
  readonly attempts?: number;
}

export interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  /** As it was sent, with its quotes. */
  readonly etag: string | undefined;
  /** `X-Skerry-Revision`. */
  readonly revision: number | undefined;
  /** `X-Skerry-Version`, of bundles. */
  readonly version: number | undefined;
  readonly lastModified: string | undefined;
}

/** Stands for the answer to a DELETE whose work an earlier attempt has done, as it seems. */
const GONE: Answer = {
  status: 204,
  bytes: new Uint8Array(),
  contentType: '',
  etag: undefined,
  revision: undefined,
  version: undefined,
  lastModified: undefined,
};

/**
 * Sends requests and sees them through: within its time limits it repeats what failed in passing (429, 502, 503, 504 and faults of
 * the network), with full jitter and as `Retry-After` asks, where repeating is safe (`docs/client.md`, "Retries").
 */
export class Transport {
  readonly timing: Timing;
  readonly #options: TransportOptions;
  readonly #cache = new EtagCache();

  constructor(options: TransportOptions) {
    this.timing = options.timing;
    this.#options = options;
  }

  /** Milliseconds for one attempt. */
  get attemptTimeout(): number {
    return this.#options.attemptTimeout;
  }

  /** Milliseconds for a call with its retries. */
  get timeout(): number {
    return this.#options.timeout;
  }

  /** For what is not asked of Skerry itself. */
  get fetch(): typeof fetch {
    return this.#options.fetch;
  }

  /** @throws SkerryProblem, SkerryUnreachable, SkerryUncertain, or the reason of `call.signal`. */
  async send({ body, ...rest }: Call): Promise<Answer> {
    // What cannot be sent is refused here, and is no fault of the network.
    const content =
      body === undefined ? undefined : { bytes: JSON.stringify(body), type: 'application/json' };
    const call: Call = { content, ...rest, headers: { ...(await this.#authorization()), ...rest.headers } };
    const timeout = Math.max(this.#options.timeout, call.timeout ?? call.attemptTimeout ?? 0);
    const patience = startDeadline(timeout, call.signal);
    try {
      return await this.#sendPatiently(call, patience.signal, this.timing.steady() + timeout);
    } finally {
      patience.end();
    }
  }

  async #sendPatiently(call: Call, signal: AbortSignal, endsAt: number): Promise<Answer> {
    const { steady, random, wait } = this.timing;
    let isUncertain = false;
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.#attempt(call, signal);
      } catch (error) {
        if (call.signal?.aborted) throw call.signal.reason;
        if (isUncertain && isAlreadyGone(call, error)) return GONE;
        if (isUncertain && isLostCondition(call, error)) throw uncertain(call, error);
        if (!isRetried(error)) throw error;
        isUncertain ||= isWrite(call) && !isRefusal(error);
        const pause = backoff(
          failures,
          random(),
          error instanceof SkerryProblem ? error.retryAfter : undefined,
        );
        const isSafe = call.method !== 'POST' || call.isRepeatable === true || !isUncertain;
        if (!isSafe || failures === call.attempts || steady() + pause >= endsAt) {
          throw isUncertain ? uncertain(call, error) : error;
        }
        await wait(pause, call.signal);
      }
    }
  }

  /**
   * Has something deleted.
   *
   * @returns whether it was there.
   * @throws what `send` throws.
   */
  async remove(call: Omit<Call, 'method'>): Promise<boolean> {
    return (await orUndefined(this.send({ ...call, method: 'DELETE' }))) !== undefined;
  }

  /** The answer as JSON. What is none came from something on the way, or was cut. */
  async json<Body>(call: Call): Promise<Body> {
    const { bytes, contentType } = await this.send(call);
    try {
      return JSON.parse(new TextDecoder().decode(bytes)) as Body;
    } catch (cause) {
      const fault = new SkerryUnreachable(
        `${describe(call)} was answered by ${this.#options.url} with something that is no JSON (${contentType}).`,
        { cause },
      );
      throw isWrite(call) ? uncertain(call, fault) : fault;
    }
  }

  async #attempt(call: Call, outer: AbortSignal): Promise<Answer> {
    const attempt = startDeadline(Math.max(call.attemptTimeout ?? 0, this.#options.attemptTimeout), outer);
    try {
      return await this.#exchange(call, attempt.signal);
    } catch (error) {
      if (error instanceof SkerryProblem) throw error;
      const reason = attempt.signal.aborted ? attempt.signal.reason : error;
      throw new SkerryUnreachable(
        `${describe(call)} was not answered by ${this.#options.url}: ${messageOf(reason)}`,
        {
          cause: reason,
        },
      );
    } finally {
      attempt.end();
    }
  }

  async #exchange(call: Call, signal: AbortSignal): Promise<Answer> {
    const url = this.#urlOf(call);
    const isCached = !isWrite(call) && call.isUncached !== true;
    const cached = isCached ? this.#cache.get(url) : undefined;
    const response = await this.#options.fetch(url, {
      method: call.method ?? 'GET',
      headers: this.#headersOf(call, cached?.etag),
      body: call.content?.bytes ?? null,
      signal,
    });
    if (response.status === 304 && cached !== undefined) {
      await response.body?.cancel();
      return {
        ...cached,
        revision: readNumber(response, 'x-skerry-revision') ?? cached.revision,
        version: readNumber(response, 'x-skerry-version') ?? cached.version,
      };
    }
    if (!response.ok) throw await readProblem(response);
    const answer = {
      status: response.status,
      bytes: new Uint8Array(await response.arrayBuffer()),
      contentType: response.headers.get('content-type') ?? '',
      etag: response.headers.get('etag') ?? undefined,
      revision: readNumber(response, 'x-skerry-revision'),
      version: readNumber(response, 'x-skerry-version'),
      lastModified: response.headers.get('last-modified') ?? undefined,
    };
    if (isCached) this.#cache.set(url, answer);
    return answer;
  }

  /** The response itself, for streams: one attempt, without a limit on its time. */
  async open(call: Call): Promise<Response> {
    const response = await this.#options.fetch(this.#urlOf(call), {
      headers: { ...(await this.#authorization()), ...this.#headersOf(call, undefined) },
      signal: call.signal ?? null,
    });
    if (!response.ok) throw await readProblem(response);
    return response;
  }

  #urlOf({ path, query = {} }: Call): string {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...query, ns: this.#options.ns })) {
      const values = Array.isArray(value) ? value : value === undefined ? [] : [value];
      for (const each of values) parameters.append(name, String(each));
    }
    const search = parameters.size === 0 ? '' : `?${parameters}`;
    return `${this.#options.url}${API}${path}${search}`;
  }

  async #authorization(): Promise<Record<string, string>> {
    const { token } = this.#options;
    if (token === undefined) return {};
    const text = typeof token === 'string' ? token : await token();
    checkToken(text);
    return { authorization: `Bearer ${text}` };
  }

  #headersOf(call: Call, etag: string | undefined): Record<string, string> {
    const headers: Record<string, string> = {};
    if (call.content !== undefined) headers['content-type'] = call.content.type;
    if (etag !== undefined) headers['if-none-match'] = etag;
    return { ...headers, ...call.headers };
  }
}

/**
 * What fetch says of a token that it cannot send would quote it.
 *
 * @throws TypeError
 */
export function checkToken(token: string): void {
  if (!/^[\t -~]*$/.test(token.trim())) {
    throw new TypeError('The token holds a character that no header can carry.');
  }
}

function isWrite({ method = 'GET' }: Call): boolean {
  return method !== 'GET';
}

/** Whether what failed may go through when it is repeated. */
function isRetried(error: unknown): boolean {
  return error instanceof SkerryProblem ? RETRIED.has(error.status) : isPassing(error);
}

/** Whether the failure proves that nothing was done: Skerry refused at the door, or nobody opened it. */
function isRefusal(error: unknown): boolean {
  if (error instanceof SkerryProblem) return error.status === 429;
  return error instanceof SkerryUnreachable && codeOf(error.cause) === 'ECONNREFUSED';
}

/** The code of a system error, as Node's fetch nests it; browsers tell none. */
function codeOf(error: unknown): unknown {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('code' in error) return error.code;
  return 'cause' in error ? codeOf(error.cause) : undefined;
}

/** Whether a repeated DELETE found nothing left to do. */
function isAlreadyGone(call: Call, error: unknown): boolean {
  return call.method === 'DELETE' && !isConditional(call) && isNotFound(error);
}

/** Whether a repeated write met a state that its own first attempt may have made. */
function isLostCondition(call: Call, error: unknown): boolean {
  if (!(error instanceof SkerryProblem)) return false;
  if (call.isRefusedWhenDone === true && error.status === 409) return true;
  return isConditional(call) && (error.status === 412 || error.status === 404);
}

function isConditional({ headers = {} }: Call): boolean {
  return headers['if-match'] !== undefined || headers['if-none-match'] !== undefined;
}

function uncertain(call: Call, cause: unknown): SkerryUncertain {
  return new SkerryUncertain(
    `Whether ${describe(call)} was done is not known: ${messageOf(cause)} Read what stands there before you write again.`,
    { cause },
  );
}

function describe({ method = 'GET', path }: Call): string {
  return `${method} ${path}`;
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // What fetch throws only says that it failed; its cause says why.
  return error.cause instanceof Error && !(error instanceof SkerryProblem)
    ? error.cause.message || error.message
    : error.message;
}

function readNumber({ headers }: Response, name: string): number | undefined {
  const value = headers.get(name);
  return value === null ? undefined : Number(value);
}
