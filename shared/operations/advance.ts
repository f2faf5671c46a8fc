import type { Clock } from '../platform/clock.ts';
import { toTimestamp } from '../platform/clock.ts';
import { isRefusal, isUnavailable, SkerryError, unprocessable } from '../platform/errors.ts';
import type { CallerOf } from '../platform/http/index.ts';
import type { Records } from '../records/index.ts';
import { checkPlan } from './check-plan.ts';
import type { Operation, OperationEnd } from './command-rule.ts';
import type { CommandRules } from './command-rules.ts';
import type { ActiveOperation, Lane, LaneValue } from './lane.ts';
import type { Lanes } from './lanes.ts';
import { MAX_REASON_CHARACTERS } from './limits.ts';
import { isOver, type OperationValue, operationKey, operationScope, type PlannedStep } from './operation.ts';
import type { OperationCallbacks } from './operation-callbacks.ts';
import { AUTHOR, putOperation, toOperation, unknownOperation } from './operation-record.ts';
import type { Operations } from './operations.ts';
import type { PlanWriter } from './plan-writer.ts';
import { refusalOfSender } from './sender-rights.ts';
import type { Steps } from './steps.ts';

export interface AdvanceOptions {
  readonly records: Records;
  readonly operations: Operations;
  readonly lanes: Lanes;
  readonly rules: CommandRules;
  readonly planWriter: PlanWriter;
  readonly steps: Steps;
  readonly callbacks?: OperationCallbacks | undefined;
  /** What senders of commands may do now. */
  readonly callerOf: CallerOf;
  readonly clock: Clock;
  readonly log: (message: string, error: unknown) => void;
}

type RecordedEnd = OperationEnd & Pick<OperationValue, 'result'>;

/** Does what is next of lanes and operations, from what the records say: any number may do so at a time, and repeat it. All methods throw SkerryError `unavailable`. */
export class Advance {
  readonly #options: AdvanceOptions;

  constructor(options: AdvanceOptions) {
    this.#options = options;
  }

  /**
   * Goes on with a lane until its active operation has steps under way, or nothing is left to do.
   *
   * @param occasion of messages that may have been sent before, and are to be sent again.
   */
  async lane(lane: Lane, occasion?: string): Promise<void> {
    for (;;) {
      const seen = await this.#options.lanes.read(lane);
      const { active } = seen;
      if (active === undefined) {
        if (seen.waiting.length === 0) return;
        await this.#moveOn(lane, seen);
        continue;
      }
      const operation = await this.#options.operations.find(lane.scope.ns, active.operation);
      if (operation !== undefined && active.outcome === undefined) {
        if (!(await this.#work(lane, operation, active, occasion))) return;
        continue;
      }
      if (operation !== undefined) {
        await this.#concluded(operation);
        await this.end(operation, await this.#endOf(operation, active));
      }
      await this.#moveOn(lane, seen);
    }
  }

  /** Goes on with the lane of an operation. */
  async operation({ ns, operation: id }: { readonly ns: string; readonly operation: string }): Promise<void> {
    const operation = await this.#options.operations.find(ns, id);
    const rule = operation && this.#options.rules.find(operation.type);
    if (operation !== undefined && rule !== undefined) {
      await this.lane(rule.lane(ns, operation.data));
    }
  }

  /** Has an operation's record say how it ended, unless it does. */
  async end(operation: Operation, end: RecordedEnd): Promise<Operation> {
    return await this.#end(operation, end, ({ state }) => !isOver(state));
  }

  /** Ends an operation that has not begun; one that has meanwhile goes on, and ends with its steps. */
  async callOff(operation: Operation, end: OperationEnd): Promise<Operation> {
    return await this.#end(operation, end, ({ state }) => state === 'queued');
  }

  async #end(
    { ns, id }: Operation,
    { outcome, error, result }: RecordedEnd,
    isToEnd: (value: OperationValue) => boolean,
  ): Promise<Operation> {
    const { records, clock, callbacks } = this.#options;
    const { record } = await records.commit<OperationValue>(operationScope(ns, id), {
      key: operationKey(id),
      ...AUTHOR,
      decide: (current) => {
        if (current === undefined || !isToEnd(current.value)) {
          return { type: 'keep' };
        }
        const { planning: _, ...value } = current.value;
        return putOperation(id, {
          ...value,
          state: outcome,
          endedAt: toTimestamp(clock.now()),
          ...(error !== undefined && { error }),
          ...(result !== undefined && { result }),
        });
      },
    });
    if (record === undefined) throw unknownOperation(id);
    const newest = toOperation(ns, record);
    if (isOver(newest.state)) await callbacks?.ended(newest);
    return newest;
  }

  /** Lets go of what has ended, and lets the first of those that wait begin. */
  async #moveOn(lane: Lane, seen: LaneValue): Promise<void> {
    const over = new Set<string>();
    let operation: Operation | undefined;
    for (const id of seen.waiting) {
      operation = await this.#options.operations.find(lane.scope.ns, id);
      if (operation !== undefined && !isOver(operation.state)) break;
      over.add(id);
      operation = undefined;
    }
    const refusal = operation && (await this.#refusalOf(operation));
    await this.#options.lanes.moveOn(lane, seen, { over, operation, refusal });
  }

  /** Why an operation whose turn has come cannot be done as things stand. */
  async #refusalOf(operation: Operation): Promise<SkerryError | undefined> {
    const { ns, type, data } = operation;
    try {
      const rule = this.#options.rules.get(type);
      const refusal = await refusalOfSender(rule, operation, this.#options.callerOf);
      if (refusal === undefined) await rule.check(ns, data);
      return refusal;
    } catch (error) {
      if (isUnavailable(error)) throw error;
      // A fault of Skerry itself shows once more, and is told of, when the plan is made.
      return isRefusal(error) ? error : undefined;
    }
  }

  /** Works on the active operation; false while its steps are under way. */
  async #work(
    lane: Lane,
    operation: Operation,
    { fence }: ActiveOperation,
    occasion: string | undefined,
  ): Promise<boolean> {
    const { lanes, steps } = this.#options;
    const { state, error } = operation;
    if (isOver(state)) {
      // Somebody called it off at the very moment when it became the active one.
      await lanes.conclude(lane, operation, { outcome: state, ...(error !== undefined && { error }) });
      return true;
    }
    if (operation.stepCount === undefined) {
      return await this.#plan(lane, operation, fence);
    }
    const end = await steps.goOn(lane, operation, occasion);
    if (end === undefined) return false;
    await lanes.conclude(lane, operation, end);
    return true;
  }

  /** Makes the plan; false where somebody else does. */
  async #plan(lane: Lane, operation: Operation, fence: number): Promise<boolean> {
    const { lanes, planWriter } = this.#options;
    if (operation.cancelRequestedAt !== undefined) {
      await lanes.conclude(lane, operation, { outcome: 'cancelled' });
      return true;
    }
    try {
      const planned = await this.#planOf({ ...operation, fence });
      checkPlan(planned);
      return await planWriter.write(operation, fence, planned);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const reason = error.message.slice(0, MAX_REASON_CHARACTERS);
      await lanes.conclude(lane, operation, { outcome: 'failed', error: { reason } });
      return true;
    }
  }

  async #planOf(operation: Operation): Promise<readonly PlannedStep[]> {
    try {
      return await this.#options.rules.get(operation.type).plan(operation);
    } catch (error) {
      if (error instanceof SkerryError) throw error;
      this.#options.log(`The operation ${operation.id} cannot be planned:`, error);
      throw unprocessable('The plan cannot be made, by a fault of Skerry itself.');
    }
  }

  async #endOf(operation: Operation, { outcome = 'failed', error }: ActiveOperation): Promise<RecordedEnd> {
    const end = { outcome, ...(error !== undefined && { error }) };
    const rule = this.#options.rules.get(operation.type);
    if (outcome !== 'succeeded' || rule.result === undefined) {
      return end;
    }
    const result = rule.result(operation, await this.#options.operations.steps(operation.ns, operation.id));
    return { ...end, ...(result !== undefined && { result }) };
  }

  async #concluded(operation: Operation): Promise<void> {
    try {
      await this.#options.rules.get(operation.type).concluded?.(operation);
    } catch (error) {
      this.#options.log(`What ${operation.type} left to be done waits for its alarm:`, error);
    }
  }
}
