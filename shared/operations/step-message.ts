import { createHash } from 'node:crypto';
import { z } from 'zod';

/** Has what is next of an operation's lane done. */
export interface AdvanceMessage {
  readonly task: 'advance';
  readonly ns: string;
  readonly operation: string;
  /** Names the occasion: each counts. */
  readonly occasion: string;
}

/** Has what is next of a step done: an attempt, or a look at how far its work is. */
export interface AttemptMessage {
  readonly task: 'attempt';
  readonly ns: string;
  readonly operation: string;
  readonly step: string;
  /** The number of the attempt. */
  readonly attempt: number;
  /** Tells the messages about an attempt apart: the time that it is for, where that is not at once; who sends it again. */
  readonly occasion?: string | undefined;
}

/** All that travels over the queue `steps`. */
export type StepMessage = AdvanceMessage | AttemptMessage;

const shared = { ns: z.string().min(1), operation: z.string().min(1) };

const stepMessageSchema = z.discriminatedUnion('task', [
  z.object({ task: z.literal('advance'), ...shared, occasion: z.string() }),
  z.object({
    task: z.literal('attempt'),
    ...shared,
    step: z.string().min(1),
    attempt: z.int().positive(),
    occasion: z.string().optional(),
  }),
]);

/** @throws ZodError when it is no message of this queue. */
export function parseStepMessage(body: unknown): StepMessage {
  return stepMessageSchema.parse(body);
}

/** Service Bus takes no longer ids. */
const MAX_ID_CHARACTERS = 128;

/** Names a message within the queue's duplicate detection, which silently drops a known id: the same however often it is sent. */
export function stepMessageId(message: StepMessage): string {
  const { operation, occasion } = message;
  const id =
    message.task === 'advance'
      ? `${operation}:${occasion}`
      : `${operation}:${message.step}:${message.attempt}${occasion === undefined ? '' : `:${occasion}`}`;
  return id.length <= MAX_ID_CHARACTERS ? id : createHash('sha256').update(id).digest('base64url');
}
