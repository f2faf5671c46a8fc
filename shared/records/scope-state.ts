import type { Clock } from '../platform/clock.ts';
import { Coalesced } from '../platform/coalesced.ts';
import type { Change } from './change.ts';
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

  /** Reads all changes behind the position, which proves it too. */
  async catchUp(): Promise<void> {
    for (let reads = 0; reads < POINT_READS; reads += 1) {
      const position = await this.knownPosition();
      const startedAt = this.#clock.now();
      const next = await this.#storage.readChange<Value>(position + 1);
      if (next === undefined) {
        this.#noteProof(startedAt);
        return;
      }
      this.advance([next]);
    }
    const position = await this.knownPosition();
    const startedAt = this.#clock.now();
    this.advance(await this.#storage.readChangesAfter<Value>(position), startedAt);
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
