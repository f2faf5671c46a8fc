import type { ChangeType } from '../history.ts';
import type { SignatureVersion } from './verification-key.ts';

/** What a subscription is made of; what is left out has its default. */
export interface SubscriptionInput {
  /** For people; need not be unique. */
  readonly name: string;
  /** A key prefix by whole segments, such as `/app` or `/kv/agent1/config`, or a pattern such as `/srv/web-*`. */
  readonly key: string;
  /** The URL that is called. */
  readonly endpoint: string;
  /** `standard` unless told. */
  readonly format?: 'standard' | 'cloudevents' | undefined;
  /** Of `cloudevents`: `structured` unless told. */
  readonly mode?: 'structured' | 'binary' | undefined;
  /** Only changes of these types. */
  readonly types?: readonly ChangeType[] | undefined;
  /** JSON Pointers: only changes in which the value at one of them differs. */
  readonly changed?: readonly string[] | undefined;
  /** JSON Pointers: all that is sent of the values before and after. */
  readonly fields?: readonly string[] | undefined;
  /** Whether the changes of one log are delivered one after the other. */
  readonly ordered?: boolean | undefined;
  /** Whether the endpoint is asked before it is called. */
  readonly consent?: boolean | undefined;
  /** `v1` unless told. */
  readonly signature?: SignatureVersion | undefined;
  /** Further request headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export type SubscriptionState = 'active' | 'unconfirmed' | 'paused' | 'disabled';

/** An endpoint that is told of changes. */
export interface Subscription {
  readonly id: string;
  readonly name: string;
  readonly key: string;
  readonly endpoint: string;
  readonly format: 'standard' | 'cloudevents' | 'nesoi';
  readonly mode?: 'structured' | 'binary';
  readonly types?: readonly ChangeType[];
  readonly changed?: readonly string[];
  readonly fields?: readonly string[];
  readonly ordered: boolean;
  /** Absent where the endpoint need not be asked. */
  readonly consent?: {
    readonly granted: boolean;
    readonly grantedAt?: string;
    readonly ratePerMinute?: number;
    readonly origin: string;
  };
  /** What deliveries are signed with, the newest first. */
  readonly signing: readonly {
    readonly id: string;
    readonly version: SignatureVersion;
    /** `whpk_…`, of v1a. */
    readonly publicKey?: string;
    readonly createdAt: string;
    /** When it is used no more; absent for the newest. */
    readonly expiresAt?: string;
  }[];
  /** The names of its further request headers; their values are never told. */
  readonly headers?: readonly string[];
  readonly state: SubscriptionState;
  /** Why it is in its state. */
  readonly reason?: string;
  /** RFC 3339, as the other times. */
  readonly stateSince?: string;
  /** Who created or last replaced it, as an actor: it is told of what they may read at that time. */
  readonly createdBy?: string;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** When it ends by itself: those that a command named as its `callback` do. */
  readonly expiresAt?: string;
}

/** What is told once: when the key is made. */
export interface SubscriptionWithSecret extends Subscription {
  /** `whsec_…`, of v1; for v1a `signing` holds the public key. */
  readonly secret?: string;
}
