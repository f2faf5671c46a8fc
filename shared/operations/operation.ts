import type { Maker } from '../platform/http/index.ts';
import type { Json, Scope } from '../records/index.ts';
import type { Observation } from './executor.ts';

/** The kind of an operation's scope: its record and those of its steps. */
export const OPERATION_KIND = 'op';

/** `succeeded`, `failed` and `cancelled` are ends. */
export type OperationState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** How an operation can end. */
export type OperationOutcome = Extract<OperationState, 'succeeded' | 'failed' | 'cancelled'>;

/** The record `/op/ID`: a command, and how it goes. It is done in the name of its sender, who is its maker. */
export interface OperationValue extends Maker {
  /** The type of the command, such as `environment.create`. */
  readonly type: string;
  /** By which the same command is known when it comes again: `source` and `id` of its CloudEvent. */
  readonly command: { readonly source: string; readonly id: string };
  /** What it is serialised with, as the session of its message has it: `ENVIRONMENT`, `template:ID` or `bundle:NAME`. */
  readonly session: string;
  readonly state: OperationState;
  /** The command's data. */
  readonly data: Json;
  /** RFC 3339. */
  readonly acceptedAt: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly cancelRequestedAt?: string;
  /** Grows with every operation that becomes the active one of its lane: what an older one does later is refused by it. */
  readonly fence?: number;
  /** Who writes down a plan that is too large for one transaction; it is nobody else's to write until then. */
  readonly planning?: { readonly by: string; readonly until: string };
  /** Of the plan, once it is made. */
  readonly stepCount?: number;
  /** Stands there from the first failure on: no further steps begin then. */
  readonly error?: OperationError;
  /** What came of it, where there is more to say than that it succeeded. */
  readonly result?: Json;
  /** The queue or topic of the bus that is told of it too. */
  readonly replyTo?: string;
  /** The subscription that calls the command's `callback`. */
  readonly subscription?: string;
}

export interface OperationError {
  /** A sentence. */
  readonly reason: string;
  /** The step that failed; absent where it never came to steps. */
  readonly step?: string;
}

/**
 * `waiting`: for others, or for its next attempt; `ready`: a message is under way that runs it; `running` also while the work goes on elsewhere;
 * the last four are ends, `cancelled` of what had begun, `skipped` of what had not.
 */
export type StepState = 'waiting' | 'ready' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'skipped';

/** The record `/op/ID/steps/STEP`. */
export interface StepValue extends PlannedStep {
  readonly state: StepState;
  /** Attempts that have begun. */
  readonly attempts: number;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** RFC 3339, of one that runs: until when nobody else takes the attempt over. */
  readonly claimedUntil?: string;
  /** RFC 3339: when it is tried again, or when it is asked how far the work is. */
  readonly nextAt?: string;
  /** What the executor needs to ask after work that goes on elsewhere. */
  readonly handle?: Json;
  /** Also of what failed, and of attempts so far: what stands all the same. */
  readonly outputs?: Readonly<Record<string, Json>>;
  /** What was found by a step that looks (`refresh`); absent where its executor cannot. */
  readonly observation?: Observation;
  readonly error?: string;
  /** The last lines of what the executor has to tell, oldest first. */
  readonly log: readonly string[];
}

/** What is to be done to what. */
export type StepVerb = 'create' | 'update' | 'destroy' | 'run' | 'refresh';

/** One node of a plan. */
export interface PlannedStep {
  /** Unique in the plan: a name of letters, digits, `.`, `_`, `-`, such as `create-network.vnet`. */
  readonly id: string;
  readonly verb: StepVerb;
  /** The resource of the environment, where it is about one. */
  readonly resource?: string;
  /** Steps that have to succeed before. */
  readonly dependsOn: readonly string[];
  /** What an executor does; without it the step only records. */
  readonly action?: PlannedAction;
  /** What the rule of the command needs when the step is done: not for executors, and not shown. */
  readonly memo?: Json;
}

/** An action with the parameters filled in; `${resources.ID.outputs.NAME}` stays until the step runs. */
export interface PlannedAction {
  readonly name: string;
  readonly executor: string;
  readonly app: { readonly url?: string; readonly name?: string };
  readonly command: Json;
  /** Seconds that the work may take, over all attempts. */
  readonly timeoutSeconds: number;
  readonly maxAttempts: number;
}

export function operationScope(ns: string, id: string): Scope {
  return { ns, kind: OPERATION_KIND, name: id };
}

export function operationKey(id: string): string {
  return `/${OPERATION_KIND}/${id}`;
}

/** Below it are all steps. */
export function stepsPrefix(id: string): string {
  return `${operationKey(id)}/steps/`;
}

export function stepKey(id: string, step: string): string {
  return stepsPrefix(id) + step;
}

export function isOver(state: OperationState): state is OperationOutcome {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}
