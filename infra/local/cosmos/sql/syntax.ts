import type { JsonValue } from '../json.ts';

export type ComparisonOperator = '=' | '<' | '<=' | '>' | '>=';

/** `!=`, IN and BETWEEN are expressed by these. */
export type Expression =
  | { readonly kind: 'literal'; readonly value: JsonValue | undefined }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'path'; readonly path: readonly string[] }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'comparison';
      readonly operator: ComparisonOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'array'; readonly items: readonly Expression[] }
  | { readonly kind: 'object'; readonly properties: readonly SelectedItem[] }
  | { readonly kind: 'call'; readonly name: FunctionName; readonly operands: readonly Expression[] };

export const FUNCTION_OPERANDS = {
  IS_DEFINED: [1, 1],
  STARTSWITH: [2, 3],
  CONTAINS: [2, 3],
  ARRAY_CONTAINS: [2, 3],
} as const satisfies Record<string, readonly [least: number, most: number]>;

export type FunctionName = keyof typeof FUNCTION_OPERANDS;

export type Selection =
  | { readonly kind: 'all' }
  | { readonly kind: 'value'; readonly expression: Expression; readonly text: string }
  /** `isPartial`: in the form `[{"item": COUNT(…)}]`, of which clients add up those of several physical partitions. */
  | {
      readonly kind: 'count';
      readonly operand: Expression;
      readonly text: string;
      readonly isPartial: boolean;
    }
  | { readonly kind: 'list'; readonly items: readonly SelectedItem[] };

export interface SelectedItem {
  readonly name: string;
  readonly expression: Expression;
  /** The expression as written. */
  readonly text: string;
}

export interface SortKey {
  readonly path: readonly string[];
  /** The path as written. */
  readonly text: string;
  readonly descending: boolean;
}

export interface SelectQuery {
  readonly selection: Selection;
  readonly top: Expression | undefined;
  readonly where: Expression | undefined;
  readonly orderBy: readonly SortKey[];
  readonly offset: Expression | undefined;
  readonly limit: Expression | undefined;
  readonly alias: string;
  /** The clauses as written, without their first words. */
  readonly clauses: { readonly selection: string; readonly from: string; readonly where: string | undefined };
  /** The query without its filter: what a continuation token stays good for. */
  readonly shape: string;
}

export interface Token {
  readonly kind: 'word' | 'string' | 'number' | 'parameter' | 'symbol' | 'end';
  /** As written; for a string the decoded text. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}
