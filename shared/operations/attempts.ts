import type { Clock } from '../platform/clock.ts';
import { isRefusal } from '../platform/errors.ts';
import type { Random } from '../platform/random.ts';
import type { Decisions, Records } from '../records/index.ts';
import type { Advance } from './advance.ts';
import { type Claim, decideClaim } from './claim.ts';
import type { Operation } from './command-rule.ts';
import type { CommandRules } from './command-rules.ts';
import type { Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import type { OperationLimits } from './limits.ts';
import { type OperationValue, operationKey, operationScope, type StepValue, stepKey } from './operation.ts';
import {
  AUTHOR,
  type OperationRecord,
  type OperationWrites,
  putOperation,
  putStep,
} from './operation-record.ts';
import { isClosing, isEnded, wakeTime } from './progress.ts';
import { stepAfter } from './step-after.ts';
import type { StepBoards } from './step-boards.ts';
import { markSteps, type StepMarks } from './step-marks.ts';
import type { AttemptMessage } from './step-message.ts';
import type { AttemptOutcome, StepWorker } from './step-worker.ts';
import type { Steps } from './steps.ts';

/*
 * How a step is done. A message says no more than which step to look at; what is due of it stands in its record. Who follows these rules may die
 * between any two steps:
 *
 * 1. An attempt is claimed in the step's record, for as long as it may take and some seconds more. Messages that come meanwhile are sent again for
 *    the end of that time; who comes then takes over a claim that nobody has ended, with the same idempotency key.
 * 2. When the work is done, what the step changes of its environment is written first (`stepEnded`), in the lane's scope, while the operation is
 *    the active one and the claim still holds; then the step's record says that it has ended, if the claim is still the one that was taken. So
 *    a step that is recorded as finished has had its effect, and never runs again; who died in between leaves a claim that is taken over.
 * 3. Ending a step and letting others begin is one transaction (step-marks.ts). A step that has failed for good leaves its error in the
 *    operation's record in that same transaction, and steps that have not begun are claimed together with that record: so none begins afterwards.
 * 4. Messages for what begins are sent after that. Where they are lost, the message of the ended step comes again, or the alarm rings, and they
 *    are sent again.
 *
 * Claims go by the clock: those of two processes may be as far apart as the margin of a claim (limits.ts). Beyond that, an attempt that lasted
 * longer than it was allowed could leave what it changed of its environment after another one has ended the step.
 */

export interface AttemptsOptions {
  readonly records: Records;
  readonly lanes: Lanes;
  readonly rules: CommandRules;
  readonly worker: StepWorker;
  readonly steps: Steps;
  readonly boards: StepBoards;
  readonly advance: Advance;
  readonly limits: OperationLimits;
  readonly clock: Clock;
  readonly random: Random;
}

type Claimed = Extract<Claim, { kind: 'claimed' }>;

/** Makes attempts of steps; see the rules above. All methods throw SkerryError `unavailable`. */
export class Attempts {
  readonly #options: AttemptsOptions;

  constructor(options: AttemptsOptions) {
    this.#options = options;
  }

  async handle({ ns, operation: id, step, occasion }: AttemptMessage): Promise<void> {
    const { advance, steps, clock } = this.#options;
    const claim = await this.#claim(ns, id, step);
    switch (claim.kind) {
      case 'over':
        return;
      case 'nothing':
        // Who ended the step may have died before anything else was begun.
        return await advance.lane(this.#laneOf(claim.operation), occasion);
      case 'later':
        return await steps.wakeLater(claim.operation, claim.step, String(clock.now()));
      case 'claimed':
        return await this.#settle(claim, await this.#outcomeOf(claim));
    }
  }

  async #claim(ns: string, id: string, step: string): Promise<Claim> {
    const { records, rules, limits, clock } = this.#options;
    const { decided } = await records.transact<
      OperationRecord,
      Decisions<OperationRecord> & { claim: Claim }
    >(operationScope(ns, id), {
      keys: [operationKey(id), stepKey(id, step)],
      ...AUTHOR,
      decide: (current) => {
        const value = current.get(operationKey(id))?.value as OperationValue | undefined;
        // What only another version of Skerry knows is left for it, and asked for again by the alarm.
        const isKnown = value !== undefined && rules.find(value.type) !== undefined;
        const claim = decideClaim(
          isKnown ? { ...value, ns, id } : undefined,
          current.get(stepKey(id, step))?.value as StepValue | undefined,
          { now: clock.now(), attemptTime: limits.attemptTime },
        );
        return { claim, writes: claim.kind === 'claimed' ? [putStep(id, claim.step)] : [] };
      },
    });
    return decided.claim;
  }

  async #outcomeOf({ operation, step, giveUp }: Claimed): Promise<AttemptOutcome> {
    const { worker } = this.#options;
    if (giveUp === undefined) {
      return await worker.attempt(operation, step);
    }
    await worker.cancel(operation, step);
    return { state: 'failed', reason: giveUp, isPassing: false };
  }

  /** Writes down what came of an attempt. */
  async #settle({ operation, step }: Claimed, outcome: AttemptOutcome): Promise<void> {
    const { steps, limits, clock, random } = this.#options;
    const after = stepAfter(step, outcome, {
      now: clock.now(),
      pauses: limits.retryPauses,
      jitter: random.fraction(),
    });
    if (isEnded(after)) {
      return await this.#end(operation, step, after);
    }
    if ((await this.#write(operation, step, after)).isMine) {
      await steps.wakeLater(operation, after);
    }
  }

  async #end(operation: Operation, claimed: StepValue, wanted: StepValue): Promise<void> {
    const lane = this.#laneOf(operation);
    const ended = await this.#endInLane(lane, operation, claimed, wanted);
    if (ended === undefined) return;
    const { ns, id } = operation;
    const { boards, limits, steps, advance } = this.#options;
    const marks =
      ended.state === 'succeeded'
        ? markSteps(id, await boards.known(ns, id), limits.stepsAtOnce, ended.id)
        : undefined;
    const { isMine, begun, isClosed } = await this.#write(operation, claimed, ended, marks);
    if (!isMine) return;
    await steps.wake(operation, begun);
    const board = await boards.known(ns, id);
    const isSettled = board.underWay.length > 0 && markSteps(id, board, limits.stepsAtOnce).ids.length === 0;
    if (isClosed || !isSettled) {
      await advance.lane(lane);
    }
  }

  /** Writes what the end changes of its lane's scope. @returns how it ended; undefined where that is somebody else's to say. */
  async #endInLane(
    lane: Lane,
    operation: Operation,
    claimed: StepValue,
    ended: StepValue,
  ): Promise<StepValue | undefined> {
    const { lanes, clock } = this.#options;
    const isStillMine = () => clock.now() < wakeTime(claimed);
    try {
      return (await lanes.endStep(lane, operation, ended, isStillMine)) ? ended : undefined;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const { outputs, ...rest } = ended;
      const failed: StepValue = { ...rest, state: 'failed', error: error.message };
      if (ended.state === 'failed' && outputs === undefined) return failed;
      return await this.#endInLane(lane, operation, claimed, failed);
    }
  }

  /** Writes a step that is claimed here as it is now, and what begins with that. */
  async #write(
    { ns, id }: Operation,
    claimed: StepValue,
    after: StepValue,
    marks?: StepMarks,
  ): Promise<Written> {
    const key = operationKey(id);
    const own = stepKey(id, claimed.id);
    const { decided } = await this.#options.records.transact<OperationRecord, Written>(
      operationScope(ns, id),
      {
        keys: [...new Set([key, own, ...(marks?.keys ?? [])])],
        ...AUTHOR,
        decide: (current) => {
          const value = current.get(key)?.value as OperationValue | undefined;
          const newest = current.get(own)?.value as StepValue | undefined;
          if (value === undefined || newest === undefined || !isSameClaim(newest, claimed)) {
            return { writes: [], isMine: false, begun: [], isClosed: false };
          }
          const begun = marks?.decide(current) ?? [];
          const isFirstFailure = after.state === 'failed' && value.error === undefined;
          const error = { reason: after.error ?? 'It failed.', step: after.id };
          const failure: OperationWrites = isFirstFailure
            ? [{ key, decision: putOperation(id, { ...value, error }) }]
            : [];
          return {
            writes: [...[after, ...begun].map((step) => putStep(id, step)), ...failure],
            isMine: true,
            begun,
            isClosed: isFirstFailure || isClosing(value),
          };
        },
      },
    );
    return decided;
  }

  #laneOf({ ns, type, data }: Operation): Lane {
    return this.#options.rules.get(type).lane(ns, data);
  }
}

interface Written extends Decisions<OperationRecord> {
  readonly isMine: boolean;
  readonly begun: readonly StepValue[];
  readonly isClosed: boolean;
}

function isSameClaim(newest: StepValue, claimed: StepValue): boolean {
  return (
    newest.state === 'running' &&
    newest.attempts === claimed.attempts &&
    newest.claimedUntil === claimed.claimedUntil
  );
}
