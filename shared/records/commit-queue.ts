import { type Clock, toTimestamp } from '../platform/clock.ts';
import { tooLarge, unavailable } from '../platform/errors.ts';
import type { Random } from '../platform/random.ts';
import { type Change, lifeOf, recordAfter, type StoredRecord } from './change.ts';
import type { AppendOutcome, LogStorage } from './log-storage.ts';
import type { ScopeState } from './scope-state.ts';
import type { Commit, Decision, Write } from './write.ts';

/** Bytes of JSON that a caller may store under one key; domains check it. */
export const MAX_VALUE_BYTES = 256 * 1024;

/** Bytes of a whole value: the caller's and what its domain keeps beside it. Three of them share one 2 MB batch. */
const MAX_RECORD_BYTES = 384 * 1024;

/** Two operations each, and Cosmos takes 100 in a batch. */
const MAX_WRITES_IN_BATCH = 49;
const MAX_BATCH_BYTES = 1_500_000;
/** What a change and its record take beside their values: keys, ids, times, actor. */
const CHANGE_OVERHEAD_BYTES = 2_000;

/** How long a write may lose races, in milliseconds. */
const PATIENCE_MILLISECONDS = 10_000;
/** How often in a row the outcome of an append may be unknown before its writers are told so. */
const MAX_UNCERTAIN_OUTCOMES = 4;
const FIRST_BACKOFF_MILLISECONDS = 5;
const MAX_BACKOFF_MILLISECONDS = 250;

interface PendingWrite<Value> {
  readonly write: Write<Value>;
  readonly writeId: string;
  readonly deadline: number;
  readonly resolve: (commit: Commit<Value>) => void;
  readonly reject: (error: unknown) => void;
}

/** An answer that writes nothing, and so may be given only once the state behind it is proven current. */
interface Verdict<Value> {
  readonly pending: PendingWrite<Value>;
  readonly answer: Commit<Value> | { readonly refusal: unknown };
}

interface Plan<Value> {
  readonly base: number;
  readonly changes: readonly Change<Value>[];
  readonly verdicts: readonly Verdict<Value>[];
}

/**
 * Group commit: the writes that arrive while a batch is under way go into the next one. Because the SDK never retries
 * writes, and an answer may be lost after the commit, every write carries an id that stands in its change; `ScopeState`
 * shows this queue each change of the log exactly once, and a write found there is answered, never repeated.
 */
export class CommitQueue<Value> {
  readonly #storage: LogStorage;
  readonly #state: ScopeState<Value>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #unsettled = new Map<string, PendingWrite<Value>>();
  #waiting: PendingWrite<Value>[] = [];
  #running = false;

  constructor(storage: LogStorage, state: ScopeState<Value>, clock: Clock, random: Random) {
    this.#storage = storage;
    this.#state = state;
    this.#clock = clock;
    this.#random = random;
    state.onChange((change) => this.#settleCommitted(change));
  }

  /** Whether writes are waiting or under way; the scope's state must not be forgotten meanwhile. */
  get busy(): boolean {
    return this.#running;
  }

  /**
   * @throws SkerryError whatever the decision threw; `too-large` for a value over 384 KiB; `unavailable` when the
   *   database failed, in which case the write may or may not stand.
   */
  submit(write: Write<Value>): Promise<Commit<Value>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        write,
        writeId: this.#random.id(),
        deadline: this.#clock.now() + PATIENCE_MILLISECONDS,
        resolve,
        reject,
      });
      if (!this.#running) {
        this.#running = true;
        void this.#run();
      }
    });
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, MAX_WRITES_IN_BATCH);
      this.#waiting = this.#waiting.slice(MAX_WRITES_IN_BATCH);
      for (const pending of batch) {
        this.#unsettled.set(pending.writeId, pending);
      }
      try {
        await this.#commit(batch);
      } catch (error) {
        for (const pending of batch) {
          this.#refuse(pending, error);
        }
      }
    }
    this.#running = false;
  }

  /** Tries until every write of the batch has its answer. */
  async #commit(batch: readonly PendingWrite<Value>[]): Promise<void> {
    let uncertainOutcomes = 0;
    for (let attempt = 1; ; attempt += 1) {
      const open = batch.filter((pending) => this.#unsettled.has(pending.writeId));
      if (open.length === 0) {
        return;
      }
      const outcome = await this.#attempt(open);
      uncertainOutcomes = outcome === 'uncertain' ? uncertainOutcomes + 1 : 0;
      if (outcome === 'conflict' || outcome === 'uncertain') {
        await this.#backOff(attempt);
        await this.#state.catchUp();
      }
      if (outcome === 'throttled') {
        throw unavailable('The database is over its request limit at the moment; nothing was written.');
      }
      if (uncertainOutcomes === MAX_UNCERTAIN_OUTCOMES) {
        throw unavailable('The database does not answer, and it is not known whether the write stands.', {
          fix: 'Read the current state before you repeat the write.',
        });
      }
      this.#refuseOverdue(open);
    }
  }

  async #attempt(open: readonly PendingWrite<Value>[]): Promise<AppendOutcome | 'moved'> {
    const plan = await this.#plan(open);
    if (plan.changes.length === 0) {
      await this.#state.prove();
      if (this.#state.position !== plan.base) {
        return 'moved';
      }
    } else {
      const startedAt = this.#clock.now();
      const outcome = await this.#storage.append(plan.changes);
      if (outcome !== 'committed') {
        return outcome;
      }
      this.#state.advance(plan.changes, startedAt);
    }
    for (const { pending, answer } of plan.verdicts) {
      if ('refusal' in answer) {
        this.#refuse(pending, answer.refusal);
      } else if (this.#unsettled.delete(pending.writeId)) {
        pending.resolve(answer);
      }
    }
    return 'committed';
  }

  /** Lets the writes decide one after another, each on what those before it leave behind. */
  async #plan(open: readonly PendingWrite<Value>[]): Promise<Plan<Value>> {
    const { base, records } = await this.#currentRecords(open.map((pending) => pending.write.key));
    const at = toTimestamp(this.#clock.now());
    const changes: Change<Value>[] = [];
    const verdicts: Verdict<Value>[] = [];
    let bytes = 0;
    for (const pending of open) {
      const { key } = pending.write;
      const current = records.get(key);
      try {
        const decision = pending.write.decide(current);
        if (decision.type === 'keep') {
          verdicts.push({ pending, answer: keptAnswer(current) });
          continue;
        }
        const change = toChange(pending, decision, current, base + changes.length + 1, at);
        bytes += batchBytes(change);
        if (bytes > MAX_BATCH_BYTES && changes.length > 0) {
          break;
        }
        changes.push(change);
        records.set(key, recordAfter(change));
      } catch (refusal) {
        verdicts.push({ pending, answer: { refusal } });
      }
    }
    return { base, changes, verdicts };
  }

  /**
   * The records behind some keys and a revision at which they were so: from the snapshot, or by point reads. Whether
   * that revision is still the newest is proven by the batch that follows, or by a proof where nothing is written.
   */
  async #currentRecords(
    keys: readonly string[],
  ): Promise<{ base: number; records: Map<string, StoredRecord<Value> | undefined> }> {
    const base = await this.#state.knownPosition();
    const { snapshot } = this.#state;
    if (snapshot !== undefined) {
      return { base: snapshot.revision, records: new Map(keys.map((key) => [key, snapshot.get(key)])) };
    }
    const distinct = [...new Set(keys)];
    const records = await Promise.all(distinct.map((key) => this.#storage.readRecord<Value>(key)));
    return { base, records: new Map(distinct.map((key, index) => [key, records[index]])) };
  }

  #settleCommitted(change: Change<Value>): void {
    const pending = this.#unsettled.get(change.writeId);
    if (pending !== undefined) {
      this.#unsettled.delete(change.writeId);
      pending.resolve({
        changed: true,
        revision: change.revision,
        record: recordAfter(change),
        previous: change.previous,
      });
    }
  }

  #refuse(pending: PendingWrite<Value>, error: unknown): void {
    if (this.#unsettled.delete(pending.writeId)) {
      pending.reject(error);
    }
  }

  #refuseOverdue(open: readonly PendingWrite<Value>[]): void {
    const now = this.#clock.now();
    for (const pending of open.filter(({ deadline }) => deadline <= now)) {
      this.#refuse(
        pending,
        unavailable('Too many writers compete for this scope; it is not known whether the write stands.', {
          fix: 'Read the current state before you repeat the write.',
        }),
      );
    }
  }

  async #backOff(attempt: number): Promise<void> {
    const ceiling = Math.min(FIRST_BACKOFF_MILLISECONDS * 2 ** attempt, MAX_BACKOFF_MILLISECONDS);
    await this.#clock.sleep(this.#random.fraction() * ceiling);
  }
}

function keptAnswer<Value>(current: StoredRecord<Value> | undefined): Commit<Value> {
  return { changed: false, revision: current?.revision ?? 0, record: current, previous: current };
}

function toChange<Value>(
  pending: PendingWrite<Value>,
  decision: Exclude<Decision<Value>, { type: 'keep' }>,
  previous: StoredRecord<Value> | undefined,
  revision: number,
  at: string,
): Change<Value> {
  const { key, actor, traceparent } = pending.write;
  const value = decision.type === 'delete' ? undefined : decision.value;
  if (value !== undefined && jsonBytes(value) > MAX_RECORD_BYTES) {
    throw tooLarge(`The value and what belongs to it are larger than ${MAX_RECORD_BYTES / 1024} KiB.`, {
      fix: 'Keep large content in a bundle, and its name here.',
    });
  }
  return {
    revision,
    key,
    type: decision.type,
    ...(value !== undefined && { value }),
    ...(decision.type === 'put' && lifeOf(decision)),
    ...(previous !== undefined && { previous }),
    actor,
    at,
    ...(traceparent !== undefined && { traceparent }),
    writeId: pending.writeId,
  };
}

/** What a change adds to a batch: its value twice (change and record) and the previous value once. */
function batchBytes(change: Change<unknown>): number {
  return CHANGE_OVERHEAD_BYTES + 2 * jsonBytes(change.value) + jsonBytes(change.previous?.value);
}

function jsonBytes(value: unknown): number {
  return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
}
