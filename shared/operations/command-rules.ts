import { SkerryError, unavailable, unprocessable } from '../platform/errors.ts';
import { checkInput } from '../platform/http/index.ts';
import type { Json } from '../records/index.ts';
import type { CommandRule, Operation } from './command-rule.ts';
import type { Lane } from './lane.ts';

/** A command of a type that there is, with data as it has to be. */
export interface KnownCommand {
  readonly rule: CommandRule;
  /** With defaults filled in. */
  readonly data: Json;
}

/** The rules of all types of commands. */
export class CommandRules {
  readonly #rules: ReadonlyMap<string, CommandRule>;

  constructor(rules: readonly CommandRule[]) {
    this.#rules = new Map(rules.map((rule) => [rule.type, rule]));
  }

  /** In the order in which they were given. */
  all(): readonly CommandRule[] {
    return [...this.#rules.values()];
  }

  find(type: string): CommandRule | undefined {
    return this.#rules.get(type);
  }

  /**
   * The rule of an operation, which was accepted by it.
   *
   * @throws SkerryError `unavailable` for a type that only another version of Skerry knows: its operations wait for that.
   */
  get(type: string): CommandRule {
    const rule = this.#rules.get(type);
    if (rule === undefined) {
      throw unavailable(`This version of Skerry does not know operations of the type "${type}".`, {
        fix: 'Run the version that accepted the operation, or a newer one, and try again.',
      });
    }
    return rule;
  }

  /** The lane of an operation; undefined for a command that was refused before it had one. */
  laneOf({ ns, type, data, session }: Operation): Lane | undefined {
    try {
      const lane = this.#rules.get(type)?.lane(ns, data);
      return lane?.session === session ? lane : undefined;
    } catch {
      // The data is not such as the rule allows.
      return undefined;
    }
  }

  /** @throws SkerryError `unprocessable` for a type that there is not, `invalid` for faulty data; `field` as the command has it. */
  check({ type, data }: { readonly type: string; readonly data?: unknown }): KnownCommand {
    const rule = this.#rules.get(type);
    if (rule === undefined) {
      throw unprocessable(`There are no commands of the type "${type}".`, {
        field: 'type',
        fix: `Use one of ${[...this.#rules.keys()].join(', ')}.`,
      });
    }
    try {
      return { rule, data: checkInput(rule.schema, data, 'field') };
    } catch (error) {
      throw error instanceof SkerryError ? inData(error) : error;
    }
  }
}

/** The same fault, its field counted from the command. */
function inData({ kind, message, field, fix }: SkerryError): SkerryError {
  const below = field === undefined ? 'data' : `data.${field}`;
  const text = field === undefined ? message.replace('The body', 'The field "data"') : message;
  return new SkerryError(kind, text.replace(`"${field}"`, `"${below}"`), {
    field: below,
    ...(fix !== undefined && { fix }),
  });
}
