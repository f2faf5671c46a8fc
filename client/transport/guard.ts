import { revisionTag } from './path.ts';
import type { CallOptions } from './transport.ts';

export interface WriteOptions extends CallOptions {
  /** Writes only where the item is at this revision; 0 means only where there is none. */
  readonly ifRevision?: number | undefined;
}

/** The headers that guard a write. */
export function guard(ifRevision: number | undefined): Record<string, string> {
  if (ifRevision === undefined) return {};
  return ifRevision === 0 ? { 'if-none-match': '*' } : { 'if-match': revisionTag(ifRevision) };
}
