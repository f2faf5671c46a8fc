/**
 * Webhooks: who is told of what, and the way there. `subscription/` keeps who subscribed to what, and `consent/` asks endpoints
 * whether they may be called; `fan-out/` turns the changes of the feed into messages; `delivery/` turns messages into calls, and
 * `ordered/` does so in the order of each scope; `endpoint/` is the one way to endpoints, and `notification/` what they are sent;
 * `repair/` shows what went wrong and does it again. Start reading at `delivery/deliveries.ts`, which says why nothing is lost.
 */

export { CONSENT_RETRY_SECONDS, Consents } from './consent/consents.ts';
export { attemptsMade } from './delivery/after-call.ts';
export { Deliveries, type DeliveriesOptions } from './delivery/deliveries.ts';
export {
  BUS_SUBSCRIPTION,
  type Delivery,
  type DeliveryAttempt,
  type DeliveryMessage,
  type DeliveryState,
  dead,
  deliveryId,
  isOnBus,
  REPLY_SUBSCRIPTION,
} from './delivery/delivery.ts';
export { type DeliveryQueue, ServiceBusDeliveryQueue } from './delivery/delivery-queue.ts';
export {
  type DeliveryListing,
  type DeliveryPageRequest,
  DeliveryStorage,
} from './delivery/delivery-storage.ts';
export { postpone } from './delivery/postpone.ts';
export {
  type ConsentMessage,
  parseQueueMessage,
  type QueueMessage,
  type RecoveryMessage,
  type ReplayMessage,
} from './delivery/queue-message.ts';
export { pauseAfter } from './delivery/retry-ladder.ts';
export {
  type CalledEndpoint,
  type EndpointCall,
  EndpointGate,
  type GateAnswer,
  type WaitForEndpoint,
} from './endpoint/endpoint-gate.ts';
export type { EndpointPatience } from './endpoint/endpoint-health.ts';
export { checkEndpoint, type EndpointPolicy } from './endpoint/endpoint-policy.ts';
export { EndpointStorage } from './endpoint/endpoint-storage.ts';
export { EndpointTest } from './endpoint/endpoint-test.ts';
export {
  createExchange,
  describeFault,
  type Exchange,
  type ExchangeAnswer,
  isPlain,
  oneLine,
  oneValue,
} from './endpoint/exchange.ts';
export {
  type FailingEndpoint,
  FailingEndpoints,
  removeFailingEndpoint,
} from './endpoint/failing-endpoints.ts';
export { hideSecrets } from './endpoint/hide-secrets.ts';
export { retryAfterMilliseconds } from './endpoint/retry-after.ts';
export {
  type AskForConsent,
  type ConsentAnswer,
  createWebhookClient,
  type PostWebhook,
  type WebhookClient,
  type WebhookResult,
} from './endpoint/webhook-client.ts';
export { FanOut, type Publication, type UnpublishedChange } from './fan-out/fan-out.ts';
export type { ToldChange } from './notification/change-data.ts';
export {
  type CloudEvent,
  cloudEvent,
  eventSource,
} from './notification/cloud-event.ts';
export { RequestWriter } from './notification/request-writer.ts';
export { sign } from './notification/signature.ts';
export type { WebhookRequest } from './notification/webhook-request.ts';
export { CursorStorage } from './ordered/cursor-storage.ts';
export { type HeardChanges, OrderedDeliveries } from './ordered/ordered-deliveries.ts';
export type { WakeMessage } from './ordered/wake-message.ts';
export { type BrokerDeadLetter, BrokerDeadLetters } from './repair/broker-dead-letters.ts';
export { DeadLetterStorage } from './repair/dead-letter-storage.ts';
export { type DeadLetterChoice, DeadLetters } from './repair/dead-letters.ts';
export { NextAttempts } from './repair/next-attempts.ts';
export { Recovery } from './repair/recovery.ts';
export { Repair, unknownDelivery } from './repair/repair.ts';
export { Replays } from './repair/replays.ts';
export { Statistics } from './repair/statistics.ts';
export { Activation } from './subscription/activation.ts';
export { checkedKeys, KnownMakers } from './subscription/makers.ts';
export { type HookInput, NesoiHooks, unknownHook } from './subscription/nesoi-hooks.ts';
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
export { hashId, unknownSubscription } from './subscription/subscription.ts';
export type { SubscriptionInput } from './subscription/subscription-input.ts';
export { SubscriptionLimit } from './subscription/subscription-limit.ts';
export {
  type IssuedSubscription,
  type SecretRotation,
  type SubscriptionListing,
  Subscriptions,
} from './subscription/subscriptions.ts';
export { withState } from './subscription/with-state.ts';
