import { scopeId } from '../scope.ts';
import { changeBytes } from './change-bytes.ts';
import type { FoundChange } from './change-feed.ts';

/** Bytes of changes in one answer, after which it ends with the transaction that it is in. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** The changes of one answer: as many as asked for and memory allows, and no transaction in parts. */
export class AnswerChanges {
  readonly #all: FoundChange[] = [];
  readonly #limit: number;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get all(): readonly FoundChange[] {
    return this.#all;
  }

  /** Whether it may have more than it has. */
  get hasRoom(): boolean {
    return this.#all.length < this.#limit && this.#bytes < MAX_ANSWER_BYTES;
  }

  /** Takes a change in, unless the answer is full; then it is to end before that change. */
  take(found: FoundChange): boolean {
    if (!this.hasRoom && !this.#endsIn(found)) {
      return false;
    }
    this.add(found);
    return true;
  }

  /** Takes a change in that the answer cannot end before. */
  add(found: FoundChange): void {
    this.#all.push(found);
    this.#bytes += changeBytes(found.change);
  }

  /** Whether the answer ends in the transaction of a change. */
  #endsIn({ scope, change: { transaction } }: FoundChange): boolean {
    const last = this.#all.at(-1);
    return (
      transaction !== undefined &&
      last?.change.transaction?.last === transaction.last &&
      scopeId(last.scope) === scopeId(scope)
    );
  }
}
