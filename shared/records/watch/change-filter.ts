import type { Change, ChangeType } from '../change.ts';
import { isUnder } from '../key.ts';

/** Which changes are wanted. */
export interface ChangeFilter {
  readonly prefix: string;
  /** All types unless given. */
  readonly types?: ReadonlySet<ChangeType> | undefined;
}

export function matches({ prefix, types }: ChangeFilter, change: Change<unknown>): boolean {
  return (types === undefined || types.has(change.type)) && isUnder(prefix, change.key);
}
