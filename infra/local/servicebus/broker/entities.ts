import type { MessageContent } from './message.ts';
import type { QueueSettings } from './queue-settings.ts';

/** How a topic behaves, and who gets copies of what is sent to it; times in milliseconds. */
export interface TopicSettings
  extends Pick<QueueSettings, 'name' | 'defaultTimeToLive' | 'duplicateDetectionWindow'> {
  readonly subscriptions: readonly SubscriptionSettings[];
}

export interface SubscriptionSettings extends QueueSettings {
  /** Whether the subscription gets a copy of the message. */
  matches(content: MessageContent): boolean;
}

/** What a namespace declares. */
export interface Entities {
  readonly queues: readonly QueueSettings[];
  readonly topics: readonly TopicSettings[];
}
