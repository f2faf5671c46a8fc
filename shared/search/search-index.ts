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
  readonly field: MatchedField;
  /** The text that matches, whole. */
  readonly text: string;
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
  readonly bytes: number;
}

/** Bytes of an entry beside its characters, and of a character: it is kept as written, and folded. */
const ENTRY_BYTES = 500;
const CHARACTER_BYTES = 2;

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

  get size(): number {
    return this.#entries.size;
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

  /** What matches, the best first and equals by key; without what has lapsed by its own time at `now`. */
  find({ text = '', kinds, tags = [] }: Question, now: number): Match[] {
    const wanted = fold(text).trim();
    const matches: Match[] = [];
    for (const entry of this.#entries.values()) {
      const isWanted =
        (kinds === undefined || kinds.includes(entry.kind)) && tags.every((tag) => hasTag(entry, tag));
      const match = isWanted ? matchOf(entry, wanted) : undefined;
      if (match !== undefined && !(entry.mortal && isLapsed(entry.mortal.record, now))) {
        matches.push(match);
      }
    }
    return matches.sort(compareMatches);
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

/** The order of an answer. */
export function compareMatches(
  one: { readonly score: number; readonly entry: { readonly key: string } },
  other: { readonly score: number; readonly entry: { readonly key: string } },
): number {
  return (
    other.score - one.score ||
    (one.entry.key < other.entry.key ? -1 : one.entry.key > other.entry.key ? 1 : 0)
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
  const folded = textsOf(entry)
    .map(({ text }) => fold(text))
    .join('\n');
  return { ...entry, folded, bytes: ENTRY_BYTES + CHARACTER_BYTES * (folded.length + entry.key.length) };
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

function hasTag({ tags }: Searchable, wanted: string): boolean {
  return tags.some((tag) => tag === wanted || tag.startsWith(`${wanted}:`));
}

function matchOf(entry: IndexedEntry, wanted: string): Match | undefined {
  if (wanted === '') {
    return { entry, score: SCORES.unasked, field: 'id', text: entry.id };
  }
  if (!entry.folded.includes(wanted)) {
    return undefined;
  }
  // The first line that matches tells which field it is, because names come first; only among names a later one may match better.
  const lines = entry.folded.split('\n');
  const texts = textsOf(entry);
  let best: Match | undefined;
  for (const [number, line] of lines.entries()) {
    const { field = 'text', text = '' } = texts[number] ?? {};
    if (best !== undefined && field !== 'id' && field !== 'name') break;
    if (!line.includes(wanted)) continue;
    const score = scoreOf(field, line, wanted);
    if (best === undefined || score > best.score) best = { entry, score, field, text };
  }
  return best;
}

function scoreOf(field: MatchedField, line: string, wanted: string): number {
  if (field !== 'id' && field !== 'name') return SCORES[field];
  if (line === wanted) return SCORES.exact;
  return line.startsWith(wanted) ? SCORES.prefix : SCORES.part;
}
