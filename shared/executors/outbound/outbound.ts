import type { Clock } from '../../platform/clock.ts';
import { SkerryError } from '../../platform/errors.ts';
import type { Credential, OriginCredentials } from '../../platform/origin-credentials.ts';
import { USER_AGENT } from '../../platform/user-agent.ts';
import {
  describeFault,
  type Exchange,
  type ExchangeAnswer,
  hideSecrets,
  isPlain,
  oneValue,
  retryAfterMilliseconds,
} from '../../webhooks/index.ts';
import { finalFailure, passingFailure, StepFailure } from '../step-failure.ts';
import { type Answer, isSuccess, MAX_ANSWER_BYTES } from './answer.ts';
import { type Circuits, loadCircuits } from './circuits.ts';

export interface OutboundCall {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether doing it twice is doing it once, so that it is tried again where it is not plain that it was done. */
  readonly isRepeatable: boolean;
  /** The headers by which the origin knows who calls; asked only where there is a credential for the origin of the URL. */
  readonly authenticate?: (credential: Credential) => Readonly<Record<string, string>>;
  /** Of the body: what the answer may repeat and nobody may see. */
  readonly secrets?: readonly string[];
  /** Of the attempt. */
  readonly signal: AbortSignal;
}

export interface OutboundOptions {
  readonly exchange: Exchange;
  readonly credentials: OriginCredentials;
  /** For one exchange; a call may take some of them. */
  readonly timeoutMilliseconds: number;
  readonly clock: Clock;
  /** Before the first repetition of a call; varied, and longer before the next. */
  readonly retryMilliseconds?: number;
}

const RETRY_MILLISECONDS = 200;
/** What is more is no span of time. */
const MAX_RESET_SECONDS = 3_600;

/** No answer came, or half of one: the origin may have done the work. */
class NoAnswer extends StepFailure {
  constructor(reason: string, cause: unknown) {
    super(reason, { isPassing: true, cause });
  }
}

/**
 * The way of executors to what they work on: within the policy for endpoints, without following redirects, with a time limit and a
 * bound for each answer, a circuit breaker for each origin, and repetition of what bears it.
 */
export class Outbound {
  readonly #options: OutboundOptions;
  #circuits: Promise<Circuits> | undefined;

  constructor(options: OutboundOptions) {
    this.#options = options;
  }

  /** Whether there is something to show to the origin of a URL. */
  credentialOf(url: string): Credential | undefined {
    return this.#options.credentials.get(originOf(url));
  }

  /**
   * Sends a request; an answer of any status is an answer.
   *
   * @throws StepFailure where there is none: final for URLs that may not be called, passing for everything else.
   */
  async call(call: OutboundCall): Promise<Answer> {
    this.#circuits ??= loadCircuits({
      retryMilliseconds: this.#options.retryMilliseconds ?? RETRY_MILLISECONDS,
      isFault: (error) => error instanceof NoAnswer,
    });
    const circuits = await this.#circuits;
    const once = () => circuits.through(originOf(call.url), () => this.#exchange(call));
    return await (call.isRepeatable ? circuits.repeat(once, call.signal) : once());
  }

  async #exchange(call: OutboundCall): Promise<Answer> {
    const { method, url, body, signal } = call;
    const { exchange, timeoutMilliseconds } = this.#options;
    const credential = this.credentialOf(url);
    const shown = credential === undefined ? {} : (call.authenticate?.(credential) ?? {});
    const headers = { ...call.headers, ...shown, 'user-agent': USER_AGENT };
    try {
      const answer = await exchange({
        method,
        endpoint: url,
        headers,
        ...(body !== undefined && { body }),
        timeoutMilliseconds,
        maxBytes: MAX_ANSWER_BYTES,
        signal,
      });
      const { token = '', secret = '' } = credential ?? {};
      return this.#read(answer, [token, secret, ...(call.secrets ?? [])]);
    } catch (fault) {
      throw this.#failure(fault, call);
    }
  }

  #read({ status, headers, bytes, end }: ExchangeAnswer, secrets: readonly string[]): Answer {
    const isReadable = isPlain(headers);
    const answer = {
      status,
      headers,
      text: isReadable ? hideSecrets(bytes.toString(), secrets, end !== 'whole') : '',
      isWhole: isReadable && end === 'whole',
    };
    if (end === 'broken' && isSuccess(answer)) {
      throw new Error('The answer broke off.');
    }
    const pause = this.#pauseSeconds(answer);
    return pause === undefined ? answer : { ...answer, retryAfterSeconds: pause };
  }

  /** `Retry-After`, or what HCP Terraform has for it: seconds with a fraction, where others have the time. */
  #pauseSeconds({ status, headers }: Answer): number | undefined {
    const pause = retryAfterMilliseconds(oneValue(headers['retry-after']), this.#options.clock);
    if (pause !== undefined) {
      return Math.ceil(pause / 1000);
    }
    const reset = Number.parseFloat(oneValue(headers['x-ratelimit-reset']) ?? '');
    return status === 429 && reset <= MAX_RESET_SECONDS ? Math.ceil(reset) : undefined;
  }

  #failure(fault: unknown, { method, url, signal }: OutboundCall): StepFailure {
    const doing = `${method} ${withoutQuery(url)}`;
    const reason = describeFault(fault, this.#options.timeoutMilliseconds);
    if (fault instanceof SkerryError) {
      return finalFailure(`${doing}: ${reason}${fault.fix === undefined ? '' : ` ${fault.fix}`}`);
    }
    // Whoever ends an attempt says nothing of the origin.
    return signal.aborted
      ? passingFailure(`${doing}: the attempt ended before an answer came.`, fault)
      : new NoAnswer(`${doing}: ${reason}`, fault);
  }
}

/** @throws StepFailure, final, for what is no URL. */
export function originOf(url: string): string {
  if (!URL.canParse(url)) {
    throw finalFailure('The URL of the app is not an absolute URL.');
  }
  return new URL(url).origin;
}

/** Queries may hold what is not for everybody's eyes. */
function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '');
}
