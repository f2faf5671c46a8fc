import type { ChangeType } from '../history.ts';
import { type Content, readValue } from '../store/content.ts';
import { WebhookVerificationError } from './verification-error.ts';

/** The first segments of the keys that webhooks tell of. */
export type WebhookKind = 'app' | 'election' | 'endpoint' | 'kv' | 'reg' | 'srv';

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
  readonly type: ChangeType;
  /** Who wrote. */
  readonly actor: string;
  /** What was there; null where nothing was. Only the `fields` that the subscription asks for, as in `after`. */
  readonly before: Value | null;
  /** What is there now; null where nothing is any more. */
  readonly after: Value | null;
}

/** What a test carries: the subscription as it is, of which nothing has changed. */
export interface WebhookTest extends Omit<WebhookChange<never>, 'type'> {
  readonly type: 'test';
}

/** A body that Standard Webhooks recommends. */
interface StandardBody<Type extends string, Data> {
  /** Kind and type of the change, such as `srv.put`; of the kind `endpoint`, the state: `endpoint.disabled`. */
  readonly type: Type;
  /** When it happened, RFC 3339. */
  readonly timestamp: string;
  readonly data: Data;
}

/** An event of CloudEvents 1.0. */
interface CloudEventOf<Type extends string, Data> {
  readonly specversion: string;
  /** The revision; of a test, the `webhook-id`. */
  readonly id: string;
  /** The log, such as `https://skerry.example.com/default/srv/web`. */
  readonly source: string;
  /** Such as `skerry.srv.put`. */
  readonly type: Type;
  /** The key. */
  readonly subject: string;
  /** When it happened, RFC 3339. */
  readonly time: string;
  readonly datacontenttype: string;
  /** Of the request that made the change (W3C Trace Context). */
  readonly traceparent?: string;
  readonly data: Data;
}

/** What format `standard` sends. */
export type WebhookEvent<Value extends Content = Content> =
  | StandardBody<`${WebhookKind}.${string}`, WebhookChange<Value>>
  | StandardBody<'skerry.test', WebhookTest>;

/** What format `cloudevents` sends, in either mode. */
export type CloudEvent<Value extends Content = Content> =
  | CloudEventOf<`skerry.${WebhookKind}.${string}`, WebhookChange<Value>>
  | CloudEventOf<'skerry.test', WebhookTest>;

type Members = Readonly<Record<string, unknown>>;
type UnreadEvent = Members & { readonly data: Members };

/**
 * The event of a request whose body is signed. The body alone decides of which format it is, because other headers than those
 * of the signature are not signed.
 *
 * @param headerOf a header by its name in lower case.
 * @throws WebhookVerificationError `malformed`
 */
export function readWebhookEvent<Value extends Content>(
  payload: Uint8Array,
  headerOf: (name: string) => string | undefined,
): WebhookEvent<Value> | CloudEvent<Value> {
  const event = toEvent(parseObject(payload), headerOf);
  // The signature vouches for its shape.
  return { ...event, data: withContent(event.data) } as unknown as WebhookEvent<Value> | CloudEvent<Value>;
}

function toEvent(body: Members, headerOf: (name: string) => string | undefined): UnreadEvent {
  const { data } = body;
  if (isObject(data) && (body.specversion !== undefined || body.timestamp !== undefined))
    return { ...body, data };
  if (headerOf('ce-specversion') !== undefined) return readBinaryEvent(body, headerOf);
  throw new WebhookVerificationError(
    'malformed',
    'The signature is right, but the body is no event: neither of Standard Webhooks nor a CloudEvent.',
  );
}

/** In binary mode the body is the data, and headers starting with `ce-` are the attributes (CloudEvents HTTP binding, 3.1). */
function readBinaryEvent(data: Members, headerOf: (name: string) => string | undefined): UnreadEvent {
  const names = ['specversion', 'id', 'source', 'type', 'subject', 'time', 'traceparent'];
  const attributes: Record<string, string> = {};
  for (const name of names) {
    const value = headerOf(`ce-${name}`);
    if (value !== undefined) attributes[name] = decodeHeader(value);
  }
  if (!agrees(attributes, data, headerOf('webhook-id'))) {
    throw new WebhookVerificationError(
      'malformed',
      'The headers ce-id, ce-source, ce-type and ce-subject do not say what the signed body says: something on the way has changed them.',
    );
  }
  return { ...attributes, datacontenttype: 'application/json', data };
}

/** Whether the attributes say what the data says: they are not signed, and whoever forwards a request could exchange them. */
function agrees(
  { id, source, type, subject }: Readonly<Record<string, string>>,
  { key, ns, scope, revision, type: changeType }: Members,
  delivery: string | undefined,
): boolean {
  const isTest = changeType === 'test';
  const [, kind = '', ...name] = typeof scope === 'string' ? scope.split(':') : [];
  const log = [ns, kind, name.join(':')];
  const path = log.filter((part) => part !== '').map((part) => `/${encodeURIComponent(String(part))}`);
  return (
    subject === key &&
    id === (isTest ? delivery : String(revision)) &&
    source?.endsWith(path.join('')) === true &&
    // Changes of the kind `endpoint` are named by the state that they bring.
    (kind === 'endpoint'
      ? type?.startsWith('skerry.endpoint.') === true
      : type === (isTest ? 'skerry.test' : `skerry.${kind}.${changeType}`))
  );
}

/** The data of an event, with raw content as such. */
function withContent(data: Members): Members {
  return { ...data, before: readValue(data.before), after: readValue(data.after) };
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
