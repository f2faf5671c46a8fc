import type { Keys } from '../../platform/http/index.ts';
import { Glob } from './glob.ts';

/** Any number of segments, where a pattern is what is asked about. */
const ANY_DEPTH = Symbol('**');

/** A set of keys by their segments: those that it names and all below. Of an open one the last segment is but a beginning. */
export interface KeySet {
  readonly segments: readonly (string | typeof ANY_DEPTH)[];
  readonly isOpen: boolean;
}

/**
 * Keys that a rule allows: the key that it names and all below, by whole segments. `*` is any text within a segment, `**` any number of
 * segments, `/` is everything.
 */
export class KeyPattern {
  /** Where the key begins with these; what follows a `**` may come at any depth. */
  readonly #first: readonly Glob[];
  readonly #later: readonly (readonly Glob[])[];

  constructor(text: string) {
    const blocks: Glob[][] = [[]];
    for (const segment of segmentsOf(text)) {
      if (segment === '**') blocks.push([]);
      else blocks.at(-1)?.push(new Glob(segment));
    }
    const [first = [], ...later] = blocks;
    this.#first = first;
    this.#later = later;
  }

  /** Whether it covers all of a set: each block at its first place leaves the most room for the next, and what is below is covered too. */
  covers(set: KeySet): boolean {
    if (!standsAt(this.#first, set, 0)) {
      return false;
    }
    let from = this.#first.length;
    for (const block of this.#later) {
      const end = set.segments.length - block.length;
      while (from <= end && !standsAt(block, set, from)) from += 1;
      if (from > end) {
        return false;
      }
      from += block.length;
    }
    return true;
  }
}

function standsAt(block: readonly Glob[], { segments, isOpen }: KeySet, from: number): boolean {
  let index = from;
  for (const glob of block) {
    const segment = segments[index];
    const isPart = isOpen && index === segments.length - 1;
    if (typeof segment !== 'string' || !glob.matches(segment, isPart)) {
      return false;
    }
    index += 1;
  }
  return true;
}

/** The keys that somebody asks about. What is below a key is what begins with it and a slash. */
export function keySetOf(keys: Keys): KeySet {
  if (typeof keys !== 'string' && 'like' in keys) {
    return patternSet(keys.like);
  }
  const text = typeof keys === 'string' ? keys : keys.beginWith;
  const isOpen = typeof keys !== 'string' || text.endsWith('/');
  return { segments: text.replace(/^\//, '').split('/'), isOpen };
}

/** What a pattern covers. Of `**` only the `**` of another one is taken to cover it, which may refuse too much but never too little. */
function patternSet(pattern: string): KeySet {
  return {
    segments: segmentsOf(pattern).map((segment) => (segment === '**' ? ANY_DEPTH : segment)),
    isOpen: false,
  };
}

function segmentsOf(pattern: string): readonly string[] {
  return pattern === '/' ? [] : pattern.slice(1).split('/');
}
