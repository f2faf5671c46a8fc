import type { z } from 'zod';
import type { SkerryError } from '../platform/errors.ts';
import type { Touch } from '../platform/http/index.ts';
import type { Decisions, Json, Scope, StoredRecord } from '../records/index.ts';
import type { StepOutcome, StepRequest } from './executor.ts';
import type { Lane } from './lane.ts';
import type {
  OperationError,
  OperationOutcome,
  OperationValue,
  PlannedAction,
  PlannedStep,
  StepValue,
} from './operation.ts';

/** An operation with its id and namespace. */
export interface Operation<Data = Json> extends Omit<OperationValue, 'data'> {
  readonly id: string;
  readonly ns: string;
  readonly data: Data;
}

/** The newest records of a lane's scope that a rule named. */
export type Current = ReadonlyMap<string, StoredRecord<Json>>;
export type Writes = Decisions<Json>['writes'];

/**
 * What a type of command means; the engine does the rest. Methods that are given `current` decide inside a transaction of the lane's
 * scope that proves the operation to be the active one: they are pure, and may run again.
 */
export interface CommandRule<Data = Json> {
  /** Such as `environment.create`. */
  readonly type: string;
  /** A sentence for the description of the command. */
  readonly summary: string;
  /** Of the command's data; its JSON Schema is published. */
  readonly schema: z.ZodType<Data>;
  lane(ns: string, data: Data): Lane;
  /** What the command does to which keys, and which it uses: all that its sender has to be allowed, when it comes and for as long as it is done. */
  touches(data: Data): readonly Touch[];
  /** What is said of what the command is about where that does not exist, and so to a sender who may not see it. */
  missing?(ns: string, data: Data): SkerryError;
  /**
   * Whether it can be done as things stand: asked when the command comes, unless it is to wait on the bus, and again when it has waited. What it
   * refuses fails, or over HTTP is not accepted, and nothing was written.
   *
   * @throws SkerryError with what is wrong.
   */
  check(ns: string, data: Data): Promise<void>;
  /** Keys of the lane's scope, besides its own, that `begin` and `conclude` look at or write. */
  keys(operation: Operation<Data>): readonly string[];
  /**
   * What the sweep is to look at from now on (shared/records/leases/alarms.ts): its alarm is raised before `begin` is committed.
   */
  alarms?(operation: Operation<Data>): readonly { readonly scope: Scope; readonly key: string }[];
  /** Goes on with what `conclude` left to be done, before the operation counts as over: of some seconds at most. What it throws is logged alone, as an alarm comes to it later. */
  concluded?(operation: Operation<Data>): Promise<void>;
  /**
   * What becoming active changes.
   *
   * @throws SkerryError to refuse: the operation has failed then, with that reason, and nothing was written.
   */
  begin(operation: Operation<Data>, current: Current, now: number): Writes;
  /**
   * The steps, made from what `begin` left behind. Made again after a crash, as long as no step has begun.
   *
   * @throws SkerryError to refuse: the operation fails, and `conclude` is told.
   */
  plan(operation: Operation<Data>): Promise<readonly PlannedStep[]>;
  /**
   * What the executor of a step is given, asked before each attempt; without it, the action as it was planned.
   *
   * @throws SkerryError for what no further attempt makes better: the step has failed then. `unavailable` passes.
   */
  fillIn?(operation: Operation<Data>, step: StepValue): Promise<FilledIn>;
  /**
   * Does the work of a step that has no action; without it, such a step only records. As an executor's: it may be asked for again with the
   * same idempotency key, and what it throws counts as a failure, which passes unless it is a SkerryError other than `unavailable`.
   */
  perform?(operation: Operation<Data>, step: StepValue, attempt: StepWork): Promise<StepOutcome>;
  /** Further keys that `stepEnded` looks at or writes. */
  stepKeys(operation: Operation<Data>, step: StepValue): readonly string[];
  /** What the end of a step that has begun changes; comes before the step's record says so, and must bear to be repeated. */
  stepEnded(operation: Operation<Data>, step: StepValue, current: Current, now: number): Writes;
  /** What the end of the operation changes; not asked where `begin` refused. */
  conclude(operation: Operation<Data>, end: OperationEnd, current: Current, now: number): Writes;
  /** What came of an operation that succeeded, where there is more to say than that. */
  result?(operation: Operation<Data>, steps: readonly StepValue[]): Json | undefined;
}

export type StepWork = Pick<StepRequest, 'attempt' | 'idempotencyKey' | 'fence' | 'signal'>;

/** What only shows when a step runs. */
export interface FilledIn {
  readonly action: PlannedAction;
  /** Of the step's resource, as an earlier step left them. */
  readonly outputs: Readonly<Record<string, Json>>;
  readonly environment?: string;
}

export interface OperationEnd {
  readonly outcome: OperationOutcome;
  readonly error?: OperationError;
}
