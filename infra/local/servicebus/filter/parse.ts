import { isSystemProperty } from './message-properties.ts';
import {
  type ArithmeticOperator,
  type ComparisonOperator,
  type Expression,
  type Predicate,
  type Property,
  SqlSyntaxError,
  type Token,
} from './sql-syntax.ts';
import { tokenize } from './tokenize.ts';

const COMPARISONS: Readonly<Record<string, ComparisonOperator>> = {
  '=': '=',
  '<>': '<>',
  '!=': '<>',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};
const CONSTANTS: Readonly<Record<string, boolean | null>> = { TRUE: true, FALSE: false, NULL: null };

/** Words that are identifiers only in brackets: the service's keywords and those it reserves. */
const RESERVED = new Set(
  `AND AS BEGIN BETWEEN BREAK CATCH COALESCE CONTINUE CONVERT DECLARE ELSE END ESCAPE EXISTS FALSE GOTO IF IN IS LIKE
  NOT NULL NULLIF OR REMOVE SET TRUE TRY WHILE`.split(/\s+/),
);

/** System properties of the service that nobody can compare with without the parameters of an SDK's rule. */
const UNSUPPORTED_SYSTEM_PROPERTIES = new Set(
  `deadlettersource deliverycount enqueuedsequencenumber enqueuedtimeutc expiresatutc forcepersistence
  isbodyconsumed lockeduntilutc locktoken partitionkey scheduledenqueuetimeutc sequencenumber size state timetolive
  transactionpartitionkey viapartitionkey`.split(/\s+/),
);

/** Characters; Microsoft, "Service Bus quotas". */
const LONGEST = 1024;

/** Parentheses inside parentheses; the service refuses what is nested deeply, too. */
const DEEPEST = 100;

type Node = Predicate | Expression;

/**
 * Parses the condition of a SQL filter (Microsoft, "Subscription rule SQL filter syntax").
 * @throws SqlSyntaxError that says where the expression is wrong or what of it is not supported
 */
export function parseSqlFilter(text: string): Predicate {
  if (text.length > LONGEST) {
    throw new SqlSyntaxError({ start: LONGEST }, `it is longer than ${LONGEST} characters.`);
  }
  return new Parser(text).whole();
}

/**
 * Only what follows a parenthesis tells whether a predicate or an expression is inside it, so one descent reads both
 * and each operator checks what it gets.
 */
class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;
  #depth = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  whole(): Predicate {
    const predicate = this.#predicate(this.#disjunction());
    if (this.#peek().kind !== 'end') throw this.#unexpected('AND, OR or the end');
    return predicate;
  }

  #disjunction(): Node {
    return this.#joined('or', () => this.#joined('and', () => this.#negation()));
  }

  #joined(kind: 'and' | 'or', operand: () => Node): Node {
    let left = operand();
    while (this.#isWord(kind.toUpperCase())) {
      const condition = this.#predicate(left);
      this.#next();
      left = { kind, left: condition, right: this.#predicate(operand()) };
    }
    return left;
  }

  #negation(): Node {
    if (!this.#takeWord('NOT')) return this.#condition();
    return { kind: 'not', operand: this.#predicate(this.#negation()) };
  }

  #condition(): Node {
    if (this.#takeWord('EXISTS')) {
      this.#expectSymbol('(');
      const property = this.#property();
      this.#expectSymbol(')');
      return { kind: 'exists', property };
    }
    const left = this.#sum();
    if (isPredicate(left)) return left;
    const operator = this.#takeOneOf(COMPARISONS);
    if (operator !== undefined) {
      return { kind: 'comparison', operator, left, right: this.#expression(this.#sum()) };
    }
    const isBare = left.kind === 'property' && !this.#isSymbol(')', -1);
    if (isBare && this.#takeWord('IS')) {
      const isNegated = this.#takeWord('NOT');
      this.#expectWord('NULL');
      return negatedIf(isNegated, { kind: 'isNull', property: left });
    }
    const isNegated = this.#takeWord('NOT');
    if (this.#takeWord('IN')) return negatedIf(isNegated, this.#in(left));
    if (this.#takeWord('LIKE')) return negatedIf(isNegated, this.#like(left));
    if (isNegated) throw this.#unexpected('IN or LIKE');
    return left;
  }

  #in(operand: Expression): Predicate {
    this.#expectSymbol('(');
    const choices: Expression[] = [];
    do choices.push(this.#expression(this.#sum()));
    while (this.#takeSymbol(','));
    this.#expectSymbol(')');
    return { kind: 'in', operand, choices };
  }

  #like(operand: Expression): Predicate {
    const pattern = this.#expression(this.#sum());
    if (!this.#takeWord('ESCAPE')) return { kind: 'like', operand, pattern };
    const token = this.#peek();
    const marker = this.#expression(this.#sum());
    const isCharacter = marker.kind !== 'constant' || String(marker.value).length === 1;
    if (!isCharacter) throw new SqlSyntaxError(token, 'expected one character to escape with.');
    return { kind: 'like', operand, pattern, escape: marker };
  }

  #sum(): Node {
    return this.#calculation({ '+': '+', '-': '-' }, () =>
      this.#calculation({ '*': '*', '/': '/', '%': '%' }, () => this.#signed()),
    );
  }

  #calculation(operators: Readonly<Record<string, ArithmeticOperator>>, operand: () => Node): Node {
    let left = operand();
    while (!isPredicate(left)) {
      const operator = this.#takeOneOf(operators);
      if (operator === undefined) break;
      left = { kind: 'arithmetic', operator, left, right: this.#expression(operand()) };
    }
    return left;
  }

  #signed(): Node {
    if (this.#takeSymbol('+')) return this.#expression(this.#signed());
    if (!this.#takeSymbol('-')) return this.#primary();
    if (this.#peek().kind === 'number') return this.#number('-');
    return { kind: 'negative', operand: this.#expression(this.#signed()) };
  }

  #primary(): Node {
    const token = this.#peek();
    if (token.kind === 'number') return this.#number('');
    if (token.kind === 'string') return { kind: 'constant', value: this.#next().text };
    if (token.kind === 'parameter') {
      throw new SqlSyntaxError(token, `the emulator does not support parameters such as ${token.text}.`);
    }
    if (this.#takeSymbol('(')) {
      this.#depth += 1;
      if (this.#depth > DEEPEST) throw new SqlSyntaxError(token, 'the parentheses are nested too deeply.');
      const inner = this.#disjunction();
      this.#expectSymbol(')');
      this.#depth -= 1;
      return inner;
    }
    const constant = token.kind === 'word' ? CONSTANTS[token.text.toUpperCase()] : undefined;
    if (constant !== undefined) {
      this.#next();
      return { kind: 'constant', value: constant };
    }
    const isCall = token.kind === 'word' && !isReserved(token) && this.#isSymbol('(', 1);
    return isCall ? this.#call() : this.#property();
  }

  #number(sign: '' | '-'): Expression {
    const token = this.#next();
    if (!/^\d+$/.test(token.text)) return { kind: 'constant', value: Number(sign + token.text) };
    const value = BigInt(sign + token.text);
    if (BigInt.asIntN(64, value) !== value) throw new SqlSyntaxError(token, 'the integer has over 64 bits.');
    return { kind: 'constant', value };
  }

  #call(): Expression {
    const token = this.#next();
    const name = token.text.toUpperCase();
    if (name === 'NEWID') throw new SqlSyntaxError(token, 'the emulator does not support newid().');
    if (name !== 'P' && name !== 'PROPERTY') {
      throw new SqlSyntaxError(token, `there is no function ${token.text}.`);
    }
    this.#expectSymbol('(');
    const operand = this.#expression(this.#sum());
    this.#expectSymbol(')');
    return { kind: 'lookup', name: operand };
  }

  #property(): Property {
    const first = this.#identifier();
    if (!this.#takeSymbol('.')) return { kind: 'property', scope: 'user', name: first.text };
    const last = this.#identifier();
    const scope = first.text.toLowerCase();
    if (scope === 'user') return { kind: 'property', scope, name: last.text };
    if (scope !== 'sys') throw new SqlSyntaxError(first, `'${first.text}' is neither sys nor user.`);
    const name = last.text.toLowerCase();
    if (isSystemProperty(name)) return { kind: 'property', scope, name };
    throw new SqlSyntaxError(
      last,
      UNSUPPORTED_SYSTEM_PROPERTIES.has(name)
        ? `the emulator does not support the system property ${last.text}.`
        : `there is no system property ${last.text}.`,
    );
  }

  #identifier(): Token {
    const token = this.#peek();
    if (token.kind !== 'name' && (token.kind !== 'word' || isReserved(token))) {
      throw this.#unexpected('a value, a property or a condition');
    }
    return this.#next();
  }

  #predicate(node: Node): Predicate {
    if (isPredicate(node)) return node;
    throw this.#unexpected('a comparison');
  }

  #expression(node: Node): Expression {
    if (!isPredicate(node)) return node;
    throw this.#unexpected('a value, not a condition,');
  }

  #peek(ahead = 0): Token {
    return this.#tokens[this.#position + ahead] ?? { kind: 'end', text: '', start: 0 };
  }

  #next(): Token {
    const token = this.#peek();
    this.#position += 1;
    return token;
  }

  #isSymbol(symbol: string, ahead = 0): boolean {
    const token = this.#peek(ahead);
    return token.kind === 'symbol' && token.text === symbol;
  }

  #takeSymbol(symbol: string): boolean {
    const isThere = this.#isSymbol(symbol);
    if (isThere) this.#next();
    return isThere;
  }

  #takeOneOf<Operator>(operators: Readonly<Record<string, Operator>>): Operator | undefined {
    const { kind, text } = this.#peek();
    const operator = kind === 'symbol' ? operators[text] : undefined;
    if (operator !== undefined) this.#next();
    return operator;
  }

  #isWord(word: string): boolean {
    const { kind, text } = this.#peek();
    return kind === 'word' && text.toUpperCase() === word;
  }

  #takeWord(word: string): boolean {
    const isThere = this.#isWord(word);
    if (isThere) this.#next();
    return isThere;
  }

  #expectSymbol(symbol: string): void {
    if (!this.#takeSymbol(symbol)) throw this.#unexpected(`'${symbol}'`);
  }

  #expectWord(word: string): void {
    if (!this.#takeWord(word)) throw this.#unexpected(word);
  }

  #unexpected(expected: string): SqlSyntaxError {
    const token = this.#peek();
    const found = token.kind === 'end' ? 'the end' : `'${token.text}'`;
    return new SqlSyntaxError(token, `expected ${expected} instead of ${found}.`);
  }
}

const EXPRESSIONS: ReadonlySet<string> = new Set<Expression['kind']>([
  'property',
  'constant',
  'lookup',
  'negative',
  'arithmetic',
]);

function isPredicate(node: Node): node is Predicate {
  return !EXPRESSIONS.has(node.kind);
}

function isReserved({ text }: Token): boolean {
  return RESERVED.has(text.toUpperCase());
}

function negatedIf(isNegated: boolean, operand: Predicate): Predicate {
  return isNegated ? { kind: 'not', operand } : operand;
}
