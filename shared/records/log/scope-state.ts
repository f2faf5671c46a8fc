import type { Clock } from '../../platform/clock.ts';
import { Coalesced } from '../../platform/coalesced.ts';
import type { Change } from '../change.ts';
import { PROOF_LIFETIME_MILLISECONDS } from '../history/head.ts';
import type { LogStorage } from './log-storage.ts';
import { Snapshot } from './snapshot.ts';

/** Changes that are looked for one by one before the rest is asked for: most often there is one or none, and a query costs several reads. */
const POINT_READS = 2;

/** A scope with more records, or more bytes in them, is not held in memory. */
export interface SnapshotLimits {
  readonly records: number;
  readonly bytes: number;
}

/**
 * What this process knows of one scope: the revision it has followed the log to and, once somebody listed the scope,
 * the snapshot at that revision. Every change that moves the position passes through `advance`, whoever wrote it.
 */
export class ScopeState<Value> {
  readonly #storage: LogStorage;
  readonly #clock: Clock;
  readonly #limits: SnapshotLimits;
  readonly #listeners: ((change: Change<Value>) => void)[] = [];
  readonly #proof = new Coalesced(() => this.#prove());
  readonly #load = new Coalesced(() => this.#loadSnapshot());
  #position: number | undefined;
  #snapshot: Snapshot<Value> | undefined;
  #oversized = false;
  #provenAt = Number.NEGATIVE_INFINITY;

  constructor(storage: LogStorage, clock: Clock, limits: SnapshotLimits) {
    this.#storage = storage;
    this.#clock = clock;
    this.#limits = limits;
  }

  /** The newest revision that this process knows of; undefined before the first look at the scope. */
  get position(): number | undefined {
    return this.#position;
  }

  /** The records at `position`; undefined until loaded, and for ever where the scope is beyond the limits. */
  get snapshot(): Snapshot<Value> | undefined {
    return this.#snapshot;
  }

  /** When the position was last known to be the scope's newest, in milliseconds since the Unix epoch. */
  get provenAt(): number {
    return this.#provenAt;
  }

  onChange(listener: (change: Change<Value>) => void): void {
    this.#listeners.push(listener);
  }

  /** Makes sure that the position was the newest revision at some moment after this call began. */
  async prove(): Promise<void> {
    await this.#proof.ask();
  }

  /** The position, found by a query where this process has not looked at the scope yet. */
  async knownPosition(): Promise<number> {
    if (this.#position === undefined) {
      await this.prove();
    }
    return this.#position ?? 0;
  }

  /** The snapshot, loaded if need be; undefined where the scope is beyond the limits. */
  async loadedSnapshot(): Promise<Snapshot<Value> | undefined> {
    if (this.#snapshot === undefined && !this.#oversized) {
      await this.#load.ask();
    }
    return this.#snapshot;
  }

  /** Frees the snapshot's memory; the position stays. */
  dropSnapshot(): void {
    this.#snapshot = undefined;
  }

  /**
   * Whether the change after the position, if there is one, is surely still in storage: only then may a missing one be taken for
   * none, and its revision for the next one of a write.
   */
  get isProofValid(): boolean {
    return this.#clock.now() - this.#provenAt < PROOF_LIFETIME_MILLISECONDS;
  }

  /**
   * Reads all changes behind the position, which proves it too. Where compaction has removed some of them, the process goes on
   * without having seen them: it drops its snapshot, and no write can be in doubt because of them (`REMOVAL_DELAY_MILLISECONDS`
   * is long after the deadline of every write that was under way when they were written).
   */
  async catchUp(): Promise<void> {
    for (let reads = 0; reads < POINT_READS; reads += 1) {
      const position = await this.knownPosition();
      const startedAt = this.#clock.now();
      const wouldBeThere = this.isProofValid;
      const next = await this.#storage.readChange<Value>(position + 1);
      if (next === undefined) {
        if (!wouldBeThere && (await this.#hasMissedChanges())) {
          this.#leap(await this.#storage.readPosition());
        }
        this.#noteProof(startedAt);
        return;
      }
      if (next.transaction !== undefined && next.transaction.last > next.revision) {
        // It is known of as a whole or not at all.
        break;
      }
      this.advance([next]);
    }
    const position = await this.knownPosition();
    const startedAt = this.#clock.now();
    let begun: readonly Change<Value>[] = [];
    for await (const page of this.#storage.readChangePages<Value>({ above: position })) {
      const read = [...begun, ...page];
      const known = this.#position ?? 0;
      const isBehindGap = (change: Change<Value>, index: number) =>
        change.revision > (read[index - 1]?.revision ?? known) + 1;
      const start = Math.max(0, read.findLastIndex(isBehindGap));
      const first = read[start];
      if (first !== undefined && first.revision > known + 1 && (await this.#hasMissedChanges())) {
        this.#leap(first.revision - 1);
      }
      const end = endOfWhole(read);
      this.advance(read.slice(start, end));
      begun = read.slice(end);
    }
    this.advance(begun);
    this.#noteProof(startedAt);
  }

  /**
   * Follows the log: changes up to the position are known already, the others must follow it without a gap.
   *
   * @param provenAt when, in milliseconds since the Unix epoch, the last of the changes was the newest of the scope, if that is known.
   */
  advance(changes: readonly Change<Value>[], provenAt = Number.NEGATIVE_INFINITY): void {
    for (const change of changes) {
      const position = this.#position ?? 0;
      if (change.revision <= position) {
        continue;
      }
      if (change.revision !== position + 1) {
        throw new Error(`The log has a gap: change ${change.revision} follows revision ${position}.`);
      }
      this.#position = change.revision;
      this.#snapshot?.fold(change);
      for (const listener of this.#listeners) {
        listener(change);
      }
    }
    if (this.#snapshot !== undefined && this.#exceedsLimits(this.#snapshot)) {
      this.#oversized = true;
      this.#snapshot = undefined;
    }
    this.#noteProof(provenAt);
  }

  /** Whether compaction may have removed changes after the position. */
  async #hasMissedChanges(): Promise<boolean> {
    return (await this.#storage.readHead()).compactedTo > (this.#position ?? 0);
  }

  /** Goes on at a revision without the changes up to it. */
  #leap(revision: number): void {
    if (revision > (this.#position ?? 0)) {
      this.#position = revision;
      this.#snapshot = undefined;
    }
  }

  #noteProof(at: number): void {
    this.#provenAt = Math.max(this.#provenAt, at);
  }

  async #prove(): Promise<void> {
    if (this.#position !== undefined) {
      return await this.catchUp();
    }
    const startedAt = this.#clock.now();
    const position = await this.#storage.readPosition();
    this.#position ??= position;
    this.#noteProof(startedAt);
  }

  async #loadSnapshot(): Promise<void> {
    if (this.#snapshot !== undefined || this.#oversized) {
      return;
    }
    if (!this.isProofValid) {
      await this.prove();
    }
    const snapshot = new Snapshot<Value>(await this.knownPosition());
    for await (const page of this.#storage.readRecords<Value>()) {
      for (const record of page) {
        snapshot.add(record);
      }
      if (this.#exceedsLimits(snapshot)) {
        this.#oversized = true;
        return;
      }
    }
    do {
      // Most often nothing has changed meanwhile, which one point read tells; see catchUp.
      const wouldBeThere = snapshot.revision === this.#position && this.isProofValid;
      const startedAt = this.#clock.now();
      const isNewest =
        wouldBeThere && (await this.#storage.readChange<Value>(snapshot.revision + 1)) === undefined;
      if (isNewest) {
        this.#noteProof(startedAt);
        continue;
      }
      const changes = await this.#storage.readChangesAfter<Value>(snapshot.revision);
      for (const change of changes) {
        snapshot.fold(change);
      }
      this.advance(changes);
    } while (snapshot.revision !== this.#position);
    this.#snapshot = snapshot;
  }

  #exceedsLimits(snapshot: Snapshot<Value>): boolean {
    return snapshot.size > this.#limits.records || snapshot.bytes > this.#limits.bytes;
  }
}

/** How many of the changes do not belong to a transaction that goes on behind them. */
function endOfWhole(changes: readonly Change<unknown>[]): number {
  const last = changes.at(-1);
  const { transaction } = last ?? {};
  return transaction === undefined || transaction.last === last?.revision
    ? changes.length
    : changes.findIndex(({ revision }) => revision >= transaction.first);
}
