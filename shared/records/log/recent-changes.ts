import { countLookup } from '../../platform/telemetry/index.ts';
import type { Change } from '../change.ts';
import { changeBytes } from '../watch/change-bytes.ts';

interface Entry {
  readonly change: Change<unknown>;
  readonly bytes: number;
}

/**
 * The changes that were read most recently, whoever read them: they never change, and whoever tells many of one reads it many times.
 * Those who ask for one at the same time share a read.
 */
export class RecentChanges {
  readonly #maxBytes: number;
  /** In order of use, the most recent last. */
  readonly #entries = new Map<string, Entry>();
  readonly #reads = new Map<string, Promise<Change<unknown> | undefined>>();
  #bytes = 0;

  /** @param maxBytes what it keeps at the most, approximately. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @param read reads the change where it is not at hand; undefined where there is none, which is not kept. */
  async get(
    scope: string,
    revision: number,
    read: () => Promise<Change<unknown> | undefined>,
  ): Promise<Change<unknown> | undefined> {
    const place = placeOf(scope, revision);
    const entry = this.#entries.get(place);
    countLookup('change', entry !== undefined);
    if (entry !== undefined) {
      this.#entries.delete(place);
      this.#entries.set(place, entry);
      return entry.change;
    }
    const reading = this.#reads.get(place) ?? this.#read(scope, place, read);
    this.#reads.set(place, reading);
    return await reading;
  }

  put(scope: string, change: Change<unknown>): void {
    const place = placeOf(scope, change.revision);
    if (this.#entries.has(place)) {
      return;
    }
    const bytes = changeBytes(change);
    this.#entries.set(place, { change, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) {
        return;
      }
      this.#entries.delete(oldest);
      this.#bytes -= entry.bytes;
    }
  }

  async #read(
    scope: string,
    place: string,
    read: () => Promise<Change<unknown> | undefined>,
  ): Promise<Change<unknown> | undefined> {
    try {
      const change = await read();
      if (change !== undefined) this.put(scope, change);
      return change;
    } finally {
      this.#reads.delete(place);
    }
  }
}

function placeOf(scope: string, revision: number): string {
  return `${scope}@${revision}`;
}
