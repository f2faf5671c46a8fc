/**
 * Notifications on the bus: every change is published on a Service Bus topic, where whoever wants to hear makes a subscription of
 * their own (docs/bus.md). `notification-topic.ts` publishes what the fan-out of webhooks reads of the log, and `replies.ts` sends what is
 * about an operation to whom its command names.
 */
export { Callbacks, type CallbacksOptions } from './callbacks.ts';
export { NotificationDeliveries } from './notification-deliveries.ts';
export { NotificationTopic, type NotificationTopicOptions } from './notification-topic.ts';
export { Replies, type RepliesOptions } from './replies.ts';
export { checkReplyTarget } from './reply-target.ts';
