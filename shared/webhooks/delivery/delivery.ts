import { z } from 'zod';
import { toTimestamp } from '../../platform/clock.ts';
import { parseScopeId } from '../../records/index.ts';
import { hashId } from '../subscription/subscription.ts';

/** What travels over the queue: which change to tell to whom, and the how many-th attempt this is. */
export interface DeliveryMessage {
  /** Partition key of the change's scope. */
  readonly scope: string;
  readonly revision: number;
  readonly key: string;
  readonly subscription: string;
  /** From 1 on, and from 1 on again with each replay. */
  readonly attempt: number;
  /** How often this attempt was put off: storage or the bus did not answer, or the endpoint was not to be called then. */
  readonly postponed?: number | undefined;
  /** The how many-th replay this belongs to, from 1 on: someone asked for it again, whatever became of it before. */
  readonly replay?: number | undefined;
  /** The time that the endpoint's allowed rate has set apart for it, if any, in milliseconds since the Unix epoch. */
  readonly slotAt?: number | undefined;
}

/** `held` waits for its subscription to become active again, with no message under way. */
export type DeliveryState = 'pending' | 'held' | 'delivered' | 'dead';

/** One POST to the endpoint. */
export interface DeliveryAttempt {
  /** When it began, RFC 3339, UTC. */
  readonly at: string;
  readonly durationMs: number;
  /** Of the answer, if one came. */
  readonly status?: number;
  /** Why it failed; absent when it succeeded. */
  readonly error?: string;
}

/** The attempt series that hands one change to one subscription. */
export interface Delivery {
  /** Sent as `webhook-id` with every attempt. */
  readonly id: string;
  readonly subscription: string;
  readonly ns: string;
  readonly scope: string;
  readonly revision: number;
  readonly key: string;
  readonly state: DeliveryState;
  /** Why it is dead or held. */
  readonly reason?: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
  /** The newest 50, in their order. */
  readonly attempts: readonly DeliveryAttempt[];
  /** How often it was replayed. */
  readonly replays?: number;
  /** Those of `attempts` from before the newest replay, whose ladder begins anew; less those that are no longer kept. */
  readonly earlierAttempts?: number;
  /** Body of the last answer, at most 20,000 bytes of it. */
  readonly lastResponse?: string;
  /** When the next attempt is due, while it is pending and has failed before. */
  readonly nextAt?: string;
}

/** Stands for a subscription in deliveries of changes to the topic of the bus; those of people begin with `sub_`. */
export const BUS_SUBSCRIPTION = 'notifications';
/** The same, of changes of operations to the queues and topics that their commands name. */
export const REPLY_SUBSCRIPTION = 'replies';

/** Whether deliveries to it are messages of the bus, and no calls. */
export function isOnBus(subscription: string): boolean {
  return subscription === BUS_SUBSCRIPTION || subscription === REPLY_SUBSCRIPTION;
}

/** See `parseQueueMessage`. */
export const deliveryMessageSchema = z.object({
  scope: z.string().min(1),
  revision: z.int().positive(),
  key: z.string().min(1),
  subscription: z.string().min(1),
  attempt: z.int().positive(),
  postponed: z.int().positive().optional(),
  replay: z.int().positive().optional(),
  slotAt: z.number().positive().optional(),
});

/** Ids of deliveries begin so. */
export const DELIVERY_PREFIX = 'dlv_';

/** The same for every message, retry and process that handles this change for this subscription. */
export function deliveryId({
  subscription,
  scope,
  revision,
}: Pick<DeliveryMessage, 'subscription' | 'scope' | 'revision'>): string {
  return `${DELIVERY_PREFIX}${hashId(subscription, scope, revision)}`;
}

/** Whether nothing more is to be done about a delivery, unless someone has it replayed. */
export function isDone({ state }: Delivery): boolean {
  return state === 'delivered' || state === 'dead';
}

/** A delivery that nobody tries any more. */
export function dead({ nextAt: _, ...delivery }: Delivery, reason: string): Delivery {
  return { ...delivery, state: 'dead', reason };
}

/** A delivery that was never attempted. */
export function newDelivery(message: DeliveryMessage, now: number): Delivery {
  const { subscription, scope, revision, key } = message;
  return {
    id: deliveryId(message),
    subscription,
    ns: parseScopeId(scope).ns,
    scope,
    revision,
    key,
    state: 'pending',
    createdAt: toTimestamp(now),
    attempts: [],
  };
}
