import { TYPE_RANK, typeRank } from '../indexed-value.ts';
import type { JsonObject, JsonValue } from '../json.ts';
import { compareValues, deepEqual, partlyEqual } from './compare.ts';
import type { ComparisonOperator, Expression, FunctionName } from './syntax.ts';

export type Parameters = ReadonlyMap<string, JsonValue | undefined>;
/** `undefined` is a value of its own: three-valued logic rests on it. */
export type Evaluator = (item: JsonObject) => JsonValue | undefined;

/** Turns an expression into a function of an item, parameters bound. */
export function compile(expression: Expression, parameters: Parameters): Evaluator {
  switch (expression.kind) {
    case 'literal':
    case 'parameter': {
      const value = constantOf(expression, parameters);
      return () => value;
    }
    case 'path':
      return pathEvaluator(expression.path);
    case 'not': {
      const operand = compile(expression.operand, parameters);
      return (item) => {
        const value = operand(item);
        return typeof value === 'boolean' ? !value : undefined;
      };
    }
    case 'and':
    case 'or':
      return logical(
        compile(expression.left, parameters),
        compile(expression.right, parameters),
        expression.kind === 'or',
      );
    case 'comparison': {
      const left = compile(expression.left, parameters);
      const right = compile(expression.right, parameters);
      return (item) => compareBy(expression.operator, left(item), right(item));
    }
    case 'array': {
      const items = expression.items.map((item) => compile(item, parameters));
      return (item) => items.map((evaluate) => evaluate(item) ?? null);
    }
    case 'object': {
      const properties = expression.properties.map(
        (property) => [property.name, compile(property.expression, parameters)] as const,
      );
      return (item) => {
        const values = properties.map(([name, evaluate]) => [name, evaluate(item)] as const);
        return Object.fromEntries(
          values.filter((entry): entry is [string, JsonValue] => entry[1] !== undefined),
        );
      };
    }
    case 'call': {
      const evaluate = FUNCTIONS[expression.name];
      const [first, second, third] = expression.operands.map((operand) => compile(operand, parameters));
      return (item) => evaluate(first?.(item), second?.(item), third?.(item));
    }
  }
}

/** The value of a literal or parameter; `undefined` for all else, also for a parameter that was not given. */
export function constantOf(expression: Expression, parameters: Parameters): JsonValue | undefined {
  if (expression.kind === 'literal') return expression.value;
  return expression.kind === 'parameter' ? parameters.get(expression.name) : undefined;
}

function pathEvaluator(path: readonly string[]): Evaluator {
  return (item) => {
    let value: JsonValue | undefined = item;
    for (const name of path) {
      if (Array.isArray(value)) value = value[Number(name)];
      else if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
      else value = value[name];
    }
    return value;
  };
}

/** AND (`decisive` false) and OR (`decisive` true): one decisive side decides, whatever the other is. */
function logical(left: Evaluator, right: Evaluator, decisive: boolean): Evaluator {
  return (item) => {
    const first = left(item);
    if (first === decisive) return decisive;
    const second = right(item);
    if (second === decisive) return decisive;
    return typeof first === 'boolean' && typeof second === 'boolean' ? !decisive : undefined;
  };
}

/** Values of different types do not compare: the result is undefined and the item drops out. */
function compareBy(
  operator: ComparisonOperator,
  left: JsonValue | undefined,
  right: JsonValue | undefined,
): boolean | undefined {
  if (left === undefined || right === undefined) return undefined;
  const rank = typeRank(left);
  if (rank !== typeRank(right)) return undefined;
  if (operator === '=') return deepEqual(left, right);
  if (rank >= TYPE_RANK.array) return undefined;
  const order = compareValues(left, right);
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

type Value = JsonValue | undefined;

const FUNCTIONS: Readonly<Record<FunctionName, (first: Value, second: Value, third: Value) => Value>> = {
  IS_DEFINED: (value) => value !== undefined,
  STARTSWITH: (text, part, ignoreCase) =>
    textTest(text, part, ignoreCase, (one, other) => one.startsWith(other)),
  CONTAINS: (text, part, ignoreCase) => textTest(text, part, ignoreCase, (one, other) => one.includes(other)),
  ARRAY_CONTAINS: (list, wanted, partial) => arrayContains(list, wanted, partial === true),
};

function textTest(
  text: Value,
  part: Value,
  ignoreCase: Value,
  test: (text: string, part: string) => boolean,
): boolean | undefined {
  if (typeof text !== 'string' || typeof part !== 'string') return undefined;
  return ignoreCase === true ? test(text.toLowerCase(), part.toLowerCase()) : test(text, part);
}

function arrayContains(list: Value, wanted: Value, partial: boolean): boolean | undefined {
  if (!Array.isArray(list) || wanted === undefined) return undefined;
  return list.some((item) => (partial ? partlyEqual(item, wanted) : deepEqual(item, wanted)));
}
