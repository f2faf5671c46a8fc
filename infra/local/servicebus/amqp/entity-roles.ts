import type { MessageQueue } from '../broker/message-queue.ts';
import { notAllowed } from '../service-bus-error.ts';

/** Throws unless messages can be sent to the entity. */
export function requireSending({ kind, name }: MessageQueue): void {
  if (kind === 'queue' || kind === 'topic') return;
  throw notAllowed(`Messages cannot be sent to '${name}', which is a ${kind}.`);
}

/** Throws unless messages can be received from the entity. */
export function requireReceiving({ kind, name }: MessageQueue): void {
  if (kind !== 'topic') return;
  throw notAllowed(
    `Messages cannot be received from '${name}', which is a topic, but from its subscriptions.`,
  );
}
