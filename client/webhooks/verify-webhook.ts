import type { Content } from '../store/content.ts';
import { WebhookVerificationError } from './verification-error.ts';
import { readBase64, readVerificationKey, type VerificationKey } from './verification-key.ts';
import { type CloudEvent, readWebhookEvent, type WebhookEvent } from './webhook-event.ts';

/** The headers of a request: those of the Fetch API, or of Node (`request.headers`, `request.headersDistinct`). */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

export interface WebhookVerification {
  /** The body as it was received, byte by byte: parsed JSON that is written again is another text, and fails. */
  readonly payload: string | Uint8Array;
  readonly headers: WebhookHeaders;
  /** `whsec_…` or `whpk_…` of the subscription; several while they are exchanged, of which one has to fit. */
  readonly secrets: string | readonly string[];
  /** How far `webhook-timestamp` may lie from now, either way: 300 unless told. */
  readonly toleranceSeconds?: number | undefined;
  /** Milliseconds since 1970; the clock unless told. */
  readonly now?: number | undefined;
}

/** Skerry sends one for each key, five at most; each that is checked goes through the whole body. */
const MAX_SIGNATURES = 100;

const HEADER_NAMES = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;

/**
 * Checks that a request is a webhook of Skerry's, unchanged and recent, by Standard Webhooks 1.0, and reads its event. Whoever has
 * recorded a request can send it again for `toleranceSeconds`, as Skerry itself does after a lost answer: keep the `webhook-id`
 * of what was done, and do it once.
 *
 * @throws WebhookVerificationError where it is not; TypeError for secrets or a payload that cannot be used.
 */
export async function verifyWebhook<Value extends Content = Content>({
  payload,
  headers,
  secrets,
  toleranceSeconds = 300,
  now = Date.now(),
}: WebhookVerification): Promise<WebhookEvent<Value> | CloudEvent<Value>> {
  const keys = await Promise.all([secrets].flat().map(readVerificationKey));
  if (keys.length === 0) throw new TypeError('There is no secret to verify webhooks with.');
  const body = readPayload(payload);
  const headerOf = headerReader(headers);
  const [id, timestamp, signatures] = HEADER_NAMES.map((name) => required(name, headerOf(name))) as [
    string,
    string,
    string,
  ];
  // With a full stop, or with more than digits, other parts could be read out of the signed text than were written into it.
  if (id.includes('.')) throw malformed('webhook-id holds a full stop');
  if (!/^\d{1,12}$/.test(timestamp)) throw malformed('webhook-timestamp holds no number of seconds');
  checkAge(now / 1000 - Number(timestamp), toleranceSeconds);

  const content = concatenate(new TextEncoder().encode(`${id}.${timestamp}.`), body);
  await checkSignatures(signatures, content, keys);
  return readWebhookEvent<Value>(body, headerOf);
}

function readPayload(payload: string | Uint8Array): Uint8Array {
  if (typeof payload === 'string') return new TextEncoder().encode(payload);
  if (payload instanceof Uint8Array) return payload;
  // Frameworks like to parse bodies before anybody is asked.
  throw new TypeError('The payload must be the raw body, text or bytes: what was parsed cannot be verified.');
}

/** Of several headers of one name, lists of signatures go together; of anything else there can be only one. */
function headerReader(headers: WebhookHeaders): (name: string) => string | undefined {
  if (isFetchHeaders(headers)) return (name) => headers.get(name) ?? undefined;
  const values = new Map(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const),
  );
  return (name) => {
    const value = values.get(name);
    if (value === undefined || typeof value === 'string') return value;
    return value.join(name === 'webhook-signature' ? ' ' : ',');
  };
}

/** Of whichever library. */
function isFetchHeaders(headers: WebhookHeaders): headers is Headers {
  return typeof headers.get === 'function';
}

function required(name: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw new WebhookVerificationError(
    'missing-header',
    `The request has no header ${name}: it is no webhook, the subscription has no signing key yet (rotate its secret), or something on the way drops the header.`,
  );
}

function checkAge(seconds: number, toleranceSeconds: number): void {
  const told = `webhook-timestamp is ${Math.abs(Math.round(seconds))} s`;
  // Written so that a tolerance or a time that is no number refuses.
  if (!(seconds <= toleranceSeconds)) {
    throw new WebhookVerificationError(
      'timestamp-too-old',
      `${told} old, more than ${toleranceSeconds} s: somebody sends an old request again, or the clock here is fast.`,
    );
  }
  if (!(-seconds <= toleranceSeconds)) {
    throw new WebhookVerificationError(
      'timestamp-too-new',
      `${told} ahead, more than ${toleranceSeconds} s: the clock here is slow.`,
    );
  }
}

async function checkSignatures(
  list: string,
  content: Uint8Array<ArrayBuffer>,
  keys: readonly VerificationKey[],
): Promise<void> {
  const signatures = readSignatures(list);
  if (signatures.length === 0) throw malformed('webhook-signature holds no signature such as "v1,…"');
  for (const { version, bytes } of signatures) {
    for (const key of keys) {
      if (bytes === undefined || key.version !== version) continue;
      if (await key.verifies(bytes, content)) return;
    }
  }
  const versions = new Set(keys.map(({ version }) => version));
  const isComparable = signatures.some(({ version }) => versions.has(version as VerificationKey['version']));
  throw new WebhookVerificationError(
    'no-matching-signature',
    isComparable
      ? 'No signature fits: check that the secret is the one of this subscription (after a rotation, the new one), and that the payload is the body byte by byte as it came, not parsed and written again.'
      : `The request is signed by ${Array.from(new Set(signatures.map(({ version }) => version))).join(', ')}, and there is no secret for that: v1 needs whsec_…, v1a whpk_….`,
  );
}

/** Of a text that anybody may have sent: in a time that grows with its length alone, and no more than are worth checking. */
function readSignatures(list: string) {
  const entries = list.split(/\s+/).flatMap((entry) => {
    const [version = '', base64 = ''] = entry.split(',', 2);
    return version === '' || base64 === '' ? [] : [{ version, bytes: readBase64(base64) }];
  });
  return entries.slice(0, MAX_SIGNATURES);
}

function malformed(what: string): WebhookVerificationError {
  return new WebhookVerificationError('malformed', `${what}: it does not come from Skerry like that.`);
}

function concatenate(head: Uint8Array, tail: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(head.length + tail.length);
  whole.set(head);
  whole.set(tail, head.length);
  return whole;
}
