import type { Clock } from '../platform/clock.ts';
import { toTimestamp } from '../platform/clock.ts';
import type { Decisions, Records } from '../records/index.ts';
import type { Operation, OperationEnd } from './command-rule.ts';
import type { Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import { type OperationLimits, STEPS_PER_TRANSACTION } from './limits.ts';
import { operationScope, type StepValue, stepKey } from './operation.ts';
import { leftToTheAlarm, type OperationQueues } from './operation-queues.ts';
import { AUTHOR, type OperationRecord, putStep } from './operation-record.ts';
import type { Operations } from './operations.ts';
import { hasBegun, isClosing, isEnded, isUnderWay, wakeTime } from './progress.ts';
import type { StepBoard } from './step-board.ts';
import type { StepBoards } from './step-boards.ts';
import { markSteps } from './step-marks.ts';
import type { AttemptMessage } from './step-message.ts';
import type { StepWorker } from './step-worker.ts';

/** How long, in milliseconds, a message that was sent for a time may be late before it counts as lost. */
const LATENESS = 5_000;

export interface StepsOptions {
  readonly records: Records;
  readonly operations: Operations;
  readonly lanes: Lanes;
  readonly queues: OperationQueues;
  readonly worker: StepWorker;
  readonly boards: StepBoards;
  readonly limits: OperationLimits;
  readonly clock: Clock;
}

/** The steps of an operation that is the active one of its lane. All methods throw SkerryError `unavailable`. */
export class Steps {
  readonly #options: StepsOptions;

  constructor(options: StepsOptions) {
    this.#options = options;
  }

  /**
   * Lets steps begin, or end without having begun, and sends messages for those that are due.
   *
   * @param occasion of messages that may have been sent before, and are to be sent again.
   * @returns how it ended; undefined while steps are under way.
   */
  async goOn(
    lane: Lane,
    { ns, id }: Operation,
    occasion: string | undefined,
  ): Promise<OperationEnd | undefined> {
    for (;;) {
      // In this order: the operation is at least as new as what the board shows, and so knows of each failure that is on it.
      const board = await this.#options.boards.current(ns, id);
      const operation = await this.#options.operations.get(ns, id);
      if (isClosing(operation)) {
        const steps = await this.#options.operations.steps(ns, id);
        if (await this.#close(lane, operation, steps)) continue;
        return await this.#endOf(operation, { underWay: steps.filter(isUnderWay), untouched: 0 }, occasion);
      }
      if (!(await this.#mark(operation, board))) {
        return await this.#endOf(operation, board, occasion);
      }
    }
  }

  /** How the operation ended, unless steps are under way: then those are sent messages that are due. */
  async #endOf(
    operation: Operation,
    { underWay, untouched }: Pick<StepBoard, 'underWay' | 'untouched'>,
    occasion: string | undefined,
  ): Promise<OperationEnd | undefined> {
    if (underWay.length === 0) {
      return endOf(operation, untouched);
    }
    const now = this.#options.clock.now();
    const due = underWay.filter((step) => step.state === 'ready' || wakeTime(step) + LATENESS <= now);
    await this.wake(operation, due, occasion);
    return undefined;
  }

  /** Lets steps begin; false where there are none that can. */
  async #mark({ ns, id }: Operation, board: StepBoard): Promise<boolean> {
    const marks = markSteps(id, board, this.#options.limits.stepsAtOnce);
    if (marks.ids.length === 0) return false;
    await this.#options.records.transact<OperationRecord>(operationScope(ns, id), {
      keys: marks.keys,
      ...AUTHOR,
      decide: (current) => ({ writes: marks.decide(current).map((step) => putStep(id, step)) }),
    });
    return true;
  }

  /** Ends what has not begun, and, where that is asked for, what nobody is at work on; false where there is nothing of that sort. */
  async #close(lane: Lane, operation: Operation, steps: readonly StepValue[]): Promise<boolean> {
    const open = steps.filter((step) => !isEnded(step));
    const untouched = open.filter((step) => !hasBegun(step));
    for (let at = 0; at < untouched.length; at += STEPS_PER_TRANSACTION) {
      await this.#skip(operation, untouched.slice(at, at + STEPS_PER_TRANSACTION));
    }
    const idle =
      operation.cancelRequestedAt === undefined
        ? []
        : open.filter((step) => hasBegun(step) && isIdle(step, this.#options.clock.now()));
    for (const step of idle) await this.#cancel(lane, operation, step);
    return untouched.length > 0 || idle.length > 0;
  }

  async #skip({ ns, id }: Operation, steps: readonly StepValue[]): Promise<void> {
    await this.#options.records.transact<OperationRecord>(operationScope(ns, id), {
      keys: steps.map((step) => stepKey(id, step.id)),
      ...AUTHOR,
      decide: (current) => ({
        writes: steps.flatMap((step) => {
          const newest = current.get(stepKey(id, step.id))?.value as StepValue | undefined;
          return newest === undefined || hasBegun(newest) || isEnded(newest)
            ? []
            : putStep(id, { ...newest, state: 'skipped', endedAt: toTimestamp(this.#options.clock.now()) });
        }),
      }),
    });
  }

  async #cancel(lane: Lane, operation: Operation, step: StepValue): Promise<void> {
    const { records, lanes, worker, clock } = this.#options;
    const { ns, id } = operation;
    await worker.cancel(operation, step);
    const { claimedUntil: _, nextAt: __, handle: ___, ...rest } = step;
    const ended: StepValue = { ...rest, state: 'cancelled', endedAt: toTimestamp(clock.now()) };
    await lanes.endStep(lane, operation, ended, () => true);
    await records.transact<OperationRecord, Decisions<OperationRecord>>(operationScope(ns, id), {
      keys: [stepKey(id, step.id)],
      ...AUTHOR,
      decide: (current) => {
        const newest = current.get(stepKey(id, step.id))?.value as StepValue | undefined;
        const isAsSeen =
          newest !== undefined &&
          newest.state === step.state &&
          newest.attempts === step.attempts &&
          newest.claimedUntil === step.claimedUntil &&
          newest.nextAt === step.nextAt;
        return { writes: isAsSeen ? [putStep(id, ended)] : [] };
      },
    });
  }

  /** Sends messages for steps whose turn it is. */
  async wake(operation: Operation, steps: readonly StepValue[], occasion?: string): Promise<void> {
    await this.#options.queues
      .send(steps.map((step) => messageFor(operation, step, occasion)))
      .catch(leftToTheAlarm);
  }

  /** Has a step looked at when something is to be done about it. */
  async wakeLater(operation: Operation, step: StepValue, occasion?: string): Promise<void> {
    await this.#options.queues
      .schedule(messageFor(operation, step, occasion), wakeTime(step))
      .catch(leftToTheAlarm);
  }
}

/** Whether nobody works on a step that has begun. */
function isIdle({ claimedUntil }: StepValue, now: number): boolean {
  return claimedUntil === undefined || Date.parse(claimedUntil) <= now;
}

/** One message for each attempt; where it is for a time, or sent again, for each of those. */
function messageFor({ ns, id }: Operation, step: StepValue, occasion?: string): AttemptMessage {
  const time = step.claimedUntil ?? step.nextAt;
  const occasions = [time, occasion].filter((one) => one !== undefined).join(':');
  return {
    task: 'attempt',
    ns,
    operation: id,
    step: step.id,
    attempt: step.attempts + 1,
    ...(occasions !== '' && { occasion: occasions }),
  };
}

function endOf({ cancelRequestedAt, error }: Operation, left: number): OperationEnd {
  if (cancelRequestedAt !== undefined) return { outcome: 'cancelled' };
  if (error !== undefined) return { outcome: 'failed', error };
  return left === 0
    ? { outcome: 'succeeded' }
    : { outcome: 'failed', error: { reason: `${left} steps wait for what did not succeed.` } };
}
