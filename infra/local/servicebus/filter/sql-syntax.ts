import type { SystemProperty, Value } from './message-properties.ts';

export type ComparisonOperator = '=' | '<>' | '<' | '<=' | '>' | '>=';
export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%';

export type Property =
  | { readonly kind: 'property'; readonly scope: 'sys'; readonly name: SystemProperty }
  | { readonly kind: 'property'; readonly scope: 'user'; readonly name: string };

/** What has a value. */
export type Expression =
  | Property
  | { readonly kind: 'constant'; readonly value: Value }
  /** `property(name)`: the application property whose name is calculated. */
  | { readonly kind: 'lookup'; readonly name: Expression }
  | { readonly kind: 'negative'; readonly operand: Expression }
  | {
      readonly kind: 'arithmetic';
      readonly operator: ArithmeticOperator;
      readonly left: Expression;
      readonly right: Expression;
    };

/** What is true, false or unknown. */
export type Predicate =
  | { readonly kind: 'not'; readonly operand: Predicate }
  | { readonly kind: 'and' | 'or'; readonly left: Predicate; readonly right: Predicate }
  | { readonly kind: 'isNull' | 'exists'; readonly property: Property }
  | { readonly kind: 'in'; readonly operand: Expression; readonly choices: readonly Expression[] }
  | {
      readonly kind: 'like';
      readonly operand: Expression;
      readonly pattern: Expression;
      readonly escape?: Expression;
    }
  | {
      readonly kind: 'comparison';
      readonly operator: ComparisonOperator;
      readonly left: Expression;
      readonly right: Expression;
    };

export interface Token {
  /** A `name` is an identifier in brackets or double quotes, which is never a keyword. */
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'parameter' | 'symbol' | 'end';
  /** As written; for a name and a string what is between the quotes. */
  readonly text: string;
  /** Characters before it. */
  readonly start: number;
}

/** What is wrong with an expression, and where. */
export class SqlSyntaxError extends Error {
  override readonly name = 'SqlSyntaxError';

  constructor(token: Pick<Token, 'start'>, description: string) {
    super(`The SQL expression is invalid at position ${token.start + 1}: ${description}`);
  }
}
