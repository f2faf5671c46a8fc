import type { Clock } from '../../platform/clock.ts';
import { unavailable } from '../../platform/errors.ts';
import type { Random } from '../../platform/random.ts';
import { inSpan, metrics } from '../../platform/telemetry/index.ts';
import { COSMOS_CONTAINERS } from '../../platform/topology.ts';
import type { Change } from '../change.ts';
import type { Lifetimes } from '../leases/lifetimes.ts';
import type { CommitSet, WriteSet } from '../write.ts';
import {
  type BatchPlan,
  MAX_CHANGES_IN_BATCH,
  type Prospect,
  planBatch,
  type QueuedWrites,
} from './batch-plan.ts';
import { rangeText, readKnownRecords } from './known-records.ts';
import type { AppendOutcome, LogStorage } from './log-storage.ts';
import type { ScopeState } from './scope-state.ts';

/** Bytes of JSON that a caller may store under one key; domains check it. */
export const MAX_VALUE_BYTES = 256 * 1024;

/**
 * Keys whose records are read for one batch, unless a single transaction has more. Most keys are written, and what was read for
 * a transaction that found no room in the batch is read again for the next.
 */
const MAX_KEYS_AT_ONCE = MAX_CHANGES_IN_BATCH;

/** How long a write may wait for its turn and lose races, in milliseconds: it is not tried again after that. */
const PATIENCE_MILLISECONDS = 10_000;
/** How often in a row the outcome of an append may be unknown before its writers are told so. */
const MAX_UNCERTAIN_OUTCOMES = 4;
const FIRST_BACKOFF_MILLISECONDS = 5;
const MAX_BACKOFF_MILLISECONDS = 250;

/** By OpenTelemetry's conventions for calls of databases. */
const SPAN_ATTRIBUTES = {
  'db.system.name': 'azure.cosmosdb',
  'db.operation.name': 'batch',
  'db.collection.name': COSMOS_CONTAINERS.records.id,
};

interface Pending<Value> extends QueuedWrites<Value> {
  readonly deadline: number;
  /** How each attempt ends that may still turn out to stand. */
  prospects: readonly Prospect<Value, Pending<Value>>[];
  readonly resolve: (outcome: CommitSet<Value>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Group commit: the writes that arrive while a batch is under way go into the next one. Because the SDK never retries
 * writes, and an answer may be lost after the commit, every write carries an id that stands in its changes; `ScopeState`
 * shows this queue each change of the log exactly once, and a write found there is answered, never repeated.
 */
export class CommitQueue<Value> {
  readonly #storage: LogStorage;
  readonly #state: ScopeState<Value>;
  readonly #lifetimes: Lifetimes;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #unsettled = new Map<string, Pending<Value>>();
  #waiting: Pending<Value>[] = [];
  #running = false;

  constructor(
    storage: LogStorage,
    state: ScopeState<Value>,
    lifetimes: Lifetimes,
    { clock, random }: { readonly clock: Clock; readonly random: Random },
  ) {
    this.#storage = storage;
    this.#state = state;
    this.#lifetimes = lifetimes;
    this.#clock = clock;
    this.#random = random;
    state.onChange((change) => this.#settleCommitted(change));
  }

  /** Whether writes are waiting or under way; the scope's state must not be forgotten meanwhile. */
  get busy(): boolean {
    return this.#running;
  }

  /**
   * @throws SkerryError whatever the decision threw; `too-large` for a value over 384 KiB and values that no batch can hold;
   *   `unprocessable` for more changes than a batch can hold; `unavailable` when the database failed, in which case the
   *   writes may or may not stand, all of them or none.
   */
  async submit(writes: WriteSet<Value>): Promise<CommitSet<Value>> {
    const startedAt = performance.now();
    const attributes = { ...SPAN_ATTRIBUTES, 'skerry.scope.kind': this.#storage.scope.kind };
    const options = { kind: 'client', parent: writes.traceparent, attributes } as const;
    return await inSpan('commit', options, async ({ traceparent }) => {
      const outcome = await this.#enqueue({ ...writes, traceparent });
      metrics.commitDuration.record({}, (performance.now() - startedAt) / 1000);
      return outcome;
    });
  }

  #enqueue(writes: WriteSet<Value>): Promise<CommitSet<Value>> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        writes,
        writeId: this.#random.id(),
        deadline: this.#clock.now() + PATIENCE_MILLISECONDS,
        prospects: [],
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
      const batch = this.#takeFromWaiting();
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

  /** The next writes in order, as many as may share a batch and whose keys are not too many to be read at once. */
  #takeFromWaiting(): readonly Pending<Value>[] {
    let keys = 0;
    const ranges = new Set<string>();
    const end = this.#waiting.findIndex(({ writes }, index) => {
      const range = writes.range && rangeText(writes.range);
      keys += writes.keys.length;
      if (range !== undefined && !ranges.has(range)) {
        ranges.add(range);
        keys += writes.range?.limit ?? 0;
      }
      return index === MAX_CHANGES_IN_BATCH || (index > 0 && keys > MAX_KEYS_AT_ONCE);
    });
    const batch = this.#waiting.slice(0, end === -1 ? undefined : end);
    this.#waiting = this.#waiting.slice(batch.length);
    return batch;
  }

  /** Tries until every write of the batch has its answer. */
  async #commit(batch: readonly Pending<Value>[]): Promise<void> {
    let uncertainOutcomes = 0;
    for (let attempt = 1; ; attempt += 1) {
      this.#refuseOverdue(batch);
      const open = batch.filter((pending) => this.#unsettled.has(pending.writeId));
      if (open.length === 0) {
        return;
      }
      const outcome = await this.#attempt(open);
      if (outcome !== 'committed') {
        metrics.commitRetries.add({ reason: outcome });
      }
      uncertainOutcomes = outcome === 'uncertain' ? uncertainOutcomes + 1 : 0;
      if (outcome === 'conflict' || outcome === 'uncertain') {
        await this.#backOff(attempt);
        await this.#state.catchUp();
      }
      if (outcome === 'throttled') {
        const isInDoubt = open.some(({ prospects }) => prospects.length > 1);
        throw unavailable(
          `The database is over its request limit at the moment; ${isInDoubt ? 'it is not known whether the write stands' : 'nothing was written'}.`,
        );
      }
      if (uncertainOutcomes === MAX_UNCERTAIN_OUTCOMES) {
        throw unavailable('The database does not answer, and it is not known whether the write stands.', {
          fix: 'Read the current state before you repeat the write.',
        });
      }
    }
  }

  async #attempt(open: readonly Pending<Value>[]): Promise<AppendOutcome | 'moved'> {
    const plan = await this.#plan(open);
    if (plan.changes.length === 0) {
      await this.#state.prove();
      if (this.#state.position !== plan.base) {
        return 'moved';
      }
      if (open.some(({ prospects }) => prospects.some(({ base }) => base === plan.base))) {
        // Time alone has changed what is decided, and the attempt before may still come to stand.
        return 'uncertain';
      }
    } else if (!this.#state.isProofValid) {
      // The change after the base may have been written and, since, removed by compaction; creating it would lock nothing.
      await this.#state.prove();
      return 'moved';
    } else {
      const startedAt = this.#clock.now();
      const outcome = await this.#storage.append(plan.changes);
      if (outcome !== 'committed') {
        return outcome;
      }
      metrics.commitChanges.record({}, plan.changes.length);
      this.#state.advance(plan.changes, startedAt);
    }
    for (const { queued, answer } of plan.verdicts) {
      if ('refusal' in answer) {
        this.#refuse(queued, answer.refusal);
      } else if (this.#unsettled.delete(queued.writeId)) {
        queued.resolve(answer);
      }
    }
    return 'committed';
  }

  async #plan(open: readonly Pending<Value>[]): Promise<BatchPlan<Value, Pending<Value>>> {
    const sets = open.map(({ writes }) => writes);
    const known = await this.#lifetimes.hideGone(false, (isGone) =>
      readKnownRecords(this.#storage, this.#state, sets, isGone),
    );
    const isGone = await this.#lifetimes.settle(known.records.values());
    const now = this.#clock.now();
    const plan = planBatch<Value, Pending<Value>>(open, {
      ...known,
      now,
      isGone,
      newId: () => this.#random.id(),
    });
    for (const prospect of plan.prospects) {
      const { queued } = prospect;
      queued.prospects = [...queued.prospects.filter(({ base }) => base === plan.base), prospect];
    }
    return plan;
  }

  /** A transaction is settled by the last of its changes, with what was decided in the attempt that stands. */
  #settleCommitted(change: Change<Value>): void {
    const pending = this.#unsettled.get(change.writeId);
    if (pending === undefined || change.revision < (change.transaction?.last ?? 0)) {
      return;
    }
    const standing = pending.prospects.find(
      ({ last }) => last.revision === change.revision && last.at === change.at,
    );
    if (standing === undefined) {
      throw new Error(`Nobody tried to write change ${change.revision}, which stands.`);
    }
    this.#unsettled.delete(change.writeId);
    pending.resolve(standing.outcome);
  }

  #refuse(pending: Pending<Value>, error: unknown): void {
    if (this.#unsettled.delete(pending.writeId)) {
      pending.reject(error);
    }
  }

  #refuseOverdue(batch: readonly Pending<Value>[]): void {
    const now = this.#clock.now();
    for (const pending of batch.filter(({ deadline }) => deadline <= now)) {
      const refusal =
        pending.prospects.length === 0
          ? unavailable('Too many writes wait in this scope; nothing was written.')
          : unavailable(
              'Too many writers compete for this scope; it is not known whether the write stands.',
              {
                fix: 'Read the current state before you repeat the write.',
              },
            );
      this.#refuse(pending, refusal);
    }
  }

  async #backOff(attempt: number): Promise<void> {
    const ceiling = Math.min(FIRST_BACKOFF_MILLISECONDS * 2 ** attempt, MAX_BACKOFF_MILLISECONDS);
    await this.#clock.sleep(this.#random.fraction() * ceiling);
  }
}
