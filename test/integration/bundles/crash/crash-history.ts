import type { Publication, Version } from '../../../../shared/bundles/index.ts';
import { isUnavailable, SkerryError } from '../../../../shared/platform/errors.ts';
import type { Outcome } from './crash-world.ts';
import { Bug, NoAnswer } from './step-faults.ts';

/** One call that may make a version; the message of that names it. */
export interface Attempt {
  readonly id: string;
  /** What its content is made of; a rollback has that of another version. */
  readonly token?: string;
  readonly draft?: string;
  readonly ifChangedFrom?: string;
  /** The version that has to be the newest. */
  readonly newest?: number;
  /** The highest revision that anybody had been told of before it began; that of the first one, for a draft. */
  readonly seenRevision: number;
  state: 'under way' | 'acknowledged' | 'refused' | 'uncertain';
  answer?: { readonly version: number; readonly unchanged: boolean };
}

export type AttemptFacts = Omit<Attempt, 'id' | 'seenRevision' | 'state' | 'answer'>;

/** What those who write and read have tried and been told. */
export class CrashHistory {
  readonly attempts = new Map<string, Attempt>();
  /** Drafts whose end was asked for, and whether that was acknowledged while no commit was under way. */
  readonly discards = new Map<string, boolean>();
  /** Drafts that were not there to be committed, though nobody had discarded them, and why not. */
  readonly missed = new Map<string, string>();
  /** What nobody may see. */
  readonly faults: string[] = [];
  readonly counts = { singleReads: 0, archiveReads: 0, rounds: 0, refused: 0, uncertain: 0, lost: 0 };
  seenRevision = 0;
  seenLatest = 0;
  /** Whether the channel `stable` stands. */
  hasStable = false;
  /** Of the records of versions. */
  readonly revisions = new Map<number, number>();
  readonly #tokens = new Map<number, string>();

  begin(facts: AttemptFacts): Attempt {
    const first = [...this.attempts.values()].find(
      ({ draft }) => draft !== undefined && draft === facts.draft,
    );
    const seenRevision = first?.seenRevision ?? this.seenRevision;
    const attempt: Attempt = {
      ...facts,
      id: `attempt${this.attempts.size}`,
      seenRevision,
      state: 'under way',
    };
    this.attempts.set(attempt.id, attempt);
    return attempt;
  }

  /** Notes what became of an attempt, and tells how it ended. */
  settle(attempt: Attempt, outcome: Outcome<Publication>): Attempt['state'] {
    if (outcome.kind === 'done') {
      const { version, unchanged } = outcome.answer;
      attempt.state = 'acknowledged';
      attempt.answer = { version: version.version, unchanged };
      this.see(version);
    } else {
      attempt.state = this.isRefusal(outcome, `a publication (${attempt.id})`) ? 'refused' : 'uncertain';
    }
    return attempt.state;
  }

  /** Whether nothing came of it, for a reason; notes what should not happen. */
  isRefusal(outcome: Outcome<unknown>, what: string): boolean {
    if (outcome.kind === 'done') return false;
    if (outcome.kind === 'lost') {
      this.counts.lost += 1;
      return false;
    }
    const { error } = outcome;
    if (error instanceof SkerryError && !isUnavailable(error)) {
      this.counts.refused += 1;
      return true;
    }
    this.counts.uncertain += 1;
    if (!isUnavailable(error) && !isMade(error)) {
      this.faults.push(`${what} failed: ${error instanceof Error ? error.stack : error}`);
    }
    return false;
  }

  see({ version, revision, message }: Version): void {
    this.seenRevision = Math.max(this.seenRevision, revision);
    this.seenLatest = Math.max(this.seenLatest, version);
    this.revisions.set(version, revision);
    const token = this.attempts.get(message)?.token;
    if (token !== undefined) this.#tokens.set(version, token);
  }

  /** What a version is made of; undefined where nobody was told yet. */
  tokenOf({
    version,
    message,
    rollbackOf,
  }: Pick<Version, 'version' | 'message' | 'rollbackOf'>): string | undefined {
    const token =
      this.attempts.get(message)?.token ??
      (rollbackOf === undefined ? this.#tokens.get(version) : this.#tokens.get(rollbackOf));
    if (token !== undefined) this.#tokens.set(version, token);
    return token;
  }

  tokenOfNumber(version: number): string | undefined {
    return this.#tokens.get(version);
  }
}

/** Whether an error is one that the world made. */
export function isMade(error: unknown): boolean {
  return (
    error instanceof Bug ||
    error instanceof NoAnswer ||
    (error instanceof Error && error.cause !== undefined && isMade(error.cause))
  );
}
