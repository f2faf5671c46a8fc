/** What operations are allowed; times in milliseconds. */
export interface OperationLimits {
  /** Steps of an operation that are under way at a time. */
  readonly stepsAtOnce: number;
  /** How long one attempt may take, and one look at how far work is that goes on elsewhere. */
  readonly attemptTime: number;
  /** Pauses between the attempts of a step; the last one again for all that follow. */
  readonly retryPauses: readonly number[];
  /** How long the sweep lets an operation that is under way be. */
  readonly checkInterval: number;
  /** How long an operation is kept after its end. */
  readonly retention: number;
}

/** How long, in milliseconds, an attempt is its process's beyond the time it may take: to write down what came of it. */
export const CLAIM_MARGIN = 15_000;
/** Of a plan; its records have to fit into one snapshot (shared/records). */
export const MAX_STEPS = 4_000;
/** Steps that one transaction writes or removes: a batch holds 49 changes, and may hold one of the operation's record too. */
export const STEPS_PER_TRANSACTION = 45;
/** What a step gets that names no action. */
export const DEFAULT_TIMEOUT_SECONDS = 3600;
export const DEFAULT_MAX_ATTEMPTS = 5;
/** Lines that are kept of a step's log, and characters of each. */
export const MAX_LOG_LINES = 50;
export const MAX_LINE_CHARACTERS = 1000;
/** Bytes of JSON. */
export const MAX_OUTPUT_BYTES = 16 * 1024;
/** Of an error. */
export const MAX_REASON_CHARACTERS = 1000;
