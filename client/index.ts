export type { AccessRule, Caller, Verb } from './access/access.ts';
export type { AccessRuleInput, Role, RoleInput, Roles } from './access/roles.ts';
export type { AccessToken, NewAccessToken, TokenInput, Tokens } from './access/tokens.ts';
export type {
  Audit,
  AuditEntry,
  AuditedAccess,
  AuditedChange,
  AuditOptions,
  AuditPage,
} from './audit.ts';
export type { Bundle, BundleSettings, RetentionRule, VersionReference } from './bundles/bundle.ts';
export type {
  ActivationOptions,
  BundleChannel,
  BundleChannels,
  ChannelGates,
  Rollout,
  RolloutState,
  RolloutStep,
} from './bundles/bundle-channels.ts';
export type { Acknowledgement, BundleConsumer, BundleConsumers } from './bundles/bundle-consumers.ts';
export type { BundleContent } from './bundles/bundle-content.ts';
export type { BundleDraft, CommitOptions, UploadPlace } from './bundles/bundle-draft.ts';
export type { BundleDrafts, DraftState, StartOptions } from './bundles/bundle-drafts.ts';
export type { BundleReader } from './bundles/bundle-reader.ts';
export type {
  BundleDifference,
  BundleFile,
  BundleVersion,
  BundleVersionWithFiles,
  ChangedFile,
  PublishedVersion,
} from './bundles/bundle-version.ts';
export type {
  BundleVersions,
  PublishOptions,
  ReadVersionOptions,
  VersionFacts,
} from './bundles/bundle-versions.ts';
export type { BundleWriter } from './bundles/bundle-writer.ts';
export type { Bundles } from './bundles/bundles.ts';
export type { UploadOptions } from './bundles/upload-archive.ts';
export type { Application, ApplicationInput, Apps, PageOptions } from './config/apps.ts';
export {
  type ConfigSchema,
  InvalidConfig,
  type ParsingSchema,
  type StandardSchema,
} from './config/config-schema.ts';
export type { ConfigOptions, LastGoodStore, LiveConfig } from './config/live-config.ts';
export type { CampaignOptions, Election, Leadership } from './election/election.ts';
export type { CampaignRequest, Elections, Grant } from './election/elections.ts';
export type {
  Dependency,
  Drift,
  Environment,
  EnvironmentChanges,
  EnvironmentInput,
  EnvironmentState,
  PolledHealth,
  Tag,
  TemplateChoice,
  TemplateUse,
} from './environments/environment.ts';
export type { EnvironmentParts, PartFilter, ResourceFilter } from './environments/environment-parts.ts';
export type {
  EnvironmentFilter,
  Environments,
  EnvironmentWaitOptions,
  RunOptions,
} from './environments/environments.ts';
export type { Plan, PlannedStep } from './environments/plan.ts';
export type {
  Resource,
  ResourceGroup,
  ResourceGroupInput,
  ResourceInput,
  ResourceStatus,
} from './environments/resource.ts';
export type {
  Template,
  TemplateAction,
  TemplateInput,
  TemplateParameter,
  TemplateResource,
  TemplateResourceGroup,
  TemplateSummary,
  TemplateVersion,
} from './environments/template.ts';
export type { Templates } from './environments/templates.ts';
export type {
  Change,
  ChangeType,
  History,
  HistoryOptions,
  HistoryPage,
  PastChange,
  Restoration,
} from './history.ts';
export type { CommandInput, Commands, SentCommand } from './operations/commands.ts';
export type { CommandOptions } from './operations/idempotent.ts';
export type {
  LongRunningOperation,
  OperationState,
  OperationStep,
  OperationWithSteps,
  StepState,
  StepVerb,
} from './operations/operation.ts';
export type { OperationUpdate } from './operations/operation-mirror.ts';
export type { FollowOptions, OperationFilter, Operations } from './operations/operations.ts';
export type { AnnouncedInstance, Announcement, AnnounceOptions } from './registry/announcement.ts';
export type { Registration, ResyncContents, WatchHandlers } from './registry/registration.ts';
export type { Registry } from './registry/registry.ts';
export type { DiscoverOptions, ServiceView } from './registry/service-view.ts';
export type {
  Health,
  Instance,
  InstanceInput,
  Service,
  ServiceFilter,
  Services,
} from './registry/services.ts';
export type {
  DependencyGraph,
  Graph,
  GraphEdge,
  GraphKind,
  GraphNode,
  GraphOptions,
} from './search/graph.ts';
export type { Finding, FindingsPage, Search, SearchKind, SearchOptions } from './search/search.ts';
export { SkerryClient, type SkerryOptions } from './skerry-client.ts';
export type { Broker, BrokerPutOptions, KeyValue } from './store/broker.ts';
export type { BrokerTransaction } from './store/broker-transaction.ts';
export { type Content, type Json, RawContent } from './store/content.ts';
export type { KeyLease, KeyLeases } from './store/key-leases.ts';
export type { KeySession } from './store/key-session.ts';
export type {
  Entry,
  GetOptions,
  KeyFacts,
  ListedEntry,
  Listing,
  ListOptions,
  PrefixDeletion,
  PutOptions,
  Store,
} from './store/store.ts';
export type {
  Comparison,
  Operation,
  OperationResult,
  Transaction,
  TransactionResult,
} from './store/transaction.ts';
export type { WriteOptions } from './transport/guard.ts';
export type { Page } from './transport/paged.ts';
export {
  isNotFound,
  isPassing,
  type ProblemBody,
  SkerryProblem,
  SkerryUncertain,
  SkerryUnreachable,
} from './transport/problem.ts';
export type { Timing } from './transport/timing.ts';
export type { CallOptions, TokenSource } from './transport/transport.ts';
export type { ChangeEvent } from './watch/mirror.ts';
export type { Changes, Resync, WatchEvent, WatchOptions } from './watch/watch.ts';
export type { WatchedChange, WatchedItem } from './watch/watch-answer.ts';
export type { Watcher, WatcherOptions } from './watch/watcher.ts';
export type {
  DeadLetterChoice,
  DeadLetterFilter,
  DeadLetters,
  DeadMessage,
  Replay,
} from './webhooks/dead-letters.ts';
export type { Delivery, DeliveryAttempt, DeliveryState, TestResult } from './webhooks/delivery.ts';
export type { EndpointStatistics, Percentiles } from './webhooks/statistics.ts';
export type {
  Subscription,
  SubscriptionInput,
  SubscriptionState,
  SubscriptionWithSecret,
} from './webhooks/subscription.ts';
export { type VerificationFailure, WebhookVerificationError } from './webhooks/verification-error.ts';
export type { SignatureVersion } from './webhooks/verification-key.ts';
export { verifyWebhook, type WebhookHeaders, type WebhookVerification } from './webhooks/verify-webhook.ts';
export type {
  CloudEvent,
  WebhookChange,
  WebhookEvent,
  WebhookKind,
  WebhookTest,
} from './webhooks/webhook-event.ts';
export type { DeliveryFilter, RotationOptions, Webhooks } from './webhooks/webhooks.ts';
