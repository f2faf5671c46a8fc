/**
 * The log: scopes, records, changes and what is built on them for all domains alike. Knows nothing of any domain.
 * Start reading at `records.ts`. `log/` is how a write becomes durable (`commit-queue.ts`) and how a process follows a log
 * (`scope-state.ts`), `leases/` what ends by itself, `history/` how the past is read and cut off, `watch/` how it is followed.
 */
export type { Attributes, Change, ChangeType, Json, Life, StoredRecord, Transaction } from './change.ts';
export { attributesOf, recordAfter } from './change.ts';
export {
  type ChangePlace,
  type ChangesByTimeRequest,
  comparePlaces,
  placeOfChange,
  readChangesByTime,
  type StoredChange,
} from './history/changes-by-time.ts';
export { Compaction, type RetentionPolicy } from './history/compaction.ts';
export { type Head, historyCompacted } from './history/head.ts';
export type { HistoryPage, HistoryRequest } from './history/history.ts';
export { isUnder } from './key.ts';
export { Alarms, type RaisedAlarm } from './leases/alarms.ts';
export { AttachedRecords } from './leases/attached-records.ts';
export { isLapsed } from './leases/expiry.ts';
export type { ExpirySummary } from './leases/expiry-sweep.ts';
export { countsFor, grantLease, hasWholeTtlLeft, isAlive, type Lease } from './leases/lease.ts';
export type { StoredLease } from './leases/lease-storage.ts';
export { type Holder, type LeaseQuestion, Leases } from './leases/leases.ts';
export { leaseIsOver, type SessionLease, SessionLeases } from './leases/session-leases.ts';
export { Sweep, type Sweeper, type SweepSummary } from './leases/sweep.ts';
export { MAX_VALUE_BYTES } from './log/commit-queue.ts';
export type { ListedPage, ListedRequest } from './log/listed.ts';
export type { Listing, PageRequest, WholeListing } from './log/listing.ts';
export { type ListOptions, Records, type RecordsOptions } from './records.ts';
export { parseScopeId, type Scope, scopeId } from './scope.ts';
export * from './watch/index.ts';
export type { Commit, CommitSet, Decision, Decisions, Write, WriteSet } from './write.ts';
