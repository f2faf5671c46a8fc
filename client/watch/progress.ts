import type { WatchedChange, WatchedItem } from './watch-answer.ts';

const NAMED_KINDS = new Set(['srv', 'kv', 'election']);

/** What a watch has delivered, so that it delivers nothing twice: a wide watch repeats what a resync may have seen. */
export class Progress {
  /** The newest revision delivered of each log. */
  readonly #logs = new Map<string, number>();
  /** The revision of each item of a resync whose log may still be repeated. */
  readonly #items = new Map<string, number>();

  /** Begins again with what a resync holds. */
  reset(items: readonly WatchedItem[]): void {
    this.#logs.clear();
    this.#items.clear();
    for (const { key, revision } of items) this.#items.set(key, revision);
  }

  /** Whether a change is news, which it is once. */
  admit({ key, revision, scope = logOf(key) }: WatchedChange): boolean {
    if (revision <= (this.#logs.get(scope) ?? 0)) return false;
    this.#logs.set(scope, revision);
    return revision > (this.#items.get(key) ?? 0);
  }

  /** Everything up to now was delivered: nothing of the resync can be repeated. */
  catchUp(): void {
    this.#items.clear();
  }
}

/** What stands for the log that holds a key. */
function logOf(key: string): string {
  const [, kind = '', name = ''] = key.split('/');
  return NAMED_KINDS.has(kind) ? `${kind}/${name}` : kind;
}
