import { isLapsed, type Scope, type StoredRecord, type View } from '../records/index.ts';
import { fold } from './fold.ts';
import { type Searchable, type SearchableKind, searchableOf } from './searchable.ts';

/** What is asked for; everything that it names has to hold. */
export interface Question {
  /** A part of a text, however it is written. */
  readonly text?: string | undefined;
  readonly kinds?: readonly SearchableKind[] | undefined;
  /** `name:value`, or the name of a tag whatever its value. */
  readonly tags?: readonly string[] | undefined;
}

export type MatchedField = 'id' | 'name' | 'tag' | 'description' | 'text';

/** The whole name, its beginning, a part of it, of a tag, of the description, of another text; 0 where no text was asked for. */
export const SCORES = { exact: 6, prefix: 5, part: 4, tag: 3, description: 2, text: 1, unasked: 0 } as const;

export interface Match {
  readonly entry: Entry;
  readonly score: number;
}

/** Where an answer stands: behind a match, which may be gone by now. */
export interface Place {
  readonly score: number;
  readonly entry: { readonly key: string };
}

/** A record that can be found. */
export interface Entry extends Searchable {
  readonly key: string;
  /** Of one that ends by itself: what tells whether it has. */
  readonly mortal?: { readonly scope: Scope; readonly record: StoredRecord<null> };
}

interface IndexedEntry extends Entry {
  /** Every text of the entry folded, a line for each, those that count most first. */
  readonly folded: string;
  /** Where in it the lines end that are of one kind. */
  readonly ends: { readonly names: number; readonly tags: number; readonly description: number };
  readonly bytes: number;
}

/** Bytes of an entry beside its characters, and of a character: it is kept as written, and folded. */
const ENTRY_BYTES = 500;
const CHARACTER_BYTES = 2;

const LINES_OF = {
  id: 'names',
  name: 'names',
  tag: 'tags',
  description: 'description',
  text: 'texts',
} as const satisfies Record<MatchedField, string>;

/** What can be found in a namespace. Beyond its limit it takes nothing more in, and says so. */
export class SearchIndex implements View {
  readonly #maxBytes: number;
  readonly #entries = new Map<string, IndexedEntry>();
  /** Instances of each service, by the key of the service. */
  readonly #instances = new Map<string, number>();
  #bytes = 0;
  #isFull = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether something was left out. */
  get isFull(): boolean {
    return this.#isFull;
  }

  put(scope: Scope, record: StoredRecord<unknown>): void {
    this.remove(scope, record.key);
    const searchable = searchableOf(scope, record.key, record.value);
    if (searchable === undefined || !this.#add(toEntry(searchable, scope, record))) {
      return;
    }
    if (searchable.kind === 'instance') {
      const key = serviceKey(scope);
      this.#instances.set(key, (this.#instances.get(key) ?? 0) + 1);
      if (!this.#entries.has(key)) {
        this.#add(index({ kind: 'service', id: scope.name, key, tags: [], texts: [] }));
      }
    }
  }

  remove(scope: Scope, key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      return;
    }
    this.#delete(entry);
    if (entry.kind === 'instance') {
      const service = this.#entries.get(serviceKey(scope));
      const left = (this.#instances.get(serviceKey(scope)) ?? 0) - 1;
      if (left > 0) {
        this.#instances.set(serviceKey(scope), left);
      } else {
        this.#instances.delete(serviceKey(scope));
        if (service !== undefined) this.#delete(service);
      }
    }
  }

  /** The best matches behind a place, in order; without what has lapsed by its own time at `now`. */
  find(
    { text = '', kinds, tags = [] }: Question,
    {
      now,
      count,
      after,
    }: { readonly now: number; readonly count: number; readonly after?: Place | undefined },
  ): Match[] {
    const wanted = fold(text).trim();
    const best: Match[] = [];
    for (const entry of this.#entries.values()) {
      const isWanted =
        (kinds === undefined || kinds.includes(entry.kind)) && tags.every((tag) => hasTag(entry, tag));
      const score = isWanted ? scoreOf(entry, wanted) : undefined;
      if (score === undefined || (entry.mortal !== undefined && isLapsed(entry.mortal.record, now))) continue;
      const match = { entry, score };
      if (after === undefined || compare(match, after) > 0) insert(best, match, count);
    }
    return best;
  }

  #add(entry: IndexedEntry): boolean {
    if (this.#bytes + entry.bytes > this.#maxBytes) {
      this.#isFull = true;
      return false;
    }
    this.#entries.set(entry.key, entry);
    this.#bytes += entry.bytes;
    return true;
  }

  #delete(entry: IndexedEntry): void {
    this.#entries.delete(entry.key);
    this.#bytes -= entry.bytes;
  }
}

/** The text that a match owes its score to, whole. */
export function matchedText({ entry, score }: Match, text: string): { field: MatchedField; text: string } {
  const wanted = fold(text).trim();
  const found = (wanted === '' ? [] : textsOf(entry)).find((one) => {
    const line = fold(one.text);
    return isName(one.field) ? scoreOfName(line, wanted) === score : line.includes(wanted);
  });
  return found ?? { field: 'id', text: entry.id };
}

/** Puts a match where it belongs among the best, of which there are at most `count`. */
function insert(best: Match[], match: Match, count: number): void {
  const worst = best.at(-1);
  if (best.length === count && worst !== undefined && compare(match, worst) > 0) return;
  let low = 0;
  let high = best.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = best[middle];
    if (other !== undefined && compare(match, other) > 0) low = middle + 1;
    else high = middle;
  }
  best.splice(low, 0, match);
  if (best.length > count) best.pop();
}

/** The order of an answer. */
function compare(one: Place, other: Place): number {
  return (
    other.score - one.score ||
    (one.entry.key < other.entry.key ? -1 : Number(one.entry.key > other.entry.key))
  );
}

function serviceKey({ name }: Scope): string {
  return `/srv/${name}`;
}

function toEntry(searchable: Searchable, scope: Scope, record: StoredRecord<unknown>): IndexedEntry {
  const isMortal = record.expiresAt !== undefined || record.lease !== undefined;
  return index({
    ...searchable,
    key: record.key,
    ...(isMortal && { mortal: { scope, record: { ...record, value: null } } }),
  });
}

function index(entry: Entry): IndexedEntry {
  const lines = { names: '', tags: '', description: '', texts: '' };
  for (const { field, text } of textsOf(entry)) {
    lines[LINES_OF[field]] += `${fold(text)}\n`;
  }
  const folded = lines.names + lines.tags + lines.description + lines.texts;
  const tags = lines.names.length + lines.tags.length;
  const ends = { names: lines.names.length, tags, description: tags + lines.description.length };
  return {
    ...entry,
    folded,
    ends,
    bytes: ENTRY_BYTES + CHARACTER_BYTES * (folded.length + entry.key.length),
  };
}

/** In the order of their worth. The last segment of an id is a name too. */
function textsOf({
  id,
  name,
  tags,
  description,
  texts,
}: Searchable): { field: MatchedField; text: string }[] {
  const last = id.slice(id.lastIndexOf('/') + 1);
  return [
    { field: 'id', text: id },
    ...(last === id ? [] : [{ field: 'id' as const, text: last }]),
    ...(name === undefined ? [] : [{ field: 'name' as const, text: name }]),
    ...tags.map((text) => ({ field: 'tag' as const, text })),
    ...(description === undefined ? [] : [{ field: 'description' as const, text: description }]),
    ...texts.map((text) => ({ field: 'text' as const, text })),
  ];
}

function isName(field: MatchedField): boolean {
  return LINES_OF[field] === 'names';
}

function hasTag({ tags }: Searchable, wanted: string): boolean {
  return tags.some((tag) => tag === wanted || tag.startsWith(`${wanted}:`));
}

function scoreOf({ folded, ends }: IndexedEntry, wanted: string): number | undefined {
  if (wanted === '') return SCORES.unasked;
  // What counts most comes first, and only among names a later one may match better.
  const at = folded.indexOf(wanted);
  if (at === -1) return undefined;
  if (at >= ends.description) return SCORES.text;
  if (at >= ends.tags) return SCORES.description;
  if (at >= ends.names) return SCORES.tag;
  const scores = folded
    .slice(0, ends.names)
    .split('\n')
    .map((name) => scoreOfName(name, wanted) ?? 0);
  return Math.max(...scores);
}

function scoreOfName(name: string, wanted: string): number | undefined {
  if (name === wanted) return SCORES.exact;
  if (name.startsWith(wanted)) return SCORES.prefix;
  return name.includes(wanted) ? SCORES.part : undefined;
}
