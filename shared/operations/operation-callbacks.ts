import type { Command } from './command.ts';
import type { Operation } from './command-rule.ts';

/** Tells a command's `replyto` and `callback` how its operation goes. */
export interface OperationCallbacks {
  /**
   * Makes ready what is to hear of the operation, from its first change on: to be called before its record is written. May be repeated.
   *
   * @throws SkerryError `invalid` for a target that may not be told, `unavailable`.
   */
  prepare(command: Command, operation: string): Promise<PreparedCallback>;
  /** Has what was made for the operation end a week after it. To be called once its record says that it is over; may be repeated. */
  ended(operation: Operation): Promise<void>;
}

export interface PreparedCallback {
  /** What belongs into the operation's record. */
  readonly told: { readonly replyTo?: string; readonly subscription?: string };
  /** `whsec_…`, by which calls of the callback are signed: for the answer to the command alone. */
  readonly secret?: string;
}
