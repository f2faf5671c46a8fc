import type { Change } from '../change.ts';
import { changeBytes } from './change-bytes.ts';

/** The newest changes of one scope without a gap, kept in memory so that many watches of it need no reading. */
export class ScopeWindow {
  #changes: Change<unknown>[] = [];
  #end = 0;
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  push(change: Change<unknown>): void {
    if (change.revision !== this.#end + 1) {
      this.clear();
    }
    this.#changes.push(change);
    this.#end = change.revision;
    this.#bytes += changeBytes(change);
  }

  /** Forgets the older half. */
  shrink(): void {
    this.#changes = this.#changes.slice(Math.ceil(this.#changes.length / 2));
    this.#bytes = this.#changes.reduce((sum, change) => sum + changeBytes(change), 0);
  }

  clear(): void {
    this.#changes = [];
    this.#bytes = 0;
  }

  /** All changes behind `since` up to `position`; undefined when some of them are not here. */
  between(since: number, position: number): readonly Change<unknown>[] | undefined {
    const first = this.#end - this.#changes.length;
    return since >= first && position === this.#end ? this.#changes.slice(since - first) : undefined;
  }
}
