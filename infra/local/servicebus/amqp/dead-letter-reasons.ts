import type { PropertyChanges } from '../broker/message.ts';
import type { DeadLetterReasons } from '../broker/message-queue.ts';
import { encodeString } from './encoding.ts';

export function deadLetterProperties(reason: string, description: string): PropertyChanges {
  return { DeadLetterReason: encodeString(reason), DeadLetterErrorDescription: encodeString(description) };
}

/** The reasons for which the broker itself dead-letters, in the service's words. */
export const deadLetterReasons: DeadLetterReasons = {
  maxDeliveryCountExceeded: (maxDeliveryCount) =>
    deadLetterProperties(
      'MaxDeliveryCountExceeded',
      `Message could not be consumed after ${maxDeliveryCount} delivery attempts.`,
    ),
  expired: deadLetterProperties('TTLExpiredException', 'The message expired and was dead lettered.'),
  sessionIdIsNull: deadLetterProperties(
    'Session ID is null.',
    "Session enabled entity doesn't allow a message whose session identifier is null.",
  ),
};
