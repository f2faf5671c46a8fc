import type { Scope } from '../records/index.ts';
import type { OperationError, OperationOutcome } from './operation.ts';

/** What has one operation at a time: an environment, a template or a bundle. */
export interface Lane {
  readonly scope: Scope;
  /** The key of the record that says which operation has the lane and which wait for it. */
  readonly key: string;
  /** Of the messages on the queue `commands`. */
  readonly session: string;
}

/** The record of a lane, in the scope of what it serialises: so that one transaction moves both. */
export interface LaneValue {
  readonly active?: ActiveOperation;
  /** First in, first out. */
  readonly waiting: readonly string[];
  /** Of the last operation that became active. */
  readonly fence: number;
}

export interface ActiveOperation {
  readonly operation: string;
  readonly fence: number;
  /** Whether its rule has written down from what the plan is made: so that all who make it make the same. */
  readonly isPinned?: boolean;
  /** How it ended, once that is decided; it is let go of when its own record says so too. */
  readonly outcome?: OperationOutcome;
  readonly error?: OperationError;
}

export const FREE_LANE: LaneValue = { waiting: [], fence: 0 };

/** Operations that wait in a lane at the most. */
export const MAX_WAITING = 100;

/** Whether who comes now is the next. */
export function isFree({ active, waiting }: LaneValue): boolean {
  return active === undefined && waiting.length === 0;
}

/** Whether the operation has the lane, or waits for it. */
export function isInLane({ active, waiting }: LaneValue, operation: string): boolean {
  return active?.operation === operation || waiting.includes(operation);
}
