/** A set of files in immutable, numbered versions. */
export interface Bundle {
  readonly name: string;
  /** The newest version; 0 before the first. */
  readonly latest: number;
  readonly description?: string;
  /** What cleanup keeps; Skerry's own rule where it is absent. */
  readonly retention?: RetentionRule;
  readonly revision: number;
  /** RFC 3339, as `updatedAt`. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A version is removed only when it is neither among the newest `versions` nor younger than `days`. */
export interface RetentionRule {
  readonly versions: number;
  readonly days: number;
}

/** What is left out is taken away. */
export interface BundleSettings {
  readonly description?: string | undefined;
  readonly retention?: RetentionRule | undefined;
}

/** Which version: its number, `latest`, or a channel or label. */
export type VersionReference = number | string;
