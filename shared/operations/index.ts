/**
 * Operations: what commands ask for, and how it goes. A command becomes an operation, waits in the *lane* of what it is about, and
 * becomes steps, each attempt of which is one message on the queue `steps`. Knows neither environments nor executors: what a type of
 * command means is a `CommandRule`, and who does the work an `Executor`.
 */
export { Advance } from './advance.ts';
export { Attempts } from './attempts.ts';
export { type Command, commandEventSchema, commandOf } from './command.ts';
export type {
  CommandRule,
  Current,
  FilledIn,
  Operation,
  OperationEnd,
  StepWork,
  Writes,
} from './command-rule.ts';
export { CommandRules, type KnownCommand } from './command-rules.ts';
export {
  type AcceptedOperation,
  type CommandRequest,
  Commands,
  isSourceOfRequests,
  sourceOf,
} from './commands.ts';
export type { Executor, FindExecutor, Observation, StepOutcome, StepRequest } from './executor.ts';
export { type ActiveOperation, FREE_LANE, type Lane, type LaneValue } from './lane.ts';
export { Lanes } from './lanes.ts';
export { MAX_OUTPUT_BYTES, type OperationLimits } from './limits.ts';
export * from './operation.ts';
export type { OperationCallbacks, PreparedCallback } from './operation-callbacks.ts';
export { operationIdOf } from './operation-id.ts';
export { type OperationQueues, ServiceBusOperationQueues } from './operation-queues.ts';
export { AUTHOR as OPERATIONS_AUTHOR, unknownOperation } from './operation-record.ts';
export { OperationSweeper } from './operation-sweeper.ts';
export { type OperationFilter, type OperationPage, Operations, type WholeOperation } from './operations.ts';
export { PlanWriter } from './plan-writer.ts';
export { authorizeSender } from './sender-rights.ts';
export { StepBoards } from './step-boards.ts';
export { parseStepMessage, type StepMessage } from './step-message.ts';
export { StepWorker } from './step-worker.ts';
export { Steps } from './steps.ts';
