/**
 * Notifications on the bus: every change is published on a Service Bus topic, where whoever wants to hear makes a subscription of
 * their own (docs/bus.md). `notification-topic.ts` publishes what the fan-out of webhooks reads of the log.
 */
export { NotificationDeliveries } from './notification-deliveries.ts';
export { NotificationTopic, type NotificationTopicOptions } from './notification-topic.ts';
