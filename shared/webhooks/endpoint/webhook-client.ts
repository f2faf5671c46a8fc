import type { IncomingHttpHeaders } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../../platform/clock.ts';
import { SkerryError } from '../../platform/errors.ts';
import type { WebhookRequest } from '../notification/webhook-request.ts';
import type { EndpointPolicy } from './endpoint-policy.ts';
import {
  createExchange,
  describeFault,
  type ExchangeRequest,
  isPlain,
  oneLine,
  oneValue,
} from './exchange.ts';
import { hideSecrets } from './hide-secrets.ts';
import { observedWebhooks } from './observed-webhooks.ts';
import { retryAfterMilliseconds } from './retry-after.ts';

/** How a POST ended: with `error` it failed, whether or not an answer came. */
export interface WebhookResult {
  /** Of the answer, if one came. */
  readonly status?: number;
  readonly error?: string;
  /** The first 20,000 bytes of the answer's body, if one came that is not compressed; without the secrets that were sent. */
  readonly body?: string;
  /** Set where the body is longer, or broke off. */
  readonly isCut?: true;
  /** Milliseconds that the endpoint wants to be left alone, from now on; of the header `Retry-After` of a 429 or 503. */
  readonly retryAfterMilliseconds?: number;
  /** The endpoint's URL may not be called by this program's own rules, so that trying again is no use. */
  readonly isFinal?: true;
}

/** What an endpoint answered to the question whether it may be called. */
export interface ConsentAnswer {
  /** Of the answer, if one came. */
  readonly status?: number;
  /** Why none came. */
  readonly error?: string;
  /** As in `WebhookResult`. */
  readonly isFinal?: true;
  /** The header `WebHook-Allowed-Origin`. */
  readonly allowedOrigin?: string;
  /** The header `WebHook-Allowed-Rate`. */
  readonly allowedRate?: string;
}

/** Sends one POST; faults of the network and of the receiver are results and not thrown. */
export type PostWebhook = (request: WebhookRequest) => Promise<WebhookResult>;

/** Sends one OPTIONS request, as `PostWebhook` does. */
export type AskForConsent = (request: Pick<WebhookRequest, 'endpoint' | 'headers'>) => Promise<ConsentAnswer>;

export interface WebhookClient {
  readonly post: PostWebhook;
  readonly askForConsent: AskForConsent;
}

export interface WebhookClientOptions {
  readonly policy: EndpointPolicy;
  /** For a whole exchange, from the name's resolution to the end of the answer. */
  readonly timeoutMilliseconds: number;
  readonly clock: Clock;
}

/** Somebody waits for the answer of the question for consent. */
const CONSENT_TIMEOUT_MILLISECONDS = 5_000;

/** What is read of an answer; the rest is cut off with its connection. */
const MAX_RESPONSE_BYTES = 20_000;
/** What is told of it, to explain a failure. */
const MAX_EXCERPT_CHARACTERS = 200;

interface Call extends Omit<ExchangeRequest, 'maxBytes'> {
  readonly secrets?: readonly string[];
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The start of the body, unless it is compressed: nobody asked for that, and it may be a bomb. */
  readonly text: string | undefined;
  /** Whether the text is all of the body. */
  readonly isWhole: boolean;
}

/**
 * Makes the client that calls endpoints. It answers 2xx as success and everything else as failure, follows no redirect,
 * and connects to no address that the policy does not allow, whatever the name resolves to at that moment.
 */
export function createWebhookClient({
  policy,
  timeoutMilliseconds,
  clock,
}: WebhookClientOptions): WebhookClient {
  const exchange = createExchange(policy);

  async function call({ secrets = [], ...request }: Call) {
    try {
      const { status, headers, bytes, end } = await exchange({ ...request, maxBytes: MAX_RESPONSE_BYTES });
      const text = isPlain(headers) ? decodeText(bytes, secrets) : undefined;
      return { status, headers, text, isWhole: end === 'whole' };
    } catch (fault) {
      const isFinal = fault instanceof SkerryError;
      return { error: describeFault(fault, request.timeoutMilliseconds), ...(isFinal && { isFinal }) };
    }
  }

  return observedWebhooks({
    async post(request) {
      const answer = await call({ method: 'POST', ...request, timeoutMilliseconds });
      return 'error' in answer ? answer : toResult(answer, clock);
    },
    async askForConsent(request) {
      const answer = await call({
        method: 'OPTIONS',
        ...request,
        timeoutMilliseconds: Math.min(timeoutMilliseconds, CONSENT_TIMEOUT_MILLISECONDS),
      });
      return 'error' in answer ? answer : toConsentAnswer(answer);
    },
  });
}

function toResult({ status, headers, text, isWhole }: Answer, clock: Clock): WebhookResult {
  const isThrottled = status === 429 || status === 503;
  const pause = isThrottled ? retryAfterMilliseconds(oneValue(headers['retry-after']), clock) : undefined;
  return {
    status,
    ...((status < 200 || status >= 300) && { error: statusError(status, text ?? '') }),
    ...(text !== undefined && { body: text }),
    ...(!isWhole && { isCut: true }),
    ...(pause !== undefined && { retryAfterMilliseconds: pause }),
  };
}

function toConsentAnswer({ status, headers }: Answer): ConsentAnswer {
  const allowedOrigin = oneValue(headers['webhook-allowed-origin']);
  const allowedRate = oneValue(headers['webhook-allowed-rate']);
  return {
    status,
    ...(allowedOrigin !== undefined && { allowedOrigin }),
    ...(allowedRate !== undefined && { allowedRate }),
  };
}

/** Hides secrets in all that was read before it is cut, lest half of one stays; what is no UTF-8 becomes longer. */
function decodeText(bytes: Buffer, secrets: readonly string[]): string {
  const text = hideSecrets(decode(bytes), secrets, bytes.length >= MAX_RESPONSE_BYTES);
  return decode(Buffer.from(text).subarray(0, MAX_RESPONSE_BYTES));
}

/** Cuts off a character that is not complete. */
function decode(bytes: Buffer): string {
  return new StringDecoder('utf8').write(bytes);
}

function statusError(status: number, text: string): string {
  const excerpt = oneLine(text.slice(0, MAX_EXCERPT_CHARACTERS));
  const redirect = status >= 300 && status < 400 ? ' (redirects are not followed)' : '';
  return `HTTP ${status}${redirect}${excerpt === '' ? '' : `: ${excerpt}`}`;
}
