import type { MessageContent } from './message.ts';

/** How a queue behaves; times in milliseconds. */
export interface QueueSettings {
  readonly name: string;
  readonly lockDuration: number;
  readonly maxDeliveryCount: number;
  /** Absent when messages live forever unless their sender says otherwise. */
  readonly defaultTimeToLive?: number;
  readonly deadLetterOnExpiration: boolean;
  /** Whether every message belongs to a session, and only the holder of a session's lock receives its messages. */
  readonly requiresSession: boolean;
  /** Absent when the queue accepts a message id more than once. */
  readonly duplicateDetectionWindow?: number;
}

/** How a topic behaves, and who gets copies of what is sent to it; times in milliseconds. */
export interface TopicSettings
  extends Pick<QueueSettings, 'name' | 'defaultTimeToLive' | 'duplicateDetectionWindow'> {
  readonly subscriptions: readonly SubscriptionSettings[];
}

export interface SubscriptionSettings extends QueueSettings {
  /** Whether the subscription gets a copy of the message. */
  matches(content: MessageContent): boolean;
}

export interface Entities {
  readonly queues: readonly QueueSettings[];
  readonly topics: readonly TopicSettings[];
}
