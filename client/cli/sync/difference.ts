import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../../store/content.ts';
import type { Content } from './database-entry.ts';

export interface Deletion {
  readonly key: string;
  readonly previous: Json;
}

export interface Put {
  readonly key: string;
  readonly value: Json;
  /** Absent where the key is new. */
  readonly previous?: Json;
}

export interface Difference {
  readonly deletions: readonly Deletion[];
  /** What changed and what is new; what is as it was is neither. */
  readonly puts: readonly Put[];
}

/** What has to be done to a store that holds `before` until it holds `after` (cn-infra, FileDB). */
export function differenceOf(before: Content, after: Content): Difference {
  const deletions: Deletion[] = [];
  for (const [key, previous] of before) {
    if (!after.has(key)) deletions.push({ key, previous });
  }
  const puts: Put[] = [];
  for (const [key, value] of after) {
    const previous = before.get(key);
    if (previous === undefined) puts.push({ key, value });
    else if (!isDeepStrictEqual(previous, value)) puts.push({ key, value, previous });
  }
  return { deletions, puts };
}

export function isNothing({ deletions, puts }: Difference): boolean {
  return deletions.length === 0 && puts.length === 0;
}
