import type { IncomingHttpHeaders } from 'node:http';
import { SkerryError } from '../../platform/errors.ts';
import { createConnector } from './connector.ts';
import { checkEndpoint, type EndpointPolicy } from './endpoint-policy.ts';

export interface ExchangeRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS';
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** For all of it, from the name's resolution to the end of the answer. */
  readonly timeoutMilliseconds: number;
  /** What is read of the answer's body; the rest is cut off with its connection. */
  readonly maxBytes: number;
  /** Ends it before its time. */
  readonly signal?: AbortSignal;
}

export interface ExchangeAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The start of the body. */
  readonly bytes: Buffer;
  /** How the reading of the body ended: at its end, at the limit, or because it broke off. */
  readonly end: 'whole' | 'limit' | 'broken';
}

/**
 * Sends one request to an endpoint that somebody else named, and reads the answer, whatever its status.
 *
 * @throws SkerryError `invalid` where the policy forbids the endpoint by its text, and Error for what `describeFault` tells.
 */
export type Exchange = (request: ExchangeRequest) => Promise<ExchangeAnswer>;

/** More than who asks for patience every second. */
const MAX_ANNOUNCEMENTS = 50;

const KEEP_ALIVE_MILLISECONDS = 10_000;
const MAX_KEEP_ALIVE_MILLISECONDS = 60_000;
const MAX_FAULT_CHARACTERS = 400;

/**
 * Makes the way out: it follows no redirect, and connects to no address that the policy does not allow, whatever the name
 * resolves to at that moment.
 */
export function createExchange(policy: EndpointPolicy): Exchange {
  let connections: ReturnType<typeof openConnections> | undefined;

  return async ({ endpoint, timeoutMilliseconds, maxBytes, signal: ended, ...rest }) => {
    checkEndpoint(endpoint, policy);
    connections ??= openConnections(policy);
    const { request, dispatcher } = await connections;
    const headers = { ...rest.headers, 'accept-encoding': 'identity' };
    const { onInfo, signal: flooded } = countAnnouncements();
    const timeout = AbortSignal.timeout(timeoutMilliseconds);
    const signal = AbortSignal.any([timeout, flooded, ...(ended === undefined ? [] : [ended])]);
    const exchanged = request(endpoint, { ...rest, headers, dispatcher, signal, onInfo });
    const answer = await unlessAborted(signal, exchanged);
    const read = await readStart(answer.body, maxBytes);
    return { status: answer.statusCode, headers: answer.headers, ...read };
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

/** The first bytes of an answer. Its status is known, so that what goes wrong here is for the caller to judge. */
async function readStart(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Pick<ExchangeAnswer, 'bytes' | 'end'>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  let end: ExchangeAnswer['end'] = 'broken';
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= maxBytes) {
        return { bytes: Buffer.concat(chunks), end: 'limit' };
      }
    }
    end = 'whole';
  } catch {
    // The text is shorter then.
  }
  return { bytes: Buffer.concat(chunks), end };
}

/** One value of a header that may have been sent more than once. */
export function oneValue(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'object' ? header.join(', ') : header;
}

/** Whether the body is what the receiver meant; compressed ones nobody asked for, and they may be bombs. */
export function isPlain(headers: IncomingHttpHeaders): boolean {
  const encoding = oneValue(headers['content-encoding']) ?? 'identity';
  return encoding.trim().toLowerCase() === 'identity';
}

/** What went wrong where no answer came, as a line. */
export function describeFault(fault: unknown, timeoutMilliseconds: number): string {
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

/** The text without line breaks and control characters. */
export function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}
