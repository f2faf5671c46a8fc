import { z } from 'zod';
import {
  isOver,
  type Operation,
  type OperationState,
  type StepState,
  type StepValue,
} from '../../../shared/operations/index.ts';
import { jsonValueSchema } from '../json-value.ts';

export const OPERATION_STATES = [
  'queued',
  'running',
  'succeeded',
  'failed',
  'cancelled',
] as const satisfies readonly OperationState[];
const STEP_STATES = [
  'waiting',
  'ready',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'skipped',
] as const satisfies readonly StepState[];

export const operationIdSchema = z
  .string()
  .regex(/^op_[0-9a-z]{1,60}$/, 'must be the id of an operation, such as op_0123456789abcdefghjkmnpqrs');

const stepSchema = z.strictObject({
  id: z.string(),
  verb: z.enum(['create', 'update', 'destroy', 'run', 'refresh']),
  resource: z.string().optional(),
  executor: z.string().optional().describe('Who does the work; a step without one only records.'),
  state: z.enum(STEP_STATES),
  attempts: z.int(),
  startedAt: z.iso.datetime().optional(),
  endedAt: z.iso.datetime().optional(),
  nextAt: z.iso.datetime().optional().describe('When it is tried again, or looked after.'),
  error: z.string().optional(),
  log: z.array(z.string()).describe('The last lines.'),
});

const operationShape = {
  id: operationIdSchema,
  ns: z.string(),
  type: z.string().describe('Of the command, such as `environment.create`.'),
  session: z
    .string()
    .describe('What has one operation at a time: an environment, `template:ID`, `bundle:NAME`.'),
  state: z.enum(OPERATION_STATES).describe('The last three are ends.'),
  command: z.strictObject({ source: z.string(), id: z.string() }),
  data: jsonValueSchema.describe("The command's data."),
  actor: z.string(),
  acceptedAt: z.iso.datetime(),
  startedAt: z.iso.datetime().optional(),
  endedAt: z.iso.datetime().optional(),
  cancelRequestedAt: z.iso.datetime().optional(),
  error: z
    .strictObject({ reason: z.string(), step: z.string().optional() })
    .optional()
    .describe('Why it failed.'),
  result: jsonValueSchema.optional(),
  progress: z
    .strictObject({ done: z.int(), total: z.int() })
    .describe('Steps that are over, of all; 0 of 0 until there is a plan.'),
};

/** As listings show it. */
export const operationSchema = z.strictObject(operationShape);

export const wholeOperationSchema = z.strictObject({
  ...operationShape,
  steps: z.array(stepSchema).optional().describe('Left out by `steps=false`.'),
});

interface Progress {
  readonly done: number;
  readonly total: number;
}

/** An operation as everybody sees it: what only those who run it need is left out. */
export function showOperation(operation: Operation, progress: Progress) {
  const { id, ns, type, session, state, command, data, actor, acceptedAt } = operation;
  const { startedAt, endedAt, cancelRequestedAt, error, result } = operation;
  return {
    ...{ id, ns, type, session, state, command, data, actor, acceptedAt },
    ...{ startedAt, endedAt, cancelRequestedAt, error, result, progress },
  };
}

export function showStep({ id, verb, resource, action, state, ...step }: StepValue) {
  const { attempts, startedAt, endedAt, nextAt, error, log } = step;
  return {
    ...{ id, verb, resource, executor: action?.executor, state },
    ...{ attempts, startedAt, endedAt, nextAt, error, log },
  };
}

/** How far an operation is: by its steps, which none but one that is under way needs to be asked. */
export function progressOf(operation: Operation, steps: readonly StepValue[] = []): Progress {
  const { state, stepCount: total = 0 } = operation;
  const done = steps.filter(({ endedAt }) => endedAt !== undefined).length;
  return { done: isOver(state) ? total : done, total };
}
