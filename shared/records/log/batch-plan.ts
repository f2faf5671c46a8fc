import { toTimestamp } from '../../platform/clock.ts';
import { tooLarge, unprocessable } from '../../platform/errors.ts';
import { attributesOf, type Change, recordAfter, type StoredRecord } from '../change.ts';
import { isUnder } from '../key.ts';
import type { Commit, CommitSet, Decision, Decisions, KeyRange, WriteSet } from '../write.ts';

/** Two operations each, and Cosmos takes 100 in a batch. */
export const MAX_CHANGES_IN_BATCH = 49;
const MAX_BATCH_BYTES = 1_500_000;
/** What a change and its record take beside their values: keys, ids, times, actor. */
const CHANGE_OVERHEAD_BYTES = 2_000;

/** Bytes of a whole value: the caller's and what its domain keeps beside it. Three of them share one 2 MB batch. */
const MAX_RECORD_BYTES = 384 * 1024;

const EXPIRY_ACTOR = 'system:expiry';

/** Writes that wait for their batch, under the id that stands in their changes. */
export interface QueuedWrites<Value> {
  readonly writes: WriteSet<Value>;
  readonly writeId: string;
}

/** What is known of a scope when a batch is planned. */
export interface KnownState<Value> {
  /** The revision at which the records were so. */
  readonly base: number;
  /** The records behind the keys of the batch, lapsed ones among them. */
  readonly records: ReadonlyMap<string, StoredRecord<Value> | undefined>;
  /** The keys in the range of each transaction that has one. */
  readonly ranges: ReadonlyMap<KeyRange, readonly string[]>;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  /** Whether a record has lapsed. */
  isGone(record: StoredRecord<Value>): boolean;
  /** A new id for a change that nobody asked for. */
  newId(): string;
}

/** An answer that writes nothing, and so may be given only once the state behind it is proven current. */
export interface Verdict<Value, Queued> {
  readonly queued: Queued;
  readonly answer: CommitSet<Value> | { readonly refusal: unknown };
}

/** How queued writes end if the batch is committed. */
export interface Prospect<Value, Queued> {
  readonly queued: Queued;
  /** Of the batch. */
  readonly base: number;
  readonly last: Change<Value>;
  readonly outcome: CommitSet<Value>;
}

export interface BatchPlan<Value, Queued> {
  readonly base: number;
  readonly changes: readonly Change<Value>[];
  readonly verdicts: readonly Verdict<Value, Queued>[];
  readonly prospects: readonly Prospect<Value, Queued>[];
}

/**
 * Lets queued writes decide one after another, each on what those before it leave behind, until the batch is full: the changes
 * of one transaction stand in one batch. What has lapsed is put down before it is written over, in a change of its own.
 */
export function planBatch<Value, Queued extends QueuedWrites<Value>>(
  waiting: readonly Queued[],
  state: KnownState<Value>,
): BatchPlan<Value, Queued> {
  const { base } = state;
  const records = new Map(state.records);
  const changes: Change<Value>[] = [];
  const verdicts: Verdict<Value, Queued>[] = [];
  const prospects: Prospect<Value, Queued>[] = [];
  let bytes = 0;
  const append = (change: Change<Value>) => {
    changes.push(change);
    bytes += batchBytes(change);
    records.set(change.key, recordAfter(change));
  };
  for (const queued of waiting) {
    if (hasLostItsPlace(queued.writes.range, records, state)) {
      break;
    }
    const revision = base + changes.length;
    let proposal: Proposal<Value>;
    try {
      proposal = propose(queued, records, revision, state);
    } catch (refusal) {
      verdicts.push({ queued, answer: { refusal } });
      continue;
    }
    const { expiries, own, outcome } = proposal;
    const last = own.at(-1);
    if (last === undefined) {
      verdicts.push({ queued, answer: outcome });
    } else if (fits(changes.length + expiries.length + own.length, bytes + proposal.bytes)) {
      [...expiries, ...own].forEach(append);
      prospects.push({ queued, base, last, outcome });
    } else {
      if (changes.length === 0) {
        expiriesThatFit(expiries).forEach(append);
      }
      break;
    }
  }
  return { base, changes, verdicts, prospects };
}

/** What queued writes would add to a batch. */
interface Proposal<Value> {
  readonly expiries: readonly Change<Value>[];
  readonly own: readonly Change<Value>[];
  /** Of both, in the batch. */
  readonly bytes: number;
  readonly outcome: CommitSet<Value>;
}

/** @throws SkerryError what the decision throws; `unprocessable` or `too-large` for what no batch can hold. */
function propose<Value>(
  { writes, writeId }: QueuedWrites<Value>,
  records: ReadonlyMap<string, StoredRecord<Value> | undefined>,
  base: number,
  state: KnownState<Value>,
): Proposal<Value> {
  const keys = [...writes.keys, ...keysInRange(writes.range, records, state)];
  const current = liveRecords(keys, records, state);
  const decided = writes.decide(current);
  checkKeys(keys, decided);
  const changing = decided.writes.flatMap(({ key, decision }) => {
    const stored = records.get(key);
    const removesLapsed = removesWhatLapsed(decision);
    if (decision.type === 'keep' || (removesLapsed && stored === undefined)) {
      return [];
    }
    const previous = removesLapsed ? stored : current.get(key);
    return [{ key, decision, previous, lapsed: previous === undefined ? stored : undefined }];
  });
  const at = toTimestamp(state.now);
  const expiries = changing
    .flatMap(({ lapsed }) => lapsed ?? [])
    .map((previous, index): Change<Value> => {
      const written = { revision: base + index + 1, at, actor: EXPIRY_ACTOR, writeId: state.newId() };
      return { key: previous.key, type: 'expire', previous, ...written };
    });
  const first = base + expiries.length + 1;
  const last = first + changing.length - 1;
  const own = changing.map(
    ({ key, decision, previous }, index): Change<Value> => ({
      revision: first + index,
      key,
      type: decision.type,
      ...contentOf(decision),
      ...(previous !== undefined && { previous }),
      actor: writes.actor,
      at,
      ...(writes.traceparent !== undefined && { traceparent: writes.traceparent }),
      writeId,
      ...(last > first && { transaction: { first, last } }),
    }),
  );
  const ownBytes = checkSize(own);
  return {
    expiries,
    own,
    bytes: ownBytes + bytesOf(expiries),
    outcome: outcomeOf(decided, keys, current, own, base),
  };
}

/**
 * Whether a range was read no further than to its limit, and some of what was found is gone by now: only reading it again tells what has
 * moved up.
 */
function hasLostItsPlace<Value>(
  range: KeyRange | undefined,
  records: ReadonlyMap<string, StoredRecord<Value> | undefined>,
  state: KnownState<Value>,
): boolean {
  const found = (range && state.ranges.get(range)) ?? [];
  return found.length === range?.limit && liveRecords(found, records, state).size < found.length;
}

/** What was read of a range, and what has been written into it in this batch. */
function keysInRange<Value>(
  range: KeyRange | undefined,
  records: ReadonlyMap<string, StoredRecord<Value> | undefined>,
  state: KnownState<Value>,
): readonly string[] {
  if (range === undefined) {
    return [];
  }
  const { prefix, after = '' } = range;
  const found = state.ranges.get(range) ?? [];
  const known = new Set(found);
  const added = [...records.keys()].filter((key) => key > after && isUnder(prefix, key) && !known.has(key));
  return added.length === 0 ? found : [...found, ...added].sort();
}

function removesWhatLapsed(decision: Decision<unknown>): boolean {
  return decision.type === 'expire'
    ? decision.value === undefined
    : decision.type === 'delete' && decision.alsoLapsed === true;
}

function liveRecords<Value>(
  keys: readonly string[],
  records: ReadonlyMap<string, StoredRecord<Value> | undefined>,
  state: KnownState<Value>,
): ReadonlyMap<string, StoredRecord<Value>> {
  const live = new Map<string, StoredRecord<Value>>();
  for (const key of keys) {
    const record = records.get(key);
    if (record !== undefined && !state.isGone(record)) {
      live.set(key, record);
    }
  }
  return live;
}

function checkKeys(keys: readonly string[], { writes }: Decisions<unknown>): void {
  const written = new Set(writes.map(({ key }) => key));
  if (written.size !== writes.length || ![...written].every((key) => keys.includes(key))) {
    throw new Error('A transaction writes each key once, and only keys that it named.');
  }
}

/** @throws SkerryError `too-large`. */
function contentOf<Value>(decision: Exclude<Decision<Value>, { type: 'keep' }>) {
  const value = decision.type === 'delete' ? undefined : decision.value;
  if (value !== undefined && jsonBytes(value) > MAX_RECORD_BYTES) {
    throw tooLarge(`The value and what belongs to it are larger than ${MAX_RECORD_BYTES / 1024} KiB.`, {
      fix: 'Keep large content in a bundle, and its name here.',
    });
  }
  return { ...(value !== undefined && { value }), ...(decision.type === 'put' && attributesOf(decision)) };
}

function outcomeOf<Value>(
  decided: Decisions<Value>,
  keys: readonly string[],
  current: ReadonlyMap<string, StoredRecord<Value>>,
  changes: readonly Change<Value>[],
  base: number,
): CommitSet<Value> {
  const commits = new Map<string, Commit<Value>>();
  for (const key of keys) {
    const record = current.get(key);
    commits.set(key, { changed: false, revision: record?.revision ?? 0, record, previous: record });
  }
  for (const change of changes) {
    const { key, revision, previous } = change;
    commits.set(key, { changed: true, revision, record: recordAfter(change), previous });
  }
  return { decided, commits, revision: changes.at(-1)?.revision ?? base };
}

/**
 * @returns the bytes that the changes take in a batch.
 * @throws SkerryError where they do not fit an empty one.
 */
function checkSize(changes: readonly Change<unknown>[]): number {
  if (changes.length > MAX_CHANGES_IN_BATCH) {
    throw unprocessable(
      `The transaction makes ${changes.length} changes; ${MAX_CHANGES_IN_BATCH} are the most.`,
      { fix: 'Split it into several.' },
    );
  }
  const bytes = bytesOf(changes);
  if (!fits(changes.length, bytes)) {
    throw tooLarge('The values of the transaction, and those that it replaces, are too large together.', {
      fix: 'Split it into several, or keep large content in a bundle, and its name here.',
    });
  }
  return bytes;
}

function fits(count: number, bytes: number): boolean {
  return count <= MAX_CHANGES_IN_BATCH && bytes <= MAX_BATCH_BYTES;
}

/** As many expiries, from the first on, as one batch holds: a transaction that has no room beside them waits for the next. */
function expiriesThatFit<Value>(expiries: readonly Change<Value>[]): readonly Change<Value>[] {
  let bytes = 0;
  const end = expiries.findIndex((change, index) => {
    bytes += batchBytes(change);
    return !fits(index + 1, bytes);
  });
  return end === -1 ? expiries : expiries.slice(0, end);
}

function bytesOf(changes: readonly Change<unknown>[]): number {
  return changes.reduce((bytes, change) => bytes + batchBytes(change), 0);
}

/** What a change adds to a batch: its value twice (change and record) and the previous value once. */
function batchBytes(change: Change<unknown>): number {
  return CHANGE_OVERHEAD_BYTES + 2 * jsonBytes(change.value) + jsonBytes(change.previous?.value);
}

function jsonBytes(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}
