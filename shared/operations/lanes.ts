import type { Clock } from '../platform/clock.ts';
import { SkerryError, tooManyRequests, unavailable } from '../platform/errors.ts';
import type { Alarms, Decisions, Json, RaisedAlarm, Records } from '../records/index.ts';
import type { CommandRule, Current, Operation, OperationEnd, Writes } from './command-rule.ts';
import type { CommandRules } from './command-rules.ts';
import {
  type ActiveOperation,
  FREE_LANE,
  isFree,
  isInLane,
  type Lane,
  type LaneValue,
  MAX_WAITING,
} from './lane.ts';
import type { StepValue } from './operation.ts';
import { AUTHOR } from './operation-record.ts';

/*
 * How operations take turns. Who follows these rules may die between any two steps, and anybody goes on:
 *
 * 1. An operation is made active together with what its rule's `begin` changes, and only on a lane that has the fence which was read before
 *    the operation's record was read and found not to be over. Every operation that becomes active raises the fence: so one that has run
 *    meanwhile is not run again, however late somebody comes who still took it for new. It may come to wait again; then whoever lets the next
 *    one begin finds it over, and drops it.
 * 2. What an operation changes of its lane's scope is decided with the lane, and only while the operation is the active one.
 * 3. An end is decided in the lane, with what `conclude` changes; then the operation's record says so; only then the lane is let go of, and the
 *    next becomes active, in one transaction. So whoever sees an operation over sees what came of it, and there is always at most one active.
 * 4. What `check` or `begin` refuses becomes active all the same, with its end decided: nobody can begin it while its record is being written.
 */

/** How often a decision may find its alarms too old. */
const MAX_ATTEMPTS = 5;

export interface LanesOptions {
  readonly records: Records;
  readonly alarms: Alarms;
  readonly rules: CommandRules;
  readonly clock: Clock;
}

/** What a transaction found. */
type Found<Answer> = Decisions<Json> & { readonly found: Answer };

class NeedsAlarms extends Error {}

/** The records of lanes; see the rules above. All methods throw SkerryError `unavailable`. */
export class Lanes {
  readonly #options: LanesOptions;

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  async read({ scope, key }: Lane): Promise<LaneValue> {
    const record = await this.#options.records.get<LaneValue>(scope, key);
    return record?.value ?? FREE_LANE;
  }

  /**
   * Lets an operation have the lane where that is free, and wait for it otherwise; nothing where it is in there already.
   *
   * @param seen the lane, read before the operation's record was found not to be over.
   * @throws SkerryError `too-many-requests` when too many wait.
   */
  async enter(lane: Lane, operation: Operation, seen: LaneValue): Promise<void> {
    await this.#beginning(operation, async (rule, alarms) => {
      await this.#transact(lane, rule.keys(operation), (value, current) => {
        if (isInLane(value, operation.id)) {
          return { writes: [], found: undefined };
        }
        const { waiting, fence } = value;
        if (isFree(value) && fence === seen.fence) {
          return { ...this.#begun(lane, value, { operation, rule, alarms, current }), found: undefined };
        }
        checkRoom(value);
        return { writes: [put(lane, { ...value, waiting: [...waiting, operation.id] })], found: undefined };
      });
    });
  }

  /**
   * Lets go of an operation that is over, and makes the next one active; nothing where the lane is not as seen any more.
   *
   * @param seen the lane, read before the records of those that wait.
   * @param next.over those that are over.
   * @param next.operation the first of the others.
   * @param next.refusal why that cannot be done as things stand.
   */
  async moveOn(
    lane: Lane,
    seen: LaneValue,
    next: {
      readonly over: ReadonlySet<string>;
      readonly operation?: Operation | undefined;
      readonly refusal?: SkerryError | undefined;
    },
  ): Promise<void> {
    const { operation, refusal } = next;
    const move = async (keys: readonly string[], begin: (value: LaneValue, current: Current) => Writes) =>
      await this.#transact(lane, keys, (value, current) => {
        if (value.fence !== seen.fence || value.active?.operation !== seen.active?.operation) {
          return { writes: [], found: undefined };
        }
        const waiting = value.waiting.filter((id) => !next.over.has(id));
        return { writes: begin({ waiting, fence: value.fence }, current), found: undefined };
      });
    if (operation === undefined) {
      await move([], (value) => [put(lane, value)]);
      return;
    }
    await this.#beginning(
      operation,
      async (rule, alarms) =>
        await move(rule.keys(operation), (value, current) =>
          value.waiting[0] === operation.id
            ? this.#begun(
                lane,
                { ...value, waiting: value.waiting.slice(1) },
                { operation, rule, alarms, current, refusal },
              ).writes
            : [put(lane, value)],
        ),
    );
  }

  /** Takes out an operation that waits; false where it does not. */
  async withdraw(lane: Lane, operation: string): Promise<boolean> {
    return await this.#transact(lane, [], (value) => {
      if (!value.waiting.includes(operation)) {
        return { writes: [], found: false };
      }
      const waiting = value.waiting.filter((id) => id !== operation);
      return { writes: [put(lane, { ...value, waiting })], found: true };
    });
  }

  /** Writes what the end of a step changes; false where that is not this process's to say any more. */
  async endStep(
    lane: Lane,
    operation: Operation,
    step: StepValue,
    isStillMine: () => boolean,
  ): Promise<boolean> {
    const rule = this.#options.rules.get(operation.type);
    return await this.#transact(lane, rule.stepKeys(operation, step), (value, current) => {
      const { active } = value;
      if (active?.operation !== operation.id || active.outcome !== undefined || !isStillMine()) {
        return { writes: [], found: false };
      }
      return { writes: rule.stepEnded(operation, step, current, this.#options.clock.now()), found: true };
    });
  }

  /** Decides how the active operation ended, unless that is decided. */
  async conclude(lane: Lane, operation: Operation, end: OperationEnd): Promise<void> {
    const rule = this.#options.rules.get(operation.type);
    await this.#transact(lane, rule.keys(operation), (value, current) => {
      const { active } = value;
      if (active?.operation !== operation.id || active.outcome !== undefined) {
        return { writes: [], found: undefined };
      }
      const writes = rule.conclude(operation, end, current, this.#options.clock.now());
      return {
        writes: [...writes, put(lane, { ...value, active: { ...active, ...end } })],
        found: undefined,
      };
    });
  }

  /** The lane that an operation has made its own, with what that changes; or with the reason why not. */
  #begun(
    lane: Lane,
    value: LaneValue,
    { operation, rule, alarms, current, refusal }: Beginning,
  ): { writes: Writes } {
    if (!alarms.every((alarm) => alarm.isRecent())) {
      throw new NeedsAlarms();
    }
    const fence = value.fence + 1;
    const active = { operation: operation.id, fence };
    const withActive = (more: Partial<ActiveOperation>) =>
      put(lane, { ...value, active: { ...active, ...more }, fence });
    if (operation.cancelRequestedAt !== undefined) {
      return { writes: [withActive({ outcome: 'cancelled' })] };
    }
    try {
      if (refusal !== undefined) throw refusal;
      const writes = rule.begin({ ...operation, fence }, current, this.#options.clock.now());
      return { writes: [...writes, withActive({})] };
    } catch (error) {
      if (!(error instanceof SkerryError)) throw error;
      return { writes: [withActive({ outcome: 'failed', error: { reason: error.message } })] };
    }
  }

  /** Runs what lets an operation begin, with the alarms that it needs. */
  async #beginning(
    operation: Operation,
    run: (rule: CommandRule, alarms: readonly RaisedAlarm[]) => Promise<void>,
  ): Promise<void> {
    const rule = this.#options.rules.get(operation.type);
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const wanted = rule.alarms?.(operation) ?? [];
      const alarms = await Promise.all(
        wanted.map(({ scope, key }) => this.#options.alarms.raise(scope, key)),
      );
      try {
        await run(rule, alarms);
        return;
      } catch (error) {
        if (!(error instanceof NeedsAlarms)) throw error;
      }
    }
    throw unavailable('Writes of this scope take too long at the moment.');
  }

  async #transact<Answer>(
    { scope, key }: Lane,
    keys: readonly string[],
    decide: (value: LaneValue, current: Current) => Found<Answer>,
  ): Promise<Answer> {
    const { decided } = await this.#options.records.transact<Json, Found<Answer>>(scope, {
      keys: [...new Set([key, ...keys])],
      ...AUTHOR,
      decide: (current) => decide((current.get(key)?.value as LaneValue | undefined) ?? FREE_LANE, current),
    });
    return decided.found;
  }
}

interface Beginning {
  readonly operation: Operation;
  readonly rule: CommandRule;
  readonly alarms: readonly RaisedAlarm[];
  readonly current: Current;
  readonly refusal?: SkerryError | undefined;
}

function put({ key }: Lane, value: LaneValue): Writes[number] {
  return { key, decision: { type: 'put', value: { ...value } as unknown as Json } };
}

/** @throws SkerryError `too-many-requests`. */
export function checkRoom({ waiting }: LaneValue): void {
  if (waiting.length >= MAX_WAITING) {
    throw tooManyRequests(`${waiting.length} operations wait already for what this is about.`, {
      fix: 'Wait until some of them are done, or cancel them.',
    });
  }
}
