import type { Change } from '../change.ts';
import { historyCompacted } from '../history/head.ts';
import type { Scope } from '../scope.ts';
import { AnswerChanges } from './answer-changes.ts';
import type { FoundChange } from './change-feed.ts';
import { type ChangeFilter, matches } from './change-filter.ts';
import type { WatchedScope } from './watched-scopes.ts';

export interface ScopeAnswer {
  readonly changes: readonly FoundChange[];
  /** All that is wanted up to here is in this answer or in one before. */
  readonly revision: number;
}

export interface WantedChanges extends ChangeFilter {
  /** Changes of an answer; it may have some more, so as not to split a transaction. */
  readonly limit: number;
}

/**
 * The wanted changes of a scope behind a revision, up to the newest that this process knows of: from memory, or else from
 * storage.
 *
 * @throws SkerryError `compacted` when some of them are gone.
 */
export async function readScopeChanges(
  scope: Scope,
  watched: WatchedScope,
  since: number,
  wanted: WantedChanges,
): Promise<ScopeAnswer> {
  const position = watched.state.position ?? 0;
  const gathering = new Gathering(scope, position, wanted);
  const atHand = watched.window.between(since, position);
  if (atHand !== undefined) {
    gathering.add(atHand);
    return gathering.answer;
  }
  const range = { prefix: wanted.prefix, above: since, upTo: position };
  for await (const page of watched.storage.readChangePages<unknown>(range)) {
    if (!gathering.add(page)) {
      break;
    }
  }
  // Only after the reading does the head tell whether anything was missing from it, whatever the prefix left out.
  const head = await watched.storage.readHead();
  if (head.compactedTo > since) {
    throw historyCompacted(head, position);
  }
  return gathering.answer;
}

class Gathering {
  readonly #scope: Scope;
  readonly #wanted: WantedChanges;
  readonly #changes: AnswerChanges;
  #revision: number;

  constructor(scope: Scope, position: number, wanted: WantedChanges) {
    this.#scope = scope;
    this.#wanted = wanted;
    this.#changes = new AnswerChanges(wanted.limit);
    this.#revision = position;
  }

  get answer(): ScopeAnswer {
    return { changes: this.#changes.all, revision: this.#revision };
  }

  /** False once the answer has all that it may have. */
  add(page: readonly Change<unknown>[]): boolean {
    for (const change of page) {
      if (matches(this.#wanted, change) && !this.#changes.take({ scope: this.#scope, change })) {
        this.#revision = this.#changes.all.at(-1)?.change.revision ?? this.#revision;
        return false;
      }
    }
    return true;
  }
}
