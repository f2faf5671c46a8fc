import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { SkerryError } from '../../platform/errors.ts';
import type { WebhookRequest } from '../notification/webhook-request.ts';
import { checkEndpoint, type EndpointPolicy, isPublicAddress } from './endpoint-policy.ts';

/** How a POST ended: with `error` it failed, whether or not an answer came. */
export interface WebhookResult {
  /** Of the answer, if one came. */
  readonly status?: number;
  readonly error?: string;
  /** The first 20,000 bytes of the answer's body, if one came. */
  readonly body?: string;
  /** Milliseconds that the endpoint wants to be left alone, from now on; of its header `Retry-After`. */
  readonly retryAfterMilliseconds?: number;
}

/** Sends one POST; faults of the network and of the receiver are results and not thrown. */
export type PostWebhook = (request: WebhookRequest) => Promise<WebhookResult>;

export interface WebhookClientOptions {
  readonly policy: EndpointPolicy;
  /** For the whole exchange, from the name's resolution to the end of the answer. */
  readonly timeoutMilliseconds: number;
}

/** What is read of an answer; the rest is cut off with its connection. */
const MAX_RESPONSE_BYTES = 20_000;
/** What is kept of it, to explain a failure. */
const MAX_EXCERPT_CHARACTERS = 200;

const KEEP_ALIVE_MILLISECONDS = 10_000;
const MAX_KEEP_ALIVE_MILLISECONDS = 60_000;

/**
 * Makes the client that calls endpoints. It answers 2xx as success and everything else as failure, follows no redirect,
 * and connects to no address that the policy does not allow, whatever the name resolves to at that moment.
 */
export function createWebhookClient({ policy, timeoutMilliseconds }: WebhookClientOptions): PostWebhook {
  let connections: ReturnType<typeof openConnections> | undefined;
  return async ({ endpoint, headers, body }) => {
    try {
      checkEndpoint(endpoint, policy);
      connections ??= openConnections(policy);
      const { request, dispatcher } = await connections;
      const signal = AbortSignal.timeout(timeoutMilliseconds);
      const answer = await request(endpoint, { method: 'POST', headers, body, dispatcher, signal });
      const text = await readStart(answer.body);
      const status = answer.statusCode;
      return status >= 200 && status < 300 ? { status } : { status, error: statusError(status, text) };
    } catch (error) {
      return { error: describeFault(error, timeoutMilliseconds) };
    }
  };
}

/** Loaded at first use: most instances answer requests and deliver nothing. */
async function openConnections({ allowPrivate }: EndpointPolicy) {
  const { Agent, request } = await import('undici');
  const dispatcher = new Agent({
    // A literal address is not looked up; `checkEndpoint` has judged it.
    ...(!allowPrivate && { connect: { lookup: publicLookup } }),
    keepAliveTimeout: KEEP_ALIVE_MILLISECONDS,
    keepAliveMaxTimeout: MAX_KEEP_ALIVE_MILLISECONDS,
    allowH2: false,
  });
  return { request, dispatcher };
}

/** Resolves a name for the connection that is made right after, and fails when any of its addresses is not public. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const forbidden = addresses?.find(({ address }) => !isPublicAddress(address));
    const [first] = addresses ?? [];
    if (error !== null || first === undefined) {
      callback(error ?? new Error(`${hostname} has no address.`), []);
    } else if (forbidden !== undefined) {
      callback(new Error(`${hostname} resolves to ${forbidden.address}, which is not a public address.`), []);
    } else if (options.all === true) {
      callback(null, addresses);
    } else {
      callback(null, first.address, first.family);
    }
  });
};

/** The first bytes of an answer. Its status has decided already, so that what goes wrong here does not matter. */
async function readStart(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= MAX_RESPONSE_BYTES) {
        break;
      }
    }
  } catch {
    // The excerpt is shorter then.
  }
  return Buffer.concat(chunks).toString();
}

function statusError(status: number, text: string): string {
  const excerpt = text
    .slice(0, MAX_EXCERPT_CHARACTERS)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  const redirect = status >= 300 && status < 400 ? ' (redirects are not followed)' : '';
  return `HTTP ${status}${redirect}${excerpt === '' ? '' : `: ${excerpt}`}`;
}

function describeFault(error: unknown, timeoutMilliseconds: number): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  if (error.name === 'TimeoutError') {
    return `No answer within ${timeoutMilliseconds / 1000} s.`;
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const isOurs = error instanceof SkerryError || code === undefined || error.message.includes(code);
  return (isOurs ? error.message : `${code}: ${error.message}`).slice(0, 2 * MAX_EXCERPT_CHARACTERS);
}
