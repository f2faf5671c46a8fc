import { createHash } from 'node:crypto';
import { toBase32 } from '../../platform/random.ts';
import { type Scope, type StoredRecord, scopeId } from '../../records/index.ts';

/** `change` tells what happened; `nesoi` only names the hook and the resource, as Nesoi did. */
export type WebhookFormat = 'change' | 'nesoi';

/**
 * Where a subscription begins to hear: behind a revision, exactly, where its key lies in one scope; else from a time on,
 * because several scopes have no revision in common.
 */
export type Since = { readonly scope: string; readonly revision: number } | { readonly at: string };

/** What the log keeps of a subscription. */
export interface SubscriptionValue {
  readonly name: string;
  /** A key prefix by whole segments; see `watched-key.ts`. */
  readonly key: string;
  readonly endpoint: string;
  readonly format: WebhookFormat;
  /** Nesoi only: the base URL through which the hook was registered, without a slash at its end. */
  readonly baseUrl?: string;
  readonly since: Since;
}

/** An endpoint that is told of the changes under a key. */
export interface Subscription extends SubscriptionValue {
  readonly id: string;
  /** Of its last change. */
  readonly revision: number;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

const KEY_PREFIX = '/hook/';

/** All subscriptions of a namespace share a log, so that every change is matched against one snapshot. */
export function subscriptionScope(ns: string): Scope {
  return { ns, kind: 'hook', name: '' };
}

export function subscriptionKey(id: string): string {
  return KEY_PREFIX + id;
}

export function toSubscription(record: StoredRecord<SubscriptionValue>): Subscription {
  const { key, value, revision, createdAt, updatedAt } = record;
  return { ...value, id: key.slice(KEY_PREFIX.length), revision, createdAt, updatedAt };
}

/** Follows from what Nesoi addresses a hook by, so that a second hook of that name meets the first one. */
export function nesoiSubscriptionId(ns: string, resource: string, name: string): string {
  return `sub_${hashId(scopeId(subscriptionScope(ns)), resource, name)}`;
}

/** 128 bits of SHA-256, written as all ids are. The parts must not contain line feeds. */
export function hashId(...parts: readonly (string | number)[]): string {
  return toBase32(createHash('sha256').update(parts.join('\n')).digest().subarray(0, 16));
}
