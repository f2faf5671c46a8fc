import type { Clock } from '../platform/clock.ts';
import { toTimestamp } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { Records } from '../records/index.ts';
import type { Operation } from './command-rule.ts';
import { STEPS_PER_TRANSACTION } from './limits.ts';
import {
  isOver,
  type OperationValue,
  operationKey,
  operationScope,
  type PlannedStep,
  type StepValue,
  stepKey,
  stepsPrefix,
} from './operation.ts';
import {
  AUTHOR,
  type OperationRecord,
  type OperationWrites,
  putOperation,
  putStep,
} from './operation-record.ts';

/*
 * How a plan is written down. It is there when the operation's record says `running`, with a count of its steps; until then it is made anew by
 * whoever comes after a crash, and may be another one. So no two who write may mix theirs:
 *
 * 1. A plan that goes into one transaction is written in one, together with the operation's record.
 * 2. For a larger one, the operation's record first names who writes; each transaction after that is decided together with that record, and
 *    refused where it names somebody else by now. The last one takes the name away and says `running`. Nobody takes over before a time that the
 *    record tells, which is only so that they do not keep each other from the end.
 * 3. Who has the name first looks what others left behind, and removes what is not in the new plan.
 */

/** How long, in milliseconds, one process may write alone. */
const PLANNING_TIME = 60_000;
/** Bytes of JSON in one transaction: what a batch holds (1.5 MB with each value twice), and some to spare. */
const MAX_BYTES = 500_000;

export interface PlanWriterOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly random: Random;
  readonly stepsAtOnce: number;
}

/** Writes plans down; see the rules above. */
export class PlanWriter {
  readonly #options: PlanWriterOptions;

  constructor(options: PlanWriterOptions) {
    this.#options = options;
  }

  /**
   * @param fence of the operation, which is the active one of its lane.
   * @returns false where somebody else writes a plan, or has done so.
   * @throws SkerryError `too-large` for a step that is too large for a record; `unavailable`.
   */
  async write(operation: Operation, fence: number, planned: readonly PlannedStep[]): Promise<boolean> {
    const steps = this.#startOf(planned);
    const batches = toBatches(steps);
    const [last = []] = batches;
    const name = this.#options.random.id();
    const isAlone = batches.length <= 1 && operation.planning === undefined;
    if (!isAlone && !(await this.#take(operation, name))) {
      return false;
    }
    const stale = isAlone ? [] : await this.#keysBesides(operation, steps);
    for (let at = 0; at < stale.length; at += STEPS_PER_TRANSACTION) {
      const removals = stale
        .slice(at, at + STEPS_PER_TRANSACTION)
        .map((key) => ({ key, decision: { type: 'delete' } as const }));
      if (!(await this.#append(operation, name, removals))) return false;
    }
    for (const batch of batches.slice(1)) {
      if (
        !(await this.#append(
          operation,
          name,
          batch.map((step) => putStep(operation.id, step)),
        ))
      )
        return false;
    }
    return await this.#finish(operation, isAlone ? undefined : name, {
      fence,
      stepCount: steps.length,
      writes: last.map((step) => putStep(operation.id, step)),
    });
  }

  /** The steps in the order of their ids, those first that begin at once: they are written last. */
  #startOf(planned: readonly PlannedStep[]): readonly StepValue[] {
    const steps = planned
      .map((step): StepValue => ({ ...step, state: 'waiting', attempts: 0, log: [] }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const roots = steps.filter(({ dependsOn }) => dependsOn.length === 0);
    const first = new Set(roots.slice(0, this.#options.stepsAtOnce));
    return [
      ...[...first].map((step): StepValue => ({ ...step, state: 'ready' })),
      ...steps.filter((step) => !first.has(step)),
    ];
  }

  async #take({ ns, id }: Operation, name: string): Promise<boolean> {
    const { records, clock } = this.#options;
    const { record } = await records.commit<OperationValue>(operationScope(ns, id), {
      key: operationKey(id),
      ...AUTHOR,
      decide: (current) => {
        const now = clock.now();
        if (current === undefined || !isToPlan(current.value)) {
          return { type: 'keep' };
        }
        const { planning } = current.value;
        return planning === undefined || Date.parse(planning.until) <= now
          ? putOperation(id, {
              ...current.value,
              planning: { by: name, until: toTimestamp(now + PLANNING_TIME) },
            })
          : { type: 'keep' };
      },
    });
    return record?.value.planning?.by === name;
  }

  async #keysBesides({ ns, id }: Operation, steps: readonly StepValue[]): Promise<readonly string[]> {
    const wanted = new Set(steps.map((step) => stepKey(id, step.id)));
    const { records } = await this.#options.records.list(operationScope(ns, id), { prefix: stepsPrefix(id) });
    return records.flatMap(({ key }) => (wanted.has(key) ? [] : key));
  }

  async #append(operation: Operation, name: string, writes: OperationWrites): Promise<boolean> {
    return await this.#transact(operation, name, writes, (value) => value);
  }

  async #finish(
    operation: Operation,
    name: string | undefined,
    { fence, stepCount, writes }: { fence: number; stepCount: number; writes: OperationWrites },
  ): Promise<boolean> {
    return await this.#transact(operation, name, writes, ({ planning: _, ...value }) => ({
      ...value,
      state: 'running',
      startedAt: toTimestamp(this.#options.clock.now()),
      fence,
      stepCount,
    }));
  }

  /** Writes, as long as the record names who does; false otherwise. */
  async #transact(
    { ns, id }: Operation,
    name: string | undefined,
    writes: OperationWrites,
    change: (value: OperationValue) => OperationValue,
  ): Promise<boolean> {
    const key = operationKey(id);
    const { decided } = await this.#options.records.transact<
      OperationRecord,
      { isMine: boolean; writes: OperationWrites }
    >(operationScope(ns, id), {
      keys: [key, ...writes.map((write) => write.key)],
      ...AUTHOR,
      decide: (current) => {
        const value = current.get(key)?.value as OperationValue | undefined;
        if (value === undefined || !isToPlan(value) || value.planning?.by !== name) {
          return { isMine: false, writes: [] };
        }
        const changed = change(value);
        const own = { key, decision: putOperation(id, changed) };
        return { isMine: true, writes: changed === value ? writes : [...writes, own] };
      },
    });
    return decided.isMine;
  }
}

function isToPlan({ state, stepCount }: OperationValue): boolean {
  return !isOver(state) && stepCount === undefined;
}

/** So many steps as fit into one transaction each. */
function toBatches(steps: readonly StepValue[]): readonly (readonly StepValue[])[] {
  const batches: StepValue[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const step of steps) {
    const size = Buffer.byteLength(JSON.stringify(step));
    const batch = batches.at(-1);
    if (batch === undefined || batch.length === STEPS_PER_TRANSACTION || bytes + size > MAX_BYTES) {
      batches.push([step]);
      bytes = size;
    } else {
      batch.push(step);
      bytes += size;
    }
  }
  return batches;
}
