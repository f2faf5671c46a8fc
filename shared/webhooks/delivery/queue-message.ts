import { z } from 'zod';
import { type WakeMessage, wakeMessageId, wakeMessageSchema } from '../ordered/wake-message.ts';
import { type DeliveryMessage, deliveryId, deliveryMessageSchema } from './delivery.ts';

/**
 * Goes through the logs under a subscription's key, a page for each message, and enqueues what was not delivered. So it survives
 * the process that began it.
 */
export interface RecoveryMessage {
  readonly task: 'recover';
  /** Id of the whole recovery. */
  readonly run: string;
  readonly ns: string;
  readonly subscription: string;
  /** RFC 3339. */
  readonly since: string;
  /** Whether it is to wait until the subscription is active: it is sent before that is written. */
  readonly awaitsActive?: boolean | undefined;
  /** From 1 on. */
  readonly page: number;
  /** Where the page begins; absent for the first one. */
  readonly cursor?: string | undefined;
  readonly postponed?: number | undefined;
}

/** A delivery that is to be made again, and the how many-th replay of it that is: so that it counts once however often it is asked for. */
export interface Replay {
  /** Of the delivery. */
  readonly id: string;
  readonly replay: number;
}

/** Makes single deliveries again, whatever became of them. */
export interface ReplayMessage {
  readonly task: 'replay';
  readonly run: string;
  readonly ns: string;
  readonly subscription: string;
  readonly replays: readonly Replay[];
  readonly postponed?: number | undefined;
}

/** Asks an endpoint for its consent once more. */
export interface ConsentMessage {
  readonly task: 'consent';
  readonly ns: string;
  readonly subscription: string;
  /** Which request for consent this belongs to: an endpoint that was replaced meanwhile has another one. */
  readonly tokenHash: string;
  /** From 1 on. */
  readonly attempt: number;
  readonly postponed?: number | undefined;
}

/** All that travels over the queue `deliveries`. */
export type QueueMessage = DeliveryMessage | WakeMessage | RecoveryMessage | ReplayMessage | ConsentMessage;

const count = z.int().positive();

const recoverySchema = z.object({
  task: z.literal('recover'),
  run: z.string().min(1),
  ns: z.string().min(1),
  subscription: z.string().min(1),
  since: z.iso.datetime({ offset: true }),
  awaitsActive: z.boolean().optional(),
  page: count,
  cursor: z.string().optional(),
  postponed: count.optional(),
});

/** See `Replay`. */
export const replaySchema = z.object({ id: z.string().min(1), replay: count });

const replayMessageSchema = z.object({
  task: z.literal('replay'),
  run: z.string().min(1),
  ns: z.string().min(1),
  subscription: z.string().min(1),
  replays: z.array(replaySchema),
  postponed: count.optional(),
});

const consentSchema = z.object({
  task: z.literal('consent'),
  ns: z.string().min(1),
  subscription: z.string().min(1),
  tokenHash: z.string().min(1),
  attempt: count,
  postponed: count.optional(),
});

const messageSchema = z.union([
  wakeMessageSchema,
  recoverySchema,
  replayMessageSchema,
  consentSchema,
  deliveryMessageSchema,
]);

/** @throws ZodError when it is no message of this queue. */
export function parseQueueMessage(body: unknown): QueueMessage {
  return messageSchema.parse(body);
}

/**
 * Names a message within the queue's duplicate detection, which silently drops a known id, scheduled messages too: so
 * every attempt, postponement, replay and page has an id of its own, and the same one however often it is sent.
 */
export function messageId(message: QueueMessage): string {
  const postponed = message.postponed === undefined ? '' : `:p${message.postponed}`;
  return firstMessageId(message) + postponed;
}

function firstMessageId(message: QueueMessage): string {
  if (!('task' in message)) {
    const replay = message.replay === undefined ? '' : `:r${message.replay}`;
    const attempt = message.attempt === 1 ? '' : `:${message.attempt}`;
    return deliveryId(message) + replay + attempt;
  }
  switch (message.task) {
    case 'wake':
      return wakeMessageId(message);
    case 'recover':
      return `${message.subscription}:${message.run}:${message.page}`;
    case 'replay':
      return `${message.subscription}:${message.run}`;
    case 'consent':
      return `${message.subscription}:${message.tokenHash}:${message.attempt}`;
  }
}
