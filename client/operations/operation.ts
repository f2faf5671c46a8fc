import type { Json } from '../store/content.ts';

/** `succeeded`, `failed` and `cancelled` are ends. */
export type OperationState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** What a command asked for, and how it goes. */
export interface LongRunningOperation {
  /** `op_…`, which follows from the command: see `Commands.operationId`. */
  readonly id: string;
  readonly ns: string;
  /** Of the command, such as `environment.create`. */
  readonly type: string;
  /** What has one operation at a time: an environment's id, `template:ID` or `bundle:NAME`. */
  readonly session: string;
  readonly state: OperationState;
  /** By which the same command is known when it comes again. */
  readonly command: { readonly source: string; readonly id: string };
  /** The command's data. */
  readonly data: Json;
  readonly actor: string;
  /** RFC 3339, as the other times. */
  readonly acceptedAt: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly cancelRequestedAt?: string;
  /** Why it failed, and at which step. */
  readonly error?: { readonly reason: string; readonly step?: string };
  readonly result?: Json;
  /** Steps that are over, of all; 0 of 0 until there is a plan. */
  readonly progress: { readonly done: number; readonly total: number };
}

export interface OperationWithSteps extends LongRunningOperation {
  readonly steps: readonly OperationStep[];
}

/** `waiting`: for other steps, or for its next attempt; `ready`: about to run; the last four are ends. */
export type StepState = 'waiting' | 'ready' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'skipped';

export interface OperationStep {
  readonly id: string;
  readonly verb: StepVerb;
  /** The resource of the environment, where it is about one. */
  readonly resource?: string;
  /** Who does the work; a step without one only records. */
  readonly executor?: string;
  readonly state: StepState;
  /** Attempts that have begun. */
  readonly attempts: number;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** When it is tried again, or looked after. */
  readonly nextAt?: string;
  /** Of the last attempt that failed. */
  readonly error?: string;
  /** The last lines of what the executor has to tell. */
  readonly log: readonly string[];
}

export type StepVerb = 'create' | 'update' | 'destroy' | 'run' | 'refresh';

/** Whether nothing more will happen to it. */
export function isOver({ state }: Pick<LongRunningOperation, 'state'>): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}
