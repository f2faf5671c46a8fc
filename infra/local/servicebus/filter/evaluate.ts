import { type MessageProperties, OPAQUE, type Value } from './message-properties.ts';
import type { ArithmeticOperator, ComparisonOperator, Expression, Predicate } from './sql-syntax.ts';

/** Unknown is undefined: what a property that the message does not have makes of most that is said about it. */
type Truth = boolean | undefined;

/** An operator got types that it is not for, or a result that no type holds. Such a message matches nothing. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}

/**
 * Says whether the condition holds, in three-valued logic. Operators bind as in C#, as Microsoft's "Subscription rule
 * SQL filter syntax" has it: integers divide without fraction, strings are compared with case but have no order, and
 * a null that is there (every system property is) differs from any other value instead of being unknown.
 * @throws EvaluationError
 */
export function evaluate(predicate: Predicate, properties: MessageProperties): Truth {
  const value = (expression: Expression) => calculate(expression, properties);
  switch (predicate.kind) {
    case 'not':
      return negate(evaluate(predicate.operand, properties));
    case 'and':
    case 'or': {
      const decisive = predicate.kind === 'or';
      const left = evaluate(predicate.left, properties);
      if (left === decisive) return left;
      const right = evaluate(predicate.right, properties);
      return right === decisive || left !== undefined ? right : undefined;
    }
    case 'isNull':
      return (value(predicate.property) ?? null) === null;
    case 'exists':
      return value(predicate.property) !== undefined;
    case 'comparison':
      return compare(predicate.operator, value(predicate.left), value(predicate.right));
    case 'in': {
      const operand = value(predicate.operand);
      if (operand === undefined) return undefined;
      let truth: Truth = false;
      for (const choice of predicate.choices) {
        const isEqual = compare('=', operand, value(choice));
        if (isEqual === true) return true;
        if (isEqual === undefined) truth = undefined;
      }
      return truth;
    }
    case 'like': {
      const { operand, pattern, escape: marker } = predicate;
      return isLike(value(operand), value(pattern), marker === undefined ? null : value(marker));
    }
  }
}

function negate(truth: Truth): Truth {
  return truth === undefined ? undefined : !truth;
}

function compare(operator: ComparisonOperator, left: Value | undefined, right: Value | undefined): Truth {
  if (left === undefined || right === undefined) return undefined;
  if (operator === '<>') return negate(compare('=', left, right));
  if (left === null || right === null) return operator === '=' && left === right;
  if (isNumber(left) && isNumber(right)) return ORDER[operator](left, right);
  if (left instanceof Date && right instanceof Date) {
    return ORDER[operator](left.getTime(), right.getTime());
  }
  const areComparable = left !== OPAQUE && typeof left === typeof right && !(left instanceof Date);
  if (operator === '=' && areComparable) return left === right;
  throw new EvaluationError(`'${operator}' does not compare ${typeof left} with ${typeof right}.`);
}

type Compare = (left: number | bigint, right: number | bigint) => boolean;

const ORDER: Readonly<Record<Exclude<ComparisonOperator, '<>'>, Compare>> = {
  // biome-ignore lint/suspicious/noDoubleEquals: an integer equals a floating-point number of the same value.
  '=': (left, right) => left == right,
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
};

function isLike(text: Value | undefined, pattern: Value | undefined, marker: Value | undefined): Truth {
  if (text === undefined || pattern === undefined || marker === undefined) return undefined;
  return fits([...textOf(text)], readPattern(textOf(pattern), textOf(marker)));
}

const ONE = Symbol('any one character');
const SOME = Symbol('any number of characters');
type Pattern = readonly (string | typeof ONE | typeof SOME)[];

function readPattern(pattern: string, marker: string): Pattern {
  if (marker.length > 1) throw new EvaluationError('ESCAPE needs one character.');
  const characters = [...pattern];
  const read: Pattern[number][] = [];
  for (let index = 0; index < characters.length; index += 1) {
    const character = characters[index] ?? '';
    if (character === marker) read.push(...characters.slice(++index, index + 1));
    else read.push(character === '%' ? SOME : character === '_' ? ONE : character);
  }
  return read;
}

/** A regular expression could take a time that grows with the power of the number of wildcards. */
function fits(text: readonly string[], pattern: Pattern): boolean {
  let [position, index] = [0, 0];
  let widened: { index: number; position: number } | undefined;
  while (position < text.length) {
    const expected = pattern[index];
    if (expected === SOME) {
      widened = { index: index + 1, position };
      index += 1;
    } else if (expected === ONE || expected === text[position]) {
      [position, index] = [position + 1, index + 1];
    } else if (widened !== undefined) {
      widened.position += 1;
      ({ index, position } = widened);
    } else {
      return false;
    }
  }
  return pattern.slice(index).every((rest) => rest === SOME);
}

function calculate(expression: Expression, properties: MessageProperties): Value | undefined {
  switch (expression.kind) {
    case 'constant':
      return expression.value;
    case 'property':
      return expression.scope === 'sys'
        ? properties.system(expression.name)
        : properties.user(expression.name);
    case 'lookup': {
      const name = calculate(expression.name, properties);
      if (typeof name !== 'string') throw new EvaluationError('The name of a property must be a string.');
      return properties.user(name);
    }
    case 'negative':
      return negative(calculate(expression.operand, properties));
    case 'arithmetic':
      return combine(
        expression.operator,
        calculate(expression.left, properties),
        calculate(expression.right, properties),
      );
  }
}

function negative(value: Value | undefined): Value | undefined {
  if (value === undefined || value === null) return value;
  if (typeof value === 'bigint') return integer(-value);
  if (typeof value === 'number') return -value;
  throw new EvaluationError(`'-' does not take a ${typeof value}.`);
}

function combine(operator: ArithmeticOperator, left: Value | undefined, right: Value | undefined) {
  if (left === undefined || right === undefined) return undefined;
  if (operator === '+' && (typeof left === 'string' || typeof right === 'string')) {
    return textOf(left) + textOf(right);
  }
  if (left === null || right === null) return null;
  if (typeof left === 'bigint' && typeof right === 'bigint') return integer(INTEGERS[operator](left, right));
  if (isNumber(left) && isNumber(right)) return NUMBERS[operator](Number(left), Number(right));
  throw new EvaluationError(`'${operator}' does not take ${typeof left} and ${typeof right}.`);
}

const NUMBERS: Readonly<Record<ArithmeticOperator, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
};

const INTEGERS: Readonly<Record<ArithmeticOperator, (left: bigint, right: bigint) => bigint>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / divisor(right),
  '%': (left, right) => left % divisor(right),
};

function divisor(value: bigint): bigint {
  if (value === 0n) throw new EvaluationError('An integer is divided by zero.');
  return value;
}

function integer(value: bigint): bigint {
  if (BigInt.asIntN(64, value) !== value) throw new EvaluationError('An integer has over 64 bits.');
  return value;
}

function isNumber(value: Value): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** As .NET converts it, for LIKE and for `+` with a string. */
function textOf(value: Value): string {
  if (value === null) return '';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (value === OPAQUE || value instanceof Date) throw new EvaluationError('The value is no text.');
  return String(value);
}
