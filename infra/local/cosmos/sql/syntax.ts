import type { JsonValue } from '../json.ts';

export type ComparisonOperator = '=' | '!=' | '<' | '<=' | '>' | '>=';

export type Expression =
  | { readonly kind: 'literal'; readonly value: JsonValue | undefined }
  | { readonly kind: 'parameter'; readonly name: string; readonly token: Token }
  | { readonly kind: 'path'; readonly path: readonly string[] }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'comparison';
      readonly operator: ComparisonOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'in'; readonly operand: Expression; readonly choices: readonly Expression[] }
  | {
      readonly kind: 'between';
      readonly operand: Expression;
      readonly lower: Expression;
      readonly upper: Expression;
    }
  | { readonly kind: 'call'; readonly name: FunctionName; readonly operands: readonly Expression[] };

export const FUNCTION_OPERANDS = {
  IS_DEFINED: [1, 1],
  STARTSWITH: [2, 3],
  CONTAINS: [2, 3],
  ARRAY_CONTAINS: [2, 3],
} as const satisfies Record<string, readonly [least: number, most: number]>;

export type FunctionName = keyof typeof FUNCTION_OPERANDS;
export type AggregateName = 'COUNT' | 'MAX';

export type Selection =
  | { readonly kind: 'all' }
  | { readonly kind: 'value'; readonly expression: Expression }
  | { readonly kind: 'aggregate'; readonly name: AggregateName; readonly operand: Expression }
  | { readonly kind: 'list'; readonly items: readonly SelectedItem[] };

export interface SelectedItem {
  readonly name: string;
  readonly expression: Expression;
}

export interface SortKey {
  readonly path: readonly string[];
  readonly descending: boolean;
}

export interface SelectQuery {
  readonly selection: Selection;
  readonly top: Expression | undefined;
  readonly where: Expression | undefined;
  readonly orderBy: readonly SortKey[];
  readonly offset: Expression | undefined;
  readonly limit: Expression | undefined;
}

export interface Token {
  readonly kind: 'word' | 'string' | 'number' | 'parameter' | 'symbol' | 'end';
  /** As written; for a string the decoded text. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}
