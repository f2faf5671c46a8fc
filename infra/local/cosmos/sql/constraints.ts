import type { JsonValue } from '../json.ts';
import { constantOf, type Parameters } from './evaluate.ts';
import type { Expression } from './syntax.ts';

interface Bound {
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

const MIRRORED = { '=': '=', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const;

/** The constraints that all items passing `where` obey, one for each path. */
export function constraintsOf(where: Expression | undefined, parameters: Parameters): PathConstraint[] {
  const byPath = new Map<string, PathConstraint>();
  for (const term of where === undefined ? [] : conjuncts(where)) {
    if (term.kind !== 'comparison') continue;
    const { left, operator, right } = term;
    const isMirrored = left.kind !== 'path';
    const subject = isMirrored ? right : left;
    const value = constantOf(isMirrored ? left : right, parameters);
    if (subject.kind !== 'path' || value === undefined) continue;
    const name = JSON.stringify(subject.path);
    const constraint = byPath.get(name) ?? { path: subject.path };
    byPath.set(name, constraint);
    const sign = isMirrored ? MIRRORED[operator] : operator;
    if (sign === '=') constraint.equals = value;
    else if (sign === '>' || sign === '>=') constraint.lower ??= { value, inclusive: sign === '>=' };
    else constraint.upper ??= { value, inclusive: sign === '<=' };
  }
  return [...byPath.values()];
}

function conjuncts(expression: Expression): Expression[] {
  if (expression.kind !== 'and') return [expression];
  return [...conjuncts(expression.left), ...conjuncts(expression.right)];
}
