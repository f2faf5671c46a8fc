import type { VersionContent } from './version-folders.ts';

/** A version that is there to be taken. */
export interface OfferedVersion extends VersionContent {
  /** Writes it into an empty folder; there is a place for temporary files, too. */
  pull(folder: string, temporary: string): Promise<void>;
}

/** What became of a version. */
export interface Outcome {
  readonly version: number;
  readonly ok: boolean;
  readonly detail?: string;
}

/** Where versions come from, and who is told what became of them. */
export interface VersionSource {
  /** The version that this consumer is to have; undefined where there is none. */
  wanted(signal: AbortSignal): Promise<OfferedVersion | undefined>;
  acknowledge(outcome: Outcome, signal: AbortSignal): Promise<void>;
  /** One event at the start, and one whenever another version may be wanted. */
  changes(options: {
    readonly signal: AbortSignal;
    readonly onFault: (error: unknown) => void;
  }): AsyncIterable<unknown>;
}
