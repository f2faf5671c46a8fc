/**
 * Webhooks: who is told of what, and the way there. `subscriptions.ts` keeps who subscribed, `fan-out.ts` turns the
 * changes of the feed into messages, `deliveries.ts` turns messages into calls of endpoints and says why none is lost.
 */

export { type BrokerDeadLetter, BrokerDeadLetters } from './delivery/broker-dead-letters.ts';
export { CursorStorage } from './delivery/cursor-storage.ts';
export { DeadLetterStorage } from './delivery/dead-letter-storage.ts';
export { type DeadLetterChoice, DeadLetters } from './delivery/dead-letters.ts';
export { Deliveries, type DeliveriesOptions } from './delivery/deliveries.ts';
export {
  BUS_SUBSCRIPTION,
  type Delivery,
  type DeliveryAttempt,
  type DeliveryMessage,
  type DeliveryState,
  deliveryId,
} from './delivery/delivery.ts';
export { type DeliveryQueue, ServiceBusDeliveryQueue } from './delivery/delivery-queue.ts';
export {
  type DeliveryListing,
  type DeliveryPageRequest,
  DeliveryStorage,
} from './delivery/delivery-storage.ts';
export { type Alerts, FanOut, type Publication } from './delivery/fan-out.ts';
export { NextAttempts } from './delivery/next-attempts.ts';
export { type HeardChanges, OrderedDeliveries } from './delivery/ordered-deliveries.ts';
export {
  type ConsentMessage,
  parseQueueMessage,
  type QueueMessage,
  type RecoveryMessage,
  type ReplayMessage,
} from './delivery/queue-message.ts';
export { Recovery } from './delivery/recovery.ts';
export { Repair } from './delivery/repair.ts';
export { Replays } from './delivery/replays.ts';
export { pauseAfter } from './delivery/retry-ladder.ts';
export { Statistics } from './delivery/statistics.ts';
export type { WakeMessage } from './delivery/wake-message.ts';
export {
  type CalledEndpoint,
  type EndpointCall,
  EndpointGate,
  type GateAnswer,
  type WaitForEndpoint,
} from './endpoint/endpoint-gate.ts';
export type { EndpointPatience } from './endpoint/endpoint-health.ts';
export type { EndpointPolicy } from './endpoint/endpoint-policy.ts';
export { EndpointStorage } from './endpoint/endpoint-storage.ts';
export { EndpointTest } from './endpoint/endpoint-test.ts';
export {
  type FailingEndpoint,
  FailingEndpoints,
  removeFailingEndpoint,
} from './endpoint/failing-endpoints.ts';
export {
  type AskForConsent,
  type ConsentAnswer,
  createWebhookClient,
  type PostWebhook,
  type WebhookClient,
  type WebhookResult,
} from './endpoint/webhook-client.ts';
export type { ToldChange } from './notification/change-data.ts';
export {
  type CloudEvent,
  cloudEvent,
} from './notification/cloud-event.ts';
export { RequestWriter } from './notification/request-writer.ts';
export type { WebhookRequest } from './notification/webhook-request.ts';
export { Activation } from './subscription/activation.ts';
export { CONSENT_RETRY_SECONDS, Consents } from './subscription/consents.ts';
export { type HookInput, NesoiHooks } from './subscription/nesoi-hooks.ts';
export type {
  CloudEventsMode,
  Consent,
  SealedHeaders,
  SignatureVersion,
  SigningKey,
  Subscription,
  SubscriptionState,
  SubscriptionValue,
  WebhookFormat,
} from './subscription/subscription.ts';
export { hashId } from './subscription/subscription.ts';
export type { SubscriptionInput } from './subscription/subscription-input.ts';
export {
  type IssuedSubscription,
  type SecretRotation,
  type SubscriptionListing,
  Subscriptions,
} from './subscription/subscriptions.ts';
export { withState } from './subscription/with-state.ts';
