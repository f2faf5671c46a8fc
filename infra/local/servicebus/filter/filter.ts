import { EvaluationError, evaluate } from './evaluate.ts';
import type { MessageProperties, SystemProperty } from './message-properties.ts';
import { parseSqlFilter } from './parse.ts';

/** The condition of a subscription's rule: whether a message with these properties passes it. */
export type Filter = (properties: MessageProperties) => boolean;

/**
 * Passes what the condition holds for. The service delivers nothing that it cannot evaluate either; whether it
 * dead-letters that is a property of subscriptions that the official `Config.json` does not have.
 * @throws SqlSyntaxError
 */
export function sqlFilter(expression: string): Filter {
  const predicate = parseSqlFilter(expression);
  return (properties) => {
    try {
      return evaluate(predicate, properties) === true;
    } catch (error) {
      if (error instanceof EvaluationError) return false;
      throw error;
    }
  };
}

export interface Correlation {
  readonly system: ReadonlyMap<SystemProperty, string>;
  readonly user: ReadonlyMap<string, string | number | boolean>;
}

/** Passes what equals all that is given, with case and with types: the number 1 is not the string "1". */
export function correlationFilter({ system, user }: Correlation): Filter {
  return (properties) =>
    [...system].every(([name, wanted]) => properties.system(name) === wanted) &&
    [...user].every(([name, wanted]) => {
      const value = properties.user(name);
      return (typeof value === 'bigint' ? Number(value) : value) === wanted;
    });
}
