import type { ChangeType } from '../history.ts';
import { type Content, readValue } from '../store/content.ts';
import { WebhookVerificationError } from './verification-error.ts';

/** The change that a webhook tells of. */
export interface WebhookChange<Value extends Content = Content> {
  /** Id of the subscription that it is told to. */
  readonly subscription: string;
  readonly ns: string;
  /** The log in which `revision` counts. */
  readonly scope: string;
  /** Whole, such as `/kv/agent1/a`. */
  readonly key: string;
  readonly revision: number;
  /** `test` of a test, which nothing was written for. */
  readonly type: ChangeType | 'test';
  /** Who wrote. */
  readonly actor: string;
  /** What was there; null where nothing was. Only the `fields` that the subscription asks for. */
  readonly before: Value | null;
  /** What is there now; null where nothing is any more. */
  readonly after: Value | null;
}

/** The body of format `standard`, as Standard Webhooks recommends it. */
export interface WebhookEvent<Value extends Content = Content> {
  /** Kind and type of the change, such as `srv.put`; of a test `skerry.test`. */
  readonly type: string;
  /** When the change was made, RFC 3339. */
  readonly timestamp: string;
  readonly data: WebhookChange<Value>;
}

/** The event of format `cloudevents`, in either mode (CloudEvents 1.0). */
export interface CloudEvent<Value extends Content = Content> {
  readonly specversion: string;
  /** The revision. */
  readonly id: string;
  /** The log, such as `https://skerry.example.com/default/srv/web`. */
  readonly source: string;
  /** Such as `skerry.srv.put`. */
  readonly type: string;
  /** The key. */
  readonly subject?: string;
  /** When the change was made, RFC 3339. */
  readonly time?: string;
  readonly datacontenttype?: string;
  /** Of the request that made the change (W3C Trace Context). */
  readonly traceparent?: string;
  readonly data: WebhookChange<Value>;
}

type Members = Readonly<Record<string, unknown>>;

/**
 * The event of a request whose body is signed. The body alone decides of which format it is, for headers other than those of the
 * signature are not signed.
 *
 * @param headerOf a header by its name in lower case.
 * @throws WebhookVerificationError `malformed`
 */
export function readWebhookEvent<Value extends Content>(
  payload: Uint8Array,
  headerOf: (name: string) => string | undefined,
): WebhookEvent<Value> | CloudEvent<Value> {
  const body = parseObject(payload);
  if (typeof body.specversion === 'string') return withContent(body as unknown as CloudEvent<Value>);
  if ('timestamp' in body && isObject(body.data)) return withContent(body as unknown as WebhookEvent<Value>);
  if (headerOf('ce-specversion') !== undefined) return readBinaryEvent(body, headerOf);
  throw new WebhookVerificationError(
    'malformed',
    'The signature is right, but the body is no event in a format that is signed: neither of Standard Webhooks nor a CloudEvent.',
  );
}

/** In binary mode the body is the data, and headers starting with `ce-` are the attributes (CloudEvents HTTP binding, 3.1). */
function readBinaryEvent<Value extends Content>(
  data: Members,
  headerOf: (name: string) => string | undefined,
): CloudEvent<Value> {
  const names = ['specversion', 'id', 'source', 'type', 'subject', 'time', 'traceparent'];
  const attributes = names.flatMap((name) => {
    const value = headerOf(`ce-${name}`);
    return value === undefined ? [] : [[name, decodeHeader(value)]];
  });
  const event = { ...Object.fromEntries(attributes), datacontenttype: 'application/json', data };
  checkAttributes(event);
  return withContent(event as unknown as CloudEvent<Value>);
}

/** Whoever forwards a request could exchange attributes, which are not signed; the data, which is, holds them as well. */
function checkAttributes({
  id,
  type,
  subject,
  data,
}: {
  id?: string;
  type?: string;
  subject?: string;
  data: Members;
}) {
  const kind = String(data.key).split('/')[1];
  // The id of a test is that of its delivery, which is signed.
  const isAsSigned =
    data.type === 'test'
      ? type === 'skerry.test'
      : id === String(data.revision) && type?.startsWith(`skerry.${kind}.`) === true;
  if (isAsSigned && subject === data.key) return;
  throw new WebhookVerificationError(
    'malformed',
    'The headers ce-id, ce-subject and ce-type do not say what the signed body says: something on the way has changed them.',
  );
}

function withContent<Event extends { readonly data: WebhookChange }>(event: Event): Event {
  const { before, after } = event.data;
  return { ...event, data: { ...event.data, before: readSide(before), after: readSide(after) } };
}

function readSide(value: Content | null | undefined): Content | null {
  return value === null || value === undefined ? null : readValue(value);
}

function parseObject(payload: Uint8Array): Members {
  try {
    const body: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    if (isObject(body)) return body;
  } catch {
    // Told below.
  }
  throw new WebhookVerificationError('malformed', 'The signature is right, but the body is no JSON object.');
}

function decodeHeader(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
