import type { IncomingHttpHeaders } from 'node:http';
import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../../platform/clock.ts';
import { SkerryError } from '../../platform/errors.ts';
import type { WebhookRequest } from '../notification/webhook-request.ts';
import { createConnector } from './connector.ts';
import { checkEndpoint, type EndpointPolicy } from './endpoint-policy.ts';
import { hideSecrets } from './hide-secrets.ts';
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
const MAX_FAULT_CHARACTERS = 400;

/** More than who asks for patience every second. */
const MAX_ANNOUNCEMENTS = 50;

const KEEP_ALIVE_MILLISECONDS = 10_000;
const MAX_KEEP_ALIVE_MILLISECONDS = 60_000;

interface Exchange {
  readonly method: 'POST' | 'OPTIONS';
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly secrets?: readonly string[];
  readonly timeoutMilliseconds: number;
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
  let connections: ReturnType<typeof openConnections> | undefined;

  async function exchange({ endpoint, secrets = [], timeoutMilliseconds: timeout, ...rest }: Exchange) {
    try {
      checkEndpoint(endpoint, policy);
      connections ??= openConnections(policy);
      const { request, dispatcher } = await connections;
      const headers = { ...rest.headers, 'accept-encoding': 'identity' };
      const { onInfo, signal: flooded } = countAnnouncements();
      const signal = AbortSignal.any([AbortSignal.timeout(timeout), flooded]);
      const exchanged = request(endpoint, { ...rest, headers, dispatcher, signal, onInfo });
      const answer = await unlessAborted(signal, exchanged);
      const { bytes, isWhole } = await readStart(answer.body);
      const text = isPlain(answer.headers) ? decodeText(bytes, secrets) : undefined;
      return { status: answer.statusCode, headers: answer.headers, text, isWhole };
    } catch (fault) {
      const isFinal = fault instanceof SkerryError;
      return { error: describeFault(fault, timeout), ...(isFinal && { isFinal }) };
    }
  }

  return {
    async post(request) {
      const answer = await exchange({ method: 'POST', ...request, timeoutMilliseconds });
      return 'error' in answer ? answer : toResult(answer, clock);
    },
    async askForConsent(request) {
      const answer = await exchange({
        method: 'OPTIONS',
        ...request,
        timeoutMilliseconds: Math.min(timeoutMilliseconds, CONSENT_TIMEOUT_MILLISECONDS),
      });
      return 'error' in answer ? answer : toConsentAnswer(answer);
    },
  };
}

/** Answers of 1xx come before the one that counts; who pours them out wants to keep this process busy. */
function countAnnouncements(): { readonly onInfo: () => void; readonly signal: AbortSignal } {
  const controller = new AbortController();
  let count = 0;
  const onInfo = () => {
    count += 1;
    if (count > MAX_ANNOUNCEMENTS) {
      controller.abort(new Error('The endpoint announces an answer without end.'));
    }
  };
  return { onInfo, signal: controller.signal };
}

/** While a connection is made undici does not look at the signal; that takes as long as a name server or a handshake likes. */
async function unlessAborted<Value>(signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener('abort', abort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Loaded at first use: most instances answer requests and deliver nothing. */
async function openConnections(policy: EndpointPolicy) {
  const { Agent, buildConnector, request } = await import('undici');
  const dispatcher = new Agent({
    connect: createConnector(policy, buildConnector),
    keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
    keepAliveMaxTimeout: MAX_KEEP_ALIVE_MILLISECONDS,
    allowH2: false,
  });
  return { request, dispatcher };
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

function oneValue(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'object' ? header.join(', ') : header;
}

/** The first bytes of an answer. Its status has decided already, so that what goes wrong here does not matter. */
async function readStart(
  body: AsyncIterable<Uint8Array>,
): Promise<{ readonly bytes: Buffer; readonly isWhole: boolean }> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let isWhole = false;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= MAX_RESPONSE_BYTES) {
        return { bytes: Buffer.concat(chunks), isWhole };
      }
    }
    isWhole = true;
  } catch {
    // The text is shorter then.
  }
  return { bytes: Buffer.concat(chunks), isWhole };
}

function isPlain(headers: IncomingHttpHeaders): boolean {
  const encoding = oneValue(headers['content-encoding']) ?? 'identity';
  return encoding.trim().toLowerCase() === 'identity';
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

function describeFault(fault: unknown, timeoutMilliseconds: number): string {
  // Of the addresses of a name that were tried in vain, one stands for all.
  const error = fault instanceof AggregateError ? (fault.errors[0] ?? fault) : fault;
  if (!(error instanceof Error)) {
    return oneLine(String(error));
  }
  if (error.name === 'TimeoutError') {
    return `No answer within ${timeoutMilliseconds / 1000} s.`;
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const isOurs = error instanceof SkerryError || code === undefined || error.message.includes(code);
  return oneLine(isOurs ? error.message : `${code}: ${error.message}`).slice(0, MAX_FAULT_CHARACTERS);
}

function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}
