import type { Clock } from '../platform/clock.ts';
import { toTimestamp } from '../platform/clock.ts';
import { conflict, isRefusal, type SkerryError, unprocessable } from '../platform/errors.ts';
import { type Author, type CallerOf, makerOf } from '../platform/http/index.ts';
import { jsonEquals } from '../platform/json-equals.ts';
import type { Random } from '../platform/random.ts';
import { createUlid } from '../platform/ulid.ts';
import type { Alarms, Decision, Json, Records } from '../records/index.ts';
import type { Advance } from './advance.ts';
import type { Command } from './command.ts';
import type { Operation } from './command-rule.ts';
import type { CommandRules, KnownCommand } from './command-rules.ts';
import { isFree, type Lane } from './lane.ts';
import { checkRoom, type Lanes } from './lanes.ts';
import { MAX_REASON_CHARACTERS } from './limits.ts';
import {
  isOver,
  type OperationOutcome,
  type OperationValue,
  operationKey,
  operationScope,
} from './operation.ts';
import type { OperationCallbacks, PreparedCallback } from './operation-callbacks.ts';
import { operationIdOf } from './operation-id.ts';
import { leftToTheAlarm, type OperationQueues } from './operation-queues.ts';
import { putOperation, toOperation, unknownOperation } from './operation-record.ts';
import type { Operations } from './operations.ts';
import { authorizeSender } from './sender-rights.ts';

/*
 * How a command becomes an operation. Who follows these rules may die between any two steps:
 *
 * 1. The operation's alarm (shared/records/leases/alarms.ts) is raised before its record is written, and stays until the record is removed: so
 *    the sweep comes by every operation, whether or not it has a lane yet, and goes on with it.
 * 2. The record is created on the condition that there is none. The same command is the same operation, whose id is made from it.
 * 3. Then it enters the lane (lanes.ts), which it does once however often it is tried. Only then is the command acknowledged.
 *
 * Messages only make haste: what they ask for is in the records, and the alarm asks for it too.
 */

/** How long, in milliseconds, messages have time to bring an operation to its end before the sweep looks. */
const FIRST_RING = 30_000;

/** A command as an HTTP request asks for it. */
export interface CommandRequest {
  readonly ns: string;
  readonly type: string;
  readonly data: Json;
  readonly author: Author;
  /** The header `Idempotency-Key`: with the same one, the same actor's command is the same operation. */
  readonly idempotencyKey?: string | undefined;
}

export interface AcceptedOperation extends Operation {
  /** By which the calls of the command's callback are signed; told once. */
  readonly callbackSecret?: string;
}

export interface CommandsOptions {
  readonly records: Records;
  readonly operations: Operations;
  readonly alarms: Alarms;
  readonly lanes: Lanes;
  readonly rules: CommandRules;
  readonly advance: Advance;
  readonly queues: OperationQueues;
  readonly callbacks?: OperationCallbacks | undefined;
  /** What senders of commands may do now. */
  readonly callerOf: CallerOf;
  readonly clock: Clock;
  readonly random: Random;
}

/** Takes commands, and has their operations begin and cancelled. All methods throw SkerryError `unavailable`. */
export class Commands {
  readonly #options: CommandsOptions;

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /**
   * What an HTTP request asks for: see `send`.
   *
   * @throws what `send` throws.
   */
  async request({ author, idempotencyKey, ...event }: CommandRequest): Promise<AcceptedOperation> {
    const { clock, random } = this.#options;
    const id = idempotencyKey ?? createUlid(clock.now(), random);
    const { traceparent } = author;
    const source = sourceOf(author);
    return await this.send({
      specversion: '1.0',
      id,
      source,
      ...makerOf(author),
      ...event,
      ...(traceparent !== undefined && { traceparent }),
    });
  }

  /**
   * Accepts a command that can be done as things stand, and puts it on the bus, where it is known already.
   *
   * @throws SkerryError `unprocessable` or `invalid` for a faulty one, what `authorizeSender` throws, `too-many-requests` where too many wait, `conflict` where the same id has
   *   been given to another command, and what the rule's `check` throws.
   */
  async send(command: Command): Promise<AcceptedOperation> {
    const { rules, operations, queues } = this.#options;
    const { ns } = command;
    const id = operationIdOf(ns, command.source, command.id);
    const known = rules.check(command);
    await this.#authorize(command, known);
    const standing = await operations.find(ns, id);
    if (standing === undefined) {
      await known.rule.check(ns, known.data);
      checkRoom(await this.#options.lanes.read(known.rule.lane(ns, known.data)));
    } else {
      checkSame(command, known, standing);
    }
    const operation = standing === undefined ? await this.#take(command, known) : await this.resume(standing);
    const { session } = operation;
    if (!isOver(operation.state)) {
      await queues.sendCommand(command, { session, operation: id }).catch(leftToTheAlarm);
    }
    return operation;
  }

  /**
   * Accepts a command from the bus: what cannot be done becomes a failed operation, which says why.
   *
   * @param session of the message.
   */
  async accept(command: Command, session?: string): Promise<AcceptedOperation> {
    const { rules, operations } = this.#options;
    const { ns } = command;
    const id = operationIdOf(ns, command.source, command.id);
    const standing = await operations.find(ns, id);
    let accepted: AcceptedOperation;
    try {
      if (standing === undefined) {
        const known = rules.check(command);
        await this.#authorize(command, known);
        const lane = known.rule.lane(ns, known.data);
        checkSession(lane, session);
        // Who has to wait is asked when the turn comes: others change meanwhile what there is.
        if (isFree(await this.#options.lanes.read(lane))) {
          await known.rule.check(ns, known.data);
        }
        accepted = await this.#take(command, known);
      } else {
        accepted = await this.resume(standing);
      }
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return await this.refuse(command, session ?? '', error);
    }
    await this.#hasten(accepted);
    return accepted;
  }

  /**
   * Has an operation come to an end: at once where it waits for its turn, and otherwise once the steps that run have ended.
   *
   * @throws SkerryError `not-found`; `conflict` when it is over; `unavailable` where only another version of Skerry knows how to end it.
   */
  async cancel(ns: string, id: string, author: Author): Promise<Operation> {
    const { records, rules, clock } = this.#options;
    const { record } = await records.commit<OperationValue>(operationScope(ns, id), {
      key: operationKey(id),
      ...author,
      decide: (current): Decision<OperationValue> => {
        if (current === undefined) throw unknownOperation(id);
        const { value } = current;
        if (isOver(value.state)) {
          throw conflict(`The operation is over: it is ${value.state}.`);
        }
        rules.get(value.type); // Nothing is asked for that this version cannot do.
        return value.cancelRequestedAt === undefined
          ? putOperation(id, { ...value, cancelRequestedAt: toTimestamp(clock.now()) })
          : { type: 'keep' };
      },
    });
    if (record === undefined) throw unknownOperation(id);
    const operation = toOperation(ns, record);
    const ended = await this.resume(operation);
    await this.#hasten(ended);
    return ended;
  }

  /** Sees to it that an operation that is not over is in its lane; or takes it out, where it is to be cancelled and has not begun. */
  async resume(operation: Operation): Promise<Operation> {
    const { lanes, rules, advance } = this.#options;
    const rule = rules.find(operation.type);
    // What only another version knows waits for it, and keeps no message from being done with.
    if (isOver(operation.state) || rule === undefined) return operation;
    const lane = rule.lane(operation.ns, operation.data);
    const seen = await lanes.read(lane);
    const newest = await this.#options.operations.get(operation.ns, operation.id);
    if (isOver(newest.state) || seen.active?.operation === newest.id) {
      return newest;
    }
    if (newest.cancelRequestedAt === undefined) {
      await lanes.enter(lane, newest, seen);
      return newest;
    }
    const isOut = (await lanes.withdraw(lane, newest.id)) || !seen.waiting.includes(newest.id);
    return isOut ? await advance.callOff(newest, { outcome: 'cancelled' }) : newest;
  }

  /** Has what is next of an operation done at once, unless it is over. */
  async #hasten({ ns, id, state }: Operation): Promise<void> {
    if (isOver(state)) return;
    const { queues, random } = this.#options;
    const message = { task: 'advance', ns, operation: id, occasion: random.id() } as const;
    await queues.send([message]).catch(leftToTheAlarm);
  }

  async #authorize(command: Command, { rule, data }: KnownCommand): Promise<void> {
    await authorizeSender(rule, { ...command, data }, this.#options.callerOf);
  }

  /** Steps 1 to 3 above. */
  async #take(command: Command, known: KnownCommand): Promise<AcceptedOperation> {
    const { lanes, advance } = this.#options;
    const { rule, data } = known;
    const lane = rule.lane(command.ns, data);
    const seen = await lanes.read(lane);
    const prepared = await this.#prepare(command);
    const created = await this.#create(command, { session: lane.session, data, state: 'queued' }, prepared);
    // Another command of the same id may have come first, and it belongs into another lane.
    checkSame(command, known, created);
    if (isOver(created.state)) {
      return created;
    }
    try {
      await lanes.enter(lane, created, seen);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const end = { outcome: 'failed', error: { reason: error.message } } as const;
      if (isOver((await advance.callOff(created, end)).state)) throw error;
    }
    const isOwn = created.actor === command.actor;
    return {
      ...created,
      ...(isOwn && prepared?.secret !== undefined && { callbackSecret: prepared.secret }),
    };
  }

  /** Makes a failed operation of a command from the bus, which never began; one that somebody else has accepted meanwhile stays as it is. */
  async refuse(command: Command, session: string, { message }: SkerryError): Promise<Operation> {
    const withoutCallback = { ...command, callback: undefined };
    const prepared =
      (await this.#prepare(command).catch(unlessItPasses)) ??
      (await this.#prepare(withoutCallback).catch(unlessItPasses));
    const error = { reason: message.slice(0, MAX_REASON_CHARACTERS) };
    const data = (command.data ?? null) as Json;
    return await this.#create(command, { session, data, state: 'failed', error }, prepared);
  }

  async #prepare(command: Command): Promise<PreparedCallback | undefined> {
    const { ns, source, id } = command;
    return await this.#options.callbacks?.prepare(command, operationIdOf(ns, source, id));
  }

  /** The operation of a command, created unless it is there. */
  async #create(
    command: Command,
    own: Pick<OperationValue, 'session' | 'data' | 'error'> & { readonly state: 'queued' | OperationOutcome },
    prepared?: PreparedCallback,
  ): Promise<Operation> {
    const { records, alarms, clock } = this.#options;
    const { ns, source, id: commandId, type, traceparent } = command;
    const maker = makerOf(command);
    const id = operationIdOf(ns, source, commandId);
    const scope = operationScope(ns, id);
    for (;;) {
      const alarm = await alarms.raise(scope, operationKey(id), FIRST_RING);
      const { record } = await records.commit<OperationValue>(scope, {
        key: operationKey(id),
        actor: maker.actor,
        traceparent,
        decide: (current) => {
          const at = toTimestamp(clock.now());
          const value = {
            type,
            command: { source, id: commandId },
            ...own,
            ...maker,
            acceptedAt: at,
            ...(isOver(own.state) && { endedAt: at }),
            ...prepared?.told,
          };
          return current === undefined && alarm.isRecent() ? putOperation(id, value) : { type: 'keep' };
        },
      });
      if (record !== undefined) return toOperation(ns, record);
    }
  }
}

/** How sources of commands begin that Skerry names for whoever asks over HTTP, or itself. */
const REQUESTS = '/api/v1/';

/** The source of commands that somebody asks for over HTTP. */
export function sourceOf({ actor }: Pick<Author, 'actor'>): string {
  return `${REQUESTS}${actor}`;
}

/** Whether a source is one that `sourceOf` gives: by another's, their operations could be taken for done before they asked for them. */
export function isSourceOfRequests(source: string): boolean {
  return source.startsWith(REQUESTS);
}

/** @throws SkerryError `conflict` where the operation is another command's. */
function checkSame({ id, type }: Command, { data }: KnownCommand, operation: Operation): void {
  if (operation.type !== type || !jsonEquals(operation.data, data)) {
    throw conflict(`The id "${id}" has been given to another command of the same source.`, {
      fix: 'Give each command an id of its own; over HTTP, by the header Idempotency-Key.',
    });
  }
}

/** @throws SkerryError `unprocessable`. */
function checkSession({ session: expected }: Lane, session: string | undefined): void {
  if (session !== undefined && session !== expected) {
    throw unprocessable(
      `The message has the session "${session}", and the command belongs to "${expected}".`,
      {
        fix: `Send it with the session "${expected}": only so are commands done in the order in which they were sent.`,
      },
    );
  }
}

/** Who may not be told is not; that is what is wrong with the command, or one of the things. */
function unlessItPasses(error: unknown): undefined {
  if (!isRefusal(error)) throw error;
}
