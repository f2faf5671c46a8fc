import type { ContainerEntry } from './catalog.ts';
import type { Item } from './item.ts';
import type { Executed, ItemBefore } from './item-operations.ts';

/** What a read may see: everything up to `lsn`, and for what was written after it the versions before. */
export interface ReadView {
  readonly lsn: number;
  /** By `overlayKey`; undefined = the item was not there. Absent when nothing has to be undone. */
  readonly overlay?: ReadonlyMap<string, OverlaidItem>;
}

export interface OverlaidItem {
  readonly partitionKey: string;
  readonly id: string;
  readonly item: Item | undefined;
}

interface Commit {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly lsn: number;
  readonly changed: readonly ItemBefore[];
}

export function overlayKey(partitionKey: string, id: string): string {
  return `${partitionKey}\u0000${id}`;
}

/** Remembers what the last writes overwrote, so that reads weaker than Strong can lag as a replica may. */
export class StaleHistory {
  readonly #staleMs: number;
  /** By container and physical partition, whose sequence numbers they carry. */
  readonly #commits = new Map<string, Commit[]>();

  constructor(staleMs: number) {
    this.#staleMs = staleMs;
  }

  record({ number }: ContainerEntry, { range, lsn, changed }: Executed): void {
    if (changed.length === 0) return;
    const now = Date.now();
    const horizon = now - this.#staleMs;
    const name = `${number}/${range.id}`;
    const kept = (this.#commits.get(name) ?? []).filter(({ at }) => at > horizon);
    kept.push({ at: now, lsn, changed });
    this.#commits.set(name, kept);
  }

  /**
   * A physical partition as it was `staleMs` ago.
   * @param sessionLsn what the session has seen already: its own writes are never hidden from it
   */
  viewOf(container: ContainerEntry, range: string, lsn: number, sessionLsn: number): ReadView {
    const horizon = Date.now() - this.#staleMs;
    const undone = (this.#commits.get(`${container.number}/${range}`) ?? []).filter(
      (commit) => commit.at > horizon && commit.lsn > sessionLsn && commit.lsn <= lsn,
    );
    const [first] = undone;
    if (first === undefined) return { lsn };
    const overlay = new Map<string, OverlaidItem>();
    for (const commit of undone.toReversed()) {
      for (const before of commit.changed) overlay.set(overlayKey(before.partitionKey, before.id), before);
    }
    return { lsn: first.lsn - 1, overlay };
  }
}
