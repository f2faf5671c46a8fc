import type { RetentionRule } from '../bundle.ts';

const DAY = 24 * 3_600_000;

/** What decides whether a version stays. */
export interface VersionFacts {
  readonly version: number;
  /** How many newer versions there are that readers find. */
  readonly newer: number;
  /** Milliseconds since it was published. */
  readonly age: number;
}

/**
 * Whether cleanup leaves a version to its readers: the newest always, the newest `versions`, those that are younger than `days`, and
 * whatever is pinned.
 *
 * @param pinned versions that a channel or a consumer names, or that were read lately.
 */
export function isKept(
  { version, newer, age }: VersionFacts,
  rule: RetentionRule,
  pinned: ReadonlySet<number>,
): boolean {
  return newer === 0 || newer < rule.versions || age < rule.days * DAY || pinned.has(version);
}
