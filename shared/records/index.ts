/**
 * The log: scopes, records, changes and what is built on them for all domains alike. Knows nothing of any domain.
 * Start reading at `records.ts`; `commit-queue.ts` holds how a write becomes durable, `scope-state.ts` how a process
 * follows a log, and `leases.ts` the protocol of leases.
 */

export { AttachedRecords } from './attached-records.ts';
export type { Change, ChangeType, Json, Life, StoredRecord, Transaction } from './change.ts';
export { recordAfter } from './change.ts';
export { MAX_VALUE_BYTES } from './commit-queue.ts';
export { Compaction, type RetentionPolicy } from './compaction.ts';
export { isLapsed } from './expiry.ts';
export type { ExpirySummary } from './expiry-sweep.ts';
export { type Head, historyCompacted } from './head.ts';
export type { HistoryPage, HistoryRequest } from './history.ts';
export { isUnder } from './key.ts';
export { countsFor, grantLease, hasWholeTtlLeft, isAlive, type Lease } from './lease.ts';
export type { StoredLease } from './lease-storage.ts';
export { type Holder, type LeaseQuestion, Leases } from './leases.ts';
export type { Listing, PageRequest } from './listing.ts';
export { type ListOptions, Records, type RecordsOptions } from './records.ts';
export { parseScopeId, type Scope, scopeId } from './scope.ts';
export { leaseIsOver, type SessionLease, SessionLeases } from './session-leases.ts';
export { Sweep, type Sweeper, type SweepSummary } from './sweep.ts';
export * from './watch/index.ts';
export type { Commit, CommitSet, Decision, Decisions, Write, WriteSet } from './write.ts';
