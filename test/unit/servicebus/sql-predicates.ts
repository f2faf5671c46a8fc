import fc from 'fast-check';
import type { Value } from '../../../infra/local/servicebus/filter/message-properties.ts';
import type { Expression, Predicate } from '../../../infra/local/servicebus/filter/sql-syntax.ts';

const name = fc.oneof(
  fc.constantFrom('a', 'b', 'and'),
  fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }),
);
const property = fc.oneof(
  name.map((user) => ({ kind: 'property', scope: 'user', name: user }) as const),
  fc
    .constantFrom('label', 'to', 'sessionid')
    .map((sys) => ({ kind: 'property', scope: 'sys', name: sys }) as const),
);
const constant = fc
  .oneof(
    fc.string({ maxLength: 8, unit: 'grapheme' }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    // What is printed without a point would be read as an integer.
    fc.double({ noNaN: true, noDefaultInfinity: true, noInteger: true }),
    fc.constantFrom<Value[]>(true, false, null, 1n),
  )
  .map((value): Expression => ({ kind: 'constant', value }));

const { expression } = fc.letrec<{ expression: Expression }>((tie) => ({
  expression: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    property,
    constant,
    fc.record({ kind: fc.constant('lookup'), name: tie('expression') }),
    fc.record({ kind: fc.constant('negative'), operand: property }),
    fc.record({
      kind: fc.constant('arithmetic'),
      operator: fc.constantFrom('+', '-', '*', '/', '%'),
      left: tie('expression'),
      right: tie('expression'),
    }),
  ),
}));

/** All that a SQL filter can say. */
export const { predicates } = fc.letrec<{ predicates: Predicate }>((tie) => ({
  predicates: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({
      kind: fc.constant('comparison'),
      operator: fc.constantFrom('=', '<>', '<', '<=', '>', '>='),
      left: expression,
      right: expression,
    }),
    fc.record({ kind: fc.constantFrom('isNull', 'exists'), property }),
    fc.record({
      kind: fc.constant('in'),
      operand: expression,
      choices: fc.array(expression, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('like'), operand: expression, pattern: expression }),
    fc.record({ kind: fc.constant('like'), operand: property, pattern: constant, escape: property }),
    fc.record({ kind: fc.constant('not'), operand: tie('predicates') }),
    fc.record({
      kind: fc.constantFrom('and', 'or'),
      left: tie('predicates'),
      right: tie('predicates'),
    }),
  ),
}));

/** Writes a predicate so that it is read as the same. */
export function printPredicate(predicate: Predicate): string {
  switch (predicate.kind) {
    case 'not':
      return `NOT (${printPredicate(predicate.operand)})`;
    case 'and':
    case 'or':
      return `(${printPredicate(predicate.left)}) ${predicate.kind} (${printPredicate(predicate.right)})`;
    case 'isNull':
      return `${printExpression(predicate.property)} IS NULL`;
    case 'exists':
      return `EXISTS(${printExpression(predicate.property)})`;
    case 'in':
      return `${printExpression(predicate.operand)} IN (${predicate.choices.map(printExpression).join(', ')})`;
    case 'like': {
      const { operand, pattern, escape: marker } = predicate;
      const ending = marker === undefined ? '' : ` ESCAPE ${printExpression(marker)}`;
      return `${printExpression(operand)} LIKE ${printExpression(pattern)}${ending}`;
    }
    case 'comparison':
      return `${printExpression(predicate.left)} ${predicate.operator} ${printExpression(predicate.right)}`;
  }
}

function printExpression(printed: Expression): string {
  switch (printed.kind) {
    case 'property':
      return `${printed.scope}.[${printed.name.replaceAll(']', ']]')}]`;
    case 'constant':
      return typeof printed.value === 'string'
        ? `'${printed.value.replaceAll("'", "''")}'`
        : String(printed.value);
    case 'lookup':
      return `property(${printExpression(printed.name)})`;
    case 'negative':
      return `-${printExpression(printed.operand)}`;
    case 'arithmetic':
      return `(${printExpression(printed.left)} ${printed.operator} ${printExpression(printed.right)})`;
  }
}
