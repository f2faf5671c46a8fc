/**
 * Operations: what commands ask for, and how it goes. A command becomes an operation, waits in the *lane* of what it is about, and
 * becomes steps, each attempt of which is one message on the queue `steps`. Knows neither environments nor executors: what a type of
 * command means is a `CommandRule`, and who does the work an `Executor`.
 */
export type { Command, CommandEvent } from './command.ts';
export type { CommandRule, Current, FilledIn, Operation, OperationEnd, Writes } from './command-rule.ts';
export type { Executor, FindExecutor, Observation, StepOutcome, StepRequest } from './executor.ts';
export type { ActiveOperation, Lane, LaneValue } from './lane.ts';
export * from './operation.ts';
export type { OperationCallbacks, PreparedCallback } from './operation-callbacks.ts';
