import { isRefusal } from '../platform/errors.ts';
import { type CallerOf, makerOf } from '../platform/http/index.ts';
import { inTime } from '../platform/in-time.ts';
import type { Json } from '../records/index.ts';
import type { FilledIn, Operation } from './command-rule.ts';
import type { CommandRules } from './command-rules.ts';
import type { Executor, FindExecutor, Observation, StepOutcome, StepRequest } from './executor.ts';
import { MAX_LINE_CHARACTERS, MAX_OUTPUT_BYTES, MAX_REASON_CHARACTERS } from './limits.ts';
import type { PlannedAction, StepValue } from './operation.ts';
import { refusalOfSender } from './sender-rights.ts';

/** What came of one attempt. */
export type AttemptOutcome = StepOutcome & {
  readonly observation?: Observation;
  /** Whether the work may go on elsewhere all the same, and is to be asked after again. */
  readonly mayGoOn?: boolean;
};

export interface StepWorkerOptions {
  readonly rules: CommandRules;
  readonly findExecutor: FindExecutor;
  /** What senders of commands may do now. */
  readonly callerOf: CallerOf;
  /** Milliseconds. */
  readonly attemptTime: number;
}

/** Has executors, and rules, do the work of steps. Never throws: whatever goes wrong is an outcome, and nothing lasts longer than an attempt may. */
export class StepWorker {
  readonly #options: StepWorkerOptions;

  constructor(options: StepWorkerOptions) {
    this.#options = options;
  }

  async attempt(operation: Operation, step: StepValue): Promise<AttemptOutcome> {
    const rule = this.#options.rules.get(operation.type);
    try {
      return checked(
        await this.#inTime(async (signal) => {
          const hasBegun = step.handle !== undefined;
          const refusal = hasBegun
            ? undefined
            : await refusalOfSender(rule, operation, this.#options.callerOf);
          if (refusal !== undefined) throw refusal;
          if (step.action !== undefined) {
            return await this.#execute(operation, step, step.action, signal);
          }
          return rule.perform === undefined
            ? { state: 'succeeded' }
            : await rule.perform(operation, step, workOf(operation, step, signal));
        }),
      );
    } catch (error) {
      const mayGoOn = step.handle !== undefined;
      return { ...failure(messageOf(error), !isRefusal(error)), ...(mayGoOn && { mayGoOn }) };
    }
  }

  /** Stops work that goes on elsewhere, as well as that goes. */
  async cancel(operation: Operation, step: StepValue): Promise<void> {
    const { action, handle } = step;
    if (action === undefined || handle === undefined) return;
    try {
      await this.#inTime(async (signal) => {
        const executor = await this.#options.findExecutor(action.executor);
        const request = await this.#requestOf(operation, step, action, signal);
        await executor?.cancel?.(request, handle);
      });
    } catch {
      // It is called off all the same; its receiver may know better.
    }
  }

  async #execute(
    operation: Operation,
    step: StepValue,
    action: PlannedAction,
    signal: AbortSignal,
  ): Promise<AttemptOutcome> {
    const executor = await this.#options.findExecutor(action.executor);
    if (executor === undefined) {
      return failure(`There is no executor "${action.executor}".`, false);
    }
    const request = await this.#requestOf(operation, step, action, signal);
    return step.verb === 'refresh'
      ? await observe(executor, request)
      : await work(executor, request, step.handle);
  }

  async #requestOf(
    operation: Operation,
    step: StepValue,
    action: PlannedAction,
    signal: AbortSignal,
  ): Promise<StepRequest> {
    const rule = this.#options.rules.get(operation.type);
    const filledIn: FilledIn = (await rule.fillIn?.(operation, step)) ?? { action, outputs: {} };
    return {
      ns: operation.ns,
      operation: operation.id,
      step: step.id,
      verb: step.verb,
      ...workOf(operation, step, signal),
      ...(step.resource !== undefined && { resource: step.resource }),
      ...filledIn,
      outputs: { ...filledIn.outputs, ...step.outputs },
      ...makerOf(operation),
    };
  }

  /** @throws Error when it takes too long; what comes of it then, nobody looks at. */
  #inTime<Answer>(run: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    const { attemptTime } = this.#options;
    return inTime(attemptTime, run, () => new Error(`It has taken longer than ${attemptTime / 1000} s.`));
  }
}

async function work(
  executor: Executor,
  request: StepRequest,
  handle: Json | undefined,
): Promise<AttemptOutcome> {
  if (handle !== undefined && executor.poll !== undefined) {
    return await executor.poll(request, handle);
  }
  const outcome = await executor.start(request);
  return outcome.state === 'pending' && executor.poll === undefined
    ? failure('The executor cannot be asked how far the work is.', false)
    : outcome;
}

async function observe(executor: Executor, request: StepRequest): Promise<AttemptOutcome> {
  const observation = await executor.observe?.(request);
  return { state: 'succeeded', ...(observation !== undefined && { observation }) };
}

/** The key names the work, not the attempt. */
function workOf({ id, fence = 0 }: Operation, step: StepValue, signal: AbortSignal) {
  return { attempt: step.attempts, idempotencyKey: `${id}:${step.id}`, fence, signal };
}

/** What is kept of it is bounded. */
function checked(outcome: AttemptOutcome): AttemptOutcome {
  const log = (outcome.log ?? []).map((line) => line.slice(0, MAX_LINE_CHARACTERS));
  const kept = outcome.state === 'pending' ? outcome.handle : outcome.outputs;
  if (Buffer.byteLength(JSON.stringify(kept ?? null)) > MAX_OUTPUT_BYTES) {
    return failure(`The executor answered more than ${MAX_OUTPUT_BYTES / 1024} KiB.`, false, log);
  }
  return outcome.state === 'failed'
    ? { ...outcome, reason: outcome.reason.slice(0, MAX_REASON_CHARACTERS), log }
    : { ...outcome, log };
}

function failure(
  reason: string,
  isPassing: boolean,
  log: readonly string[] = [],
): Extract<StepOutcome, { state: 'failed' }> {
  return { state: 'failed', reason, isPassing, log };
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, MAX_REASON_CHARACTERS);
}
