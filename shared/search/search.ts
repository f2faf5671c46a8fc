import type { Container } from '@azure/cosmos';
import type { Clock } from '../platform/clock.ts';
import { readCursor, writeCursor } from '../platform/cursor.ts';
import { LiveViews, type Records, scopeId } from '../records/index.ts';
import { excerptOf } from './excerpt.ts';
import {
  type Match,
  type MatchedField,
  matchedText,
  type Place,
  type Question,
  SearchIndex,
} from './search-index.ts';
import { SEARCHED_SCOPES, type SearchableKind } from './searchable.ts';

/** Bytes of the index of one namespace, and of all that a process keeps. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;
const MAX_BYTES = 128 * 1024 * 1024;

export interface SearchOptions {
  readonly records: Records;
  /** The Cosmos container `records`. */
  readonly container: Container;
  readonly clock: Clock;
  /** 64 MiB unless said otherwise. */
  readonly maxIndexBytes?: number;
}

export interface SearchRequest extends Question {
  readonly limit: number;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
}

/** Something that was found. */
export interface Finding {
  readonly kind: SearchableKind;
  /** As the paths of its API have it. */
  readonly id: string;
  readonly key: string;
  readonly name?: string;
  /** Where the text was found. */
  readonly field: MatchedField;
  /** What stands there. */
  readonly excerpt: string;
  /** 6 for a whole name, 5 for the beginning of one, 4 for a part of it, 3 for tags, 2 for descriptions, 1 for other texts. */
  readonly score: number;
}

export interface FindingsPage {
  /** The best first, equals by key. */
  readonly items: readonly Finding[];
  /** There, and true, where the namespace has more than memory may hold, so that something may be missing. */
  readonly incomplete?: true;
  readonly next?: string;
}

/** Finds what is public in a namespace by its texts, as it stands when somebody asks. */
export class Search {
  readonly #records: Records;
  readonly #clock: Clock;
  readonly #indexes: LiveViews<SearchIndex>;

  constructor({ records, container, clock, maxIndexBytes = MAX_INDEX_BYTES }: SearchOptions) {
    this.#records = records;
    this.#clock = clock;
    this.#indexes = new LiveViews({
      container,
      clock,
      kinds: SEARCHED_SCOPES,
      create: () => new SearchIndex(maxIndexBytes),
      maxBytes: MAX_BYTES,
    });
  }

  /** @throws SkerryError `invalid` for a malformed cursor; `unavailable`. */
  async find(ns: string, { limit, after, ...question }: SearchRequest): Promise<FindingsPage> {
    const place = after === undefined ? undefined : readCursor(after, takePlace);
    const index = await this.#indexes.current(ns);
    const { isFull } = index;
    const found = await this.#findLiving(index, question, limit + 1, place);
    const page = found.slice(0, limit);
    const last = found.length > limit ? page.at(-1) : undefined;
    return {
      items: page.map((match) => toFinding(match, question.text ?? '')),
      ...(isFull && { incomplete: true }),
      ...(last !== undefined && { next: writeCursor([last.score, last.entry.key]) }),
    };
  }

  /** The best matches, without those whose session lease is over. */
  async #findLiving(
    index: SearchIndex,
    question: Question,
    count: number,
    start: Place | undefined,
  ): Promise<Match[]> {
    const living: Match[] = [];
    let after = start;
    let isLast = false;
    while (living.length < count && !isLast) {
      const some = index.find(question, { now: this.#clock.now(), count, after });
      const over = await this.#ended(some);
      living.push(...some.filter(({ entry }) => !over.has(entry.key)));
      after = some.at(-1);
      isLast = some.length < count;
    }
    return living.slice(0, count);
  }

  /** Keys of those that a lease has ended. */
  async #ended(matches: readonly Match[]): Promise<Set<string>> {
    const attached = matches.flatMap(({ entry }) =>
      entry.mortal?.record.lease === undefined ? [] : [entry.mortal],
    );
    const ended = new Set(attached.map(({ record }) => record.key));
    for (const [first, ...others] of Map.groupBy(attached, ({ scope }) => scopeId(scope)).values()) {
      if (first === undefined) continue;
      const records = [first, ...others].map(({ record }) => record);
      for (const { key } of await this.#records.alive(first.scope, records)) ended.delete(key);
    }
    return ended;
  }
}

function toFinding(match: Match, wanted: string): Finding {
  const { kind, id, key, name } = match.entry;
  const { field, text } = matchedText(match, wanted);
  return {
    kind,
    id,
    key,
    ...(name !== undefined && { name }),
    field,
    excerpt: excerptOf(text, wanted),
    score: match.score,
  };
}

function takePlace([score, key]: readonly unknown[]): Place | undefined {
  return typeof score === 'number' && typeof key === 'string' ? { score, entry: { key } } : undefined;
}
