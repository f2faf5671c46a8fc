import type { Clock } from '../platform/clock.ts';
import { mapConcurrently } from '../platform/map-concurrently.ts';
import type { Alarms, Records, StoredLease, Sweeper, SweepSummary } from '../records/index.ts';
import type { Advance } from './advance.ts';
import type { Operation } from './command-rule.ts';
import type { CommandRules } from './command-rules.ts';
import type { Commands } from './commands.ts';
import { isInLane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import { type OperationLimits, STEPS_PER_TRANSACTION } from './limits.ts';
import { isOver, OPERATION_KIND, operationKey, operationScope, stepsPrefix } from './operation.ts';
import type { OperationCallbacks } from './operation-callbacks.ts';
import type { Operations } from './operations.ts';

const AUTHOR = { actor: 'system:retention' };
const AT_ONCE = 8;

export interface OperationSweeperOptions {
  readonly records: Records;
  readonly operations: Operations;
  readonly commands: Commands;
  readonly lanes: Lanes;
  readonly advance: Advance;
  readonly alarms: Alarms;
  readonly rules: CommandRules;
  readonly callbacks?: OperationCallbacks | undefined;
  readonly limits: OperationLimits;
  readonly clock: Clock;
}

/**
 * Deals with the alarms of operations: goes on with those that are under way, whatever became of their messages, and removes those that ended
 * long ago, the steps first. The sweep alone is enough for every operation to come to its end.
 */
export class OperationSweeper implements Sweeper {
  readonly #options: OperationSweeperOptions;

  constructor(options: OperationSweeperOptions) {
    this.#options = options;
  }

  isFor({ scope }: StoredLease): boolean {
    return scope.kind === OPERATION_KIND;
  }

  async sweepScope(due: readonly StoredLease[], summary: SweepSummary): Promise<void> {
    await mapConcurrently(due, AT_ONCE, (held) => this.#attend(held, summary));
  }

  async #attend(held: StoredLease, summary: SweepSummary): Promise<void> {
    const { alarms, operations, callbacks, limits, clock } = this.#options;
    const { ns, name: id } = held.scope;
    const operation = await operations.find(ns, id);
    if (operation === undefined) {
      return await alarms.settle(held, undefined);
    }
    if (!isOver(operation.state)) {
      await this.#goOn(operation);
      return await alarms.move(held, clock.now() + limits.checkInterval);
    }
    const removedAt = Date.parse(operation.endedAt ?? operation.acceptedAt) + limits.retention;
    if (clock.now() < removedAt) {
      await callbacks?.ended(operation);
      await this.#letGo(operation);
      return await alarms.move(held, removedAt);
    }
    await this.#remove(operation);
    summary.collected += 1;
    await alarms.remove(held);
  }

  async #goOn(operation: Operation): Promise<void> {
    const { commands, advance, rules, clock } = this.#options;
    const newest = await commands.resume(operation);
    if (!isOver(newest.state)) {
      await advance.lane(rules.get(newest.type).lane(newest.ns, newest.data), String(clock.now()));
    }
  }

  /** Goes on with the lane where somebody died before it was let go of. */
  async #letGo(operation: Operation): Promise<void> {
    const { lanes, advance, rules } = this.#options;
    const lane = rules.laneOf(operation);
    if (lane !== undefined && isInLane(await lanes.read(lane), operation.id)) {
      await advance.lane(lane);
    }
  }

  async #remove({ ns, id }: Operation): Promise<void> {
    const scope = operationScope(ns, id);
    for (;;) {
      const { records } = await this.#options.records.list(scope, {
        prefix: stepsPrefix(id),
        limit: STEPS_PER_TRANSACTION,
      });
      const keys = records.length === 0 ? [operationKey(id)] : records.map(({ key }) => key);
      await this.#options.records.transact(scope, {
        keys,
        ...AUTHOR,
        decide: () => ({ writes: keys.map((key) => ({ key, decision: { type: 'expire' } })) }),
      });
      if (records.length === 0) return;
    }
  }
}
