/** What is indexed: whoever waits for changes below a prefix of keys in a namespace. */
export interface PrefixEntry {
  readonly ns: string;
  readonly prefix: string;
}

/**
 * Finds who waits for the change of a key by looking up the prefixes that cover it, so that a change costs what its own key is
 * long, however many wait for others.
 */
export class PrefixIndex<Entry extends PrefixEntry> {
  readonly #entries = new Map<string, Set<Entry>>();

  add(entry: Entry): void {
    const place = placeOf(entry.ns, entry.prefix);
    const present = this.#entries.get(place);
    if (present === undefined) {
      this.#entries.set(place, new Set([entry]));
    } else {
      present.add(entry);
    }
  }

  delete(entry: Entry): void {
    const place = placeOf(entry.ns, entry.prefix);
    const present = this.#entries.get(place);
    present?.delete(entry);
    if (present?.size === 0) {
      this.#entries.delete(place);
    }
  }

  /** Everyone whose prefix covers the key, as `isUnder` has it. */
  *covering(ns: string, key: string): Generator<Entry> {
    for (const prefix of coveringPrefixes(key)) {
      yield* this.#entries.get(placeOf(ns, prefix)) ?? [];
    }
  }
}

/** Each prefix of whole segments that covers a key: one that ends in a slash covers what is below it alone. */
export function coveringPrefixes(key: string): Set<string> {
  const prefixes = new Set<string>(key.endsWith('/') ? [] : [key]);
  for (
    let slash = key.lastIndexOf('/');
    slash !== -1;
    slash = slash === 0 ? -1 : key.lastIndexOf('/', slash - 1)
  ) {
    if (slash + 1 < key.length) {
      prefixes.add(key.slice(0, slash + 1));
    }
    if (slash > 0) {
      prefixes.add(key.slice(0, slash));
    }
  }
  return prefixes;
}

function placeOf(ns: string, prefix: string): string {
  return `${ns}:${prefix}`;
}
