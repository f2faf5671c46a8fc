import type { Clock } from '../../platform/clock.ts';
import { backoff } from './backoff.ts';
import type { DeliveryQueue } from './delivery-queue.ts';
import type { QueueMessage } from './queue-message.ts';

/** The longest pause of what is put off, in milliseconds. */
const MAX_MILLISECONDS = 60_000;

/**
 * Puts a message off while storage does not answer. Left to the bus, it would come again at once, and end among the broker's
 * own dead letters after a few times.
 *
 * @param firstMilliseconds the first pause, which doubles each time.
 */
export async function postpone(
  message: QueueMessage,
  { queue, clock }: { readonly queue: Pick<DeliveryQueue, 'schedule'>; readonly clock: Clock },
  firstMilliseconds?: number,
): Promise<void> {
  const postponed = (message.postponed ?? 0) + 1;
  const pause = backoff(postponed, MAX_MILLISECONDS, firstMilliseconds);
  await queue.schedule({ ...message, postponed }, clock.now() + pause);
}
