import type { EventContext } from 'rhea';
import type { MessageQueue } from '../broker/message-queue.ts';
import { messageTooLarge } from '../service-bus-error.ts';
import type { FaultInjection } from './fault-injection.ts';
import { parseBatch, parseMessage } from './message-codec.ts';
import { acceptedState, type RheaReceiver } from './rhea-internals.ts';
import { refusal, type SessionTransfers } from './session-transfers.ts';

/** Bytes; the limit of the service's Standard tier, for a message and for a batch. */
export const MAX_MESSAGE_SIZE = 256 * 1024;

const BATCH_FORMAT = 0x80013700;

/** Takes what a client sends on `link` into the queue, and answers each transfer when it is stored. */
export function openProducerLink(
  link: RheaReceiver,
  queue: MessageQueue,
  transfers: SessionTransfers,
  faults: FaultInjection | undefined,
): void {
  link.on('message', ({ delivery, message }: EventContext) => {
    if (delivery === undefined || !Buffer.isBuffer(message)) return;
    const store = () => enqueue(queue, message, delivery.format === BATCH_FORMAT);
    const stored = faults?.run({ operation: 'send' }, store) ?? store();
    transfers.answer(stored.then(acceptedState, refusal).then((answer) => delivery.update(true, answer)));
  });
}

async function enqueue(queue: MessageQueue, encoded: Buffer, isBatch: boolean): Promise<void> {
  if (encoded.length > MAX_MESSAGE_SIZE) throw messageTooLarge(encoded.length, MAX_MESSAGE_SIZE);
  await queue.send(isBatch ? parseBatch(encoded) : [parseMessage(encoded)]);
}
