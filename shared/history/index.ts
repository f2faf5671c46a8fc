/** What looks into the past of any kind of records, or cuts it: restoring, retention and the compaction that follows from it. */
export { Compactor, type CompactorSummary } from './compactor.ts';
export { type Restoration, type RestoreRequest, restore } from './restore.ts';
export { noRetention, Retention, type RetentionEntry } from './retention.ts';
