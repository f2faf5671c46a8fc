import { compacted, type SkerryError } from '../../platform/errors.ts';

/** How far the history of a scope is cut off: nothing up to `compactedTo` is told any more, removed or not. */
export interface Head {
  /** 0 before the first compaction. */
  readonly compactedTo: number;
  /** `at` of the newest change that is cut off, RFC 3339, UTC; by the clocks of those who wrote. Empty before the first compaction. */
  readonly compactedUntil: string;
}

export const NEVER_COMPACTED: Head = { compactedTo: 0, compactedUntil: '' };

/**
 * Changes stay in storage at least this long, cut off or not. Three rely on it: writers that do not know yet whether their
 * write stands (less than a minute), processes that take a missing next change for the proof that they are current
 * (`PROOF_LIFETIME_MILLISECONDS`), and webhook deliveries that are still to be made (about a quarter of an hour).
 */
export const REMOVAL_DELAY_MILLISECONDS = 3_600_000;

/**
 * How long a proven position vouches that the change after it, if there is one, has not been removed: that change was written
 * after the proof, so it is there for longer than this. The other half of the delay is room for clocks that differ.
 */
export const PROOF_LIFETIME_MILLISECONDS = REMOVAL_DELAY_MILLISECONDS / 2;

/**
 * The error for history that is gone.
 *
 * @param position the newest revision, from which on the scope can be followed.
 * @param fix for who does not follow it.
 */
export function historyCompacted(
  { compactedTo }: Head,
  position: number,
  fix = 'Read the present state, and go on from its revision.',
): SkerryError {
  return compacted(`What was before revision ${compactedTo} is gone.`, {
    fix,
    extensions: { compactedTo, resyncFrom: position },
  });
}
