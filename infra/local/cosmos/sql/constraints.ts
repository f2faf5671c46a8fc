import type { JsonValue } from '../json.ts';
import { constantOf, type Parameters } from './evaluate.ts';
import type { Expression } from './syntax.ts';

export interface Bound {
  readonly value: JsonValue;
  readonly inclusive: boolean;
}

/** What a filter demands of one path in every item that passes: enough to narrow a search, never the whole filter. */
export interface PathConstraint {
  readonly path: readonly string[];
  equals?: JsonValue;
  lower?: Bound;
  upper?: Bound;
}

/** The constraints that all items passing `where` obey, one for each path. */
export function constraintsOf(where: Expression | undefined, parameters: Parameters): PathConstraint[] {
  const byPath = new Map<string, PathConstraint>();
  for (const term of where === undefined ? [] : conjuncts(where)) {
    for (const { path, operator, value } of demandsOf(term, parameters)) {
      if (value === undefined) continue;
      const name = JSON.stringify(path);
      const constraint = byPath.get(name) ?? { path };
      byPath.set(name, constraint);
      if (operator === '=') constraint.equals = value;
      else if (operator === '>' || operator === '>=')
        constraint.lower ??= { value, inclusive: operator === '>=' };
      else constraint.upper ??= { value, inclusive: operator === '<=' };
    }
  }
  return [...byPath.values()];
}

/** All paths that an expression looks at. */
export function pathsOf(expression: Expression): (readonly string[])[] {
  switch (expression.kind) {
    case 'path':
      return [expression.path];
    case 'literal':
    case 'parameter':
      return [];
    case 'not':
      return pathsOf(expression.operand);
    case 'and':
    case 'or':
    case 'comparison':
      return [...pathsOf(expression.left), ...pathsOf(expression.right)];
    case 'array':
      return expression.items.flatMap(pathsOf);
    case 'object':
      return expression.properties.flatMap((property) => pathsOf(property.expression));
    case 'call':
      return expression.operands.flatMap(pathsOf);
  }
}

interface Demand {
  readonly path: readonly string[];
  readonly operator: '=' | '<' | '<=' | '>' | '>=';
  readonly value: JsonValue | undefined;
}

const MIRRORED = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

function conjuncts(expression: Expression): Expression[] {
  if (expression.kind !== 'and') return [expression];
  return [...conjuncts(expression.left), ...conjuncts(expression.right)];
}

function demandsOf(expression: Expression, parameters: Parameters): Demand[] {
  if (expression.kind !== 'comparison') return [];
  const { left, right, operator } = expression;
  if (left.kind === 'path') return [{ path: left.path, operator, value: constantOf(right, parameters) }];
  if (right.kind !== 'path') return [];
  return [{ path: right.path, operator: MIRRORED[operator], value: constantOf(left, parameters) }];
}
