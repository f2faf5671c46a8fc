import { z } from 'zod';
import { hashId } from '../subscription/subscription.ts';

/** Wakes the ordered deliveries of one scope to one subscription, which read by themselves what there is to tell. */
export interface WakeMessage {
  readonly task: 'wake';
  readonly subscription: string;
  /** Partition key of the scope. */
  readonly scope: string;
  /** Whoever holds the cursor holds it by the name of its message; a message that comes again knows its own holding by it. */
  readonly name: string;
  /** Of a message that is to repeat what failed: the name of the one whose attempt that was. */
  readonly after?: string | undefined;
  /** Tells a message that was put off from the one that put it off. */
  readonly again?: string | undefined;
  /** Whether the endpoint is to be called before the time has come at which a failed attempt is repeated. */
  readonly isUrgent?: boolean | undefined;
  /** The time that the endpoint's allowed rate has set apart for the next call, in milliseconds since the Unix epoch. */
  readonly slotAt?: number | undefined;
  /** How often it was put off because storage or the bus did not answer. */
  readonly postponed?: number | undefined;
}

/** See `parseQueueMessage`. */
export const wakeMessageSchema = z.object({
  task: z.literal('wake'),
  subscription: z.string().min(1),
  scope: z.string().min(1),
  name: z.string().min(1),
  after: z.string().min(1).optional(),
  again: z.string().min(1).optional(),
  isUrgent: z.boolean().optional(),
  slotAt: z.number().optional(),
  postponed: z.int().positive().optional(),
});

export function wakeMessageId({ subscription, scope, name, again }: WakeMessage): string {
  return `${subscription}:${hashId(scope)}:${name}${again === undefined ? '' : `:${again}`}`;
}
