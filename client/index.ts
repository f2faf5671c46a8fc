export type { AnnouncedInstance, Announcement, AnnounceOptions } from './announcement.ts';
export type { Application, ApplicationInput, Apps, PageOptions } from './apps.ts';
export type { Broker, BrokerPutOptions, KeyValue } from './broker.ts';
export type { BrokerTransaction } from './broker-transaction.ts';
export {
  type ConfigSchema,
  InvalidConfig,
  type ParsingSchema,
  type StandardSchema,
} from './config-schema.ts';
export { type Content, type Json, RawContent } from './content.ts';
export type { CampaignOptions, Election, Leadership } from './election.ts';
export type { CampaignRequest, Elections, Grant } from './elections.ts';
export type { WriteOptions } from './guard.ts';
export type {
  Change,
  ChangeType,
  History,
  HistoryOptions,
  HistoryPage,
  PastChange,
  Restoration,
} from './history.ts';
export type { KeyLease, KeyLeases } from './key-leases.ts';
export type { KeySession } from './key-session.ts';
export type { ConfigOptions, LastGoodStore, LiveConfig } from './live-config.ts';
export type { ChangeEvent } from './mirror.ts';
export type { Page } from './paged.ts';
export {
  isNotFound,
  isPassing,
  type ProblemBody,
  SkerryProblem,
  SkerryUncertain,
  SkerryUnreachable,
} from './problem.ts';
export type { Registration, ResyncContents, WatchHandlers } from './registration.ts';
export type { Registry } from './registry.ts';
export type { DiscoverOptions, ServiceView } from './service-view.ts';
export type { Health, Instance, InstanceInput, Service, ServiceFilter, Services } from './services.ts';
export { SkerryClient, type SkerryOptions } from './skerry-client.ts';
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
} from './store.ts';
export type { Timing } from './timing.ts';
export type {
  Comparison,
  Operation,
  OperationResult,
  Transaction,
  TransactionResult,
} from './transaction.ts';
export type { CallOptions } from './transport.ts';
export type { Changes, Resync, WatchEvent, WatchOptions } from './watch.ts';
export type { WatchedChange, WatchedItem } from './watch-answer.ts';
export type { Watcher, WatcherOptions } from './watcher.ts';
