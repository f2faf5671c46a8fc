import { createHash } from 'node:crypto';
import { toTimestamp } from '../../platform/clock.ts';
import { notFound, type SkerryError } from '../../platform/errors.ts';
import type { Maker } from '../../platform/http/index.ts';
import { toBase32 } from '../../platform/random.ts';
import { type ChangeType, type Scope, type StoredRecord, scopeId } from '../../records/index.ts';
import type { UnorderedTime } from './ordering.ts';

/**
 * What an endpoint is sent: the change as an event of Standard Webhooks or of CloudEvents, or only the names of the hook and
 * the resource, as Nesoi did.
 */
export type WebhookFormat = 'standard' | 'cloudevents' | 'nesoi';

/** Of CloudEvents: whether the event is the body, or its attributes are headers. */
export type CloudEventsMode = 'structured' | 'binary';

/** Only an active subscription is called; the others keep what they were to be told of, or can ask for it later. */
export type SubscriptionState = 'active' | 'unconfirmed' | 'paused' | 'disabled';

/** By Standard Webhooks 1.0: HMAC-SHA256 with a shared secret, or ed25519. */
export type SignatureVersion = 'v1' | 'v1a';

/** One key that deliveries are signed with. */
export interface SigningKey {
  readonly id: string;
  readonly version: SignatureVersion;
  /** The secret, `whsec_…` or `whsk_…`, sealed (shared/platform/sealer.ts). */
  readonly sealed: string;
  /** `whpk_…`, of v1a. */
  readonly publicKey?: string;
  readonly createdAt: string;
  /** When it is used no more; absent for the newest. */
  readonly expiresAt?: string;
}

/** Request headers whose values nobody is shown again. */
export interface SealedHeaders {
  /** In lower case, sorted. */
  readonly names: readonly string[];
  /** All of them as a JSON object, sealed (shared/platform/sealer.ts). */
  readonly sealed: string;
}

/** The permission of an endpoint to be called (CloudEvents, HTTP 1.1 Web Hooks, section 4). */
export interface Consent {
  /** SHA-256 of the token in the callback URL, base64url. */
  readonly tokenHash: string;
  /** The token itself, sealed (shared/platform/sealer.ts), to be sent again. */
  readonly sealedToken: string;
  /** Base of the callback URL, without a slash at its end. */
  readonly baseUrl: string;
  /** Sent as `WebHook-Request-Origin`. */
  readonly origin: string;
  /** Absent as long as it is not granted. */
  readonly grantedAt?: string;
  /** Requests that the endpoint allows in a minute; absent where it sets no limit. */
  readonly ratePerMinute?: number;
}

/**
 * Where a subscription begins to hear: behind a revision, exactly, where its key lies in one scope; else from a time on,
 * because several scopes have no revision in common.
 */
export type Since = { readonly scope: string; readonly revision: number } | { readonly at: string };

/** What the log keeps of a subscription. */
export interface SubscriptionValue {
  readonly name: string;
  /** A key prefix by whole segments, or a pattern; see `watched-key.ts`. */
  readonly key: string;
  readonly endpoint: string;
  readonly format: WebhookFormat;
  /** CloudEvents only. */
  readonly mode?: CloudEventsMode;
  /** Tells only of changes of these types. */
  readonly types?: readonly ChangeType[];
  /** JSON Pointers: tells only of changes in which the value at one of them differs. */
  readonly changed?: readonly string[];
  /** JSON Pointers: all that is sent of the values before and after. */
  readonly fields?: readonly string[];
  /** Whether the changes of a scope are delivered one after the other. */
  readonly ordered?: true;
  /** Where that was changed: when they were not. */
  readonly unordered?: UnorderedTime;
  /** Request headers of its own. */
  readonly headers?: SealedHeaders;
  /** Newest first; none for hooks of Nesoi's, and for subscriptions from before there were signatures. */
  readonly signing?: readonly SigningKey[];
  /** Absent where the endpoint need not be asked. */
  readonly consent?: Consent;
  readonly state: SubscriptionState;
  /** Why it is in its state, for people. */
  readonly reason?: string;
  /** Since when it is in its state, RFC 3339, UTC; absent since the beginning. */
  readonly stateSince?: string;
  /** Nesoi only: the base URL through which the hook was registered, without a slash at its end. */
  readonly baseUrl?: string;
  readonly since: Since;
  /** Who had it made as it is, and may see what it sends; absent where that was not written down yet. */
  readonly maker?: Maker;
}

/** Values that were stored before there were states, and formats other than `change` and Nesoi's. */
interface OldSubscriptionValue extends Omit<SubscriptionValue, 'format' | 'state'> {
  readonly format: WebhookFormat | 'change';
  readonly state?: SubscriptionState;
}

/** An endpoint that is told of the changes under a key. */
export interface Subscription extends SubscriptionValue {
  readonly id: string;
  /** Of its last change. */
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
  /** When it ends by itself, RFC 3339, UTC; absent where it does not. */
  readonly expiresAt?: string;
}

const KEY_PREFIX = '/hook/';

/** All subscriptions of a namespace share a log, so that every change is matched against one snapshot. */
export function subscriptionScope(ns: string): Scope {
  return { ns, kind: 'hook', name: '' };
}

export function subscriptionKey(id: string): string {
  return KEY_PREFIX + id;
}

/** The id of the subscription that a record of that key is. */
export function subscriptionId(key: string): string {
  return key.slice(KEY_PREFIX.length);
}

export function toSubscription(record: StoredRecord<OldSubscriptionValue>): Subscription {
  const { key, value, revision, createdAt, updatedAt, expiresAt } = record;
  return {
    ...currentValue(value),
    id: subscriptionId(key),
    revision,
    createdAt,
    updatedAt,
    ...(expiresAt !== undefined && { expiresAt: toTimestamp(expiresAt) }),
  };
}

/** The value as it is written today. */
export function currentValue(value: OldSubscriptionValue): SubscriptionValue {
  const { format, state = 'active' } = value;
  return { ...value, format: format === 'change' ? 'standard' : format, state };
}

/** The error for a subscription that there is not. */
export function unknownSubscription(id: string): SkerryError {
  return notFound(`There is no subscription "${id}".`);
}

/** Follows from what Nesoi addresses a hook by, so that a second hook of that name meets the first one. */
export function nesoiSubscriptionId(ns: string, resource: string, name: string): string {
  return `sub_${hashId(scopeId(subscriptionScope(ns)), resource, name)}`;
}

/** 128 bits of SHA-256, written as all ids are. The parts must not contain line feeds. */
export function hashId(...parts: readonly (string | number)[]): string {
  return toBase32(createHash('sha256').update(parts.join('\n')).digest().subarray(0, 16));
}
