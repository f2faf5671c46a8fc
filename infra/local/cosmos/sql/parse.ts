import { queryError, syntaxError } from './query-error.ts';
import {
  type ComparisonOperator,
  type Expression,
  FUNCTION_OPERANDS,
  type FunctionName,
  type SelectedItem,
  type Selection,
  type SelectQuery,
  type SortKey,
  type Token,
} from './syntax.ts';
import { tokenize } from './tokenize.ts';

const COMPARISONS: Readonly<Record<string, ComparisonOperator>> = {
  '=': '=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};
const CONSTANTS = { TRUE: true, FALSE: false, NULL: null, UNDEFINED: undefined } as const;
/** Words that the service takes as a name only in brackets and quotes (`c["value"]`): its published grammar's keywords. */
const RESERVED = new Set(
  `AND ARRAY AS ASC BETWEEN BY DESC DISTINCT ESCAPE EXISTS FALSE FROM GROUP HAVING IN JOIN LIKE LIMIT NOT NULL OFFSET OR
  ORDER SELECT TOP TRUE UDF UNDEFINED VALUE WHERE`.split(/\s+/),
);
/** Words of the service's SQL that this emulator does not know: named first, whatever else is wrong because of them. */
const UNSUPPORTED = ['ARRAY', 'DISTINCT', 'EXISTS', 'GROUP', 'JOIN', 'LIKE', 'UDF'];
/** The tokens of `[{"item":`, before the aggregate. */
const PARTIAL_START = 4;
/** The service takes so many ANDs and ORs. */
const MAX_CONDITIONS = 2000;
const MAX_DEPTH = 200;
const CACHED_QUERIES = 256;
const cache = new Map<string, SelectQuery>();

/**
 * Parses the part of Cosmos SQL that this emulator answers.
 * @throws CosmosError 400 that names the first token it does not take
 */
export function parseQuery(text: string): SelectQuery {
  const cached = cache.get(text);
  if (cached !== undefined) return cached;
  const query = new Parser(text).query();
  const oldest = cache.keys().next();
  if (cache.size >= CACHED_QUERIES && oldest.done !== true) cache.delete(oldest.value);
  cache.set(text, query);
  return query;
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #position = 0;
  #conditions = 0;
  #depth = 0;
  #alias = 'c';

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
    const unsupported = this.#tokens.find((token) => UNSUPPORTED.some((word) => isWord(token, word)));
    if (unsupported !== undefined) {
      const message = `Syntax error, incorrect syntax near '${unsupported.text}', which this emulator does not support.`;
      throw queryError(unsupported, 'SC1001', message);
    }
    this.#alias = this.#findAlias();
  }

  query(): SelectQuery {
    this.#expectWord('SELECT');
    const topToken = this.#peek();
    const top = this.#takeWord('TOP') ? this.#count() : undefined;
    const [selection, selectionText] = this.#withText(() => this.#selection());
    const isCount = selection.kind === 'count';
    if (isCount && top !== undefined) throw syntaxError(topToken);
    if (!this.#takeWord('FROM')) {
      const message = `Syntax error, incorrect syntax near '${this.#peek().text}': this emulator needs FROM here.`;
      throw queryError(this.#peek(), 'SC1001', message);
    }
    const [, from] = this.#withText(() => this.#source());
    const filterStart = this.#peek().start;
    const [where, whereText] = this.#takeWord('WHERE') ? this.#withText(() => this.#expression()) : [];
    const shape = this.#text.slice(0, filterStart) + this.#text.slice(this.#peek().start);
    if (isCount && this.#peek().kind !== 'end') throw syntaxError(this.#peek());
    const orderBy = this.#orderBy();
    if (top !== undefined && isWord(this.#peek(), 'OFFSET')) throw syntaxError(this.#peek());
    const offset = this.#takeWord('OFFSET') ? this.#count() : undefined;
    if (offset !== undefined) this.#expectWord('LIMIT');
    const limit = offset === undefined ? undefined : this.#count();
    if (this.#peek().kind !== 'end') throw syntaxError(this.#peek());
    const clauses = { selection: selectionText, from, where: whereText };
    return { selection, top, where, orderBy, offset, limit, alias: this.#alias, clauses, shape };
  }

  /** The selection comes before FROM names what its paths begin with, so look ahead; the clause itself is read later. */
  #findAlias(): string {
    const from = this.#tokens.findIndex((token) => isWord(token, 'FROM'));
    if (from < 0) return this.#alias;
    this.#position = from + 1;
    try {
      return this.#source();
    } finally {
      this.#position = 0;
    }
  }

  #source(): string {
    const name = this.#name();
    return this.#takeWord('AS') || isName(this.#peek()) ? this.#name() : name;
  }

  #selection(): Selection {
    if (this.#takeSymbol('*')) return { kind: 'all' };
    if (this.#takeWord('VALUE')) return this.#aggregate() ?? this.#value();
    const items: SelectedItem[] = [];
    const names = new Set<string>();
    do {
      const token = this.#peek();
      const item = this.#selectedItem(items.length + 1);
      if (names.has(item.name)) {
        throw queryError(token, 'SC2022', `The property name '${item.name}' is used more than once.`);
      }
      names.add(item.name);
      items.push(item);
    } while (this.#takeSymbol(','));
    return { kind: 'list', items };
  }

  #value(): Selection {
    const [expression, text] = this.#withText(() => this.#expression());
    return { kind: 'value', expression, text };
  }

  #aggregate(): Selection | undefined {
    const isPartial =
      ['[', '{', 'item', ':'].every((text, ahead) => this.#peek(ahead).text === text) &&
      isWord(this.#peek(PARTIAL_START), 'COUNT');
    if (!isPartial && !(isWord(this.#peek(), 'COUNT') && isSymbol(this.#peek(1), '('))) return undefined;
    if (isPartial) this.#position += PARTIAL_START;
    const [operand, text] = this.#withText(() => {
      this.#next();
      this.#expectSymbol('(');
      const counted = this.#expression();
      this.#expectSymbol(')');
      return counted;
    });
    for (const symbol of isPartial ? ['}', ']'] : []) this.#expectSymbol(symbol);
    return { kind: 'count', operand, text, isPartial };
  }

  #selectedItem(ordinal: number): SelectedItem {
    const [expression, text] = this.#withText(() => this.#expression());
    if (this.#takeWord('AS') || isName(this.#peek())) return { name: this.#name(), expression, text };
    const path = expression.kind === 'path' ? expression.path : undefined;
    const name = path === undefined ? `$${ordinal}` : (path.at(-1) ?? this.#alias);
    return { name, expression, text };
  }

  #orderBy(): SortKey[] {
    if (!this.#takeWord('ORDER')) return [];
    this.#expectWord('BY');
    const keys: SortKey[] = [];
    do {
      const token = this.#peek();
      const [expression, text] = this.#withText(() => this.#primary());
      if (expression.kind !== 'path' || expression.path.length === 0) throw syntaxError(token);
      const descending = this.#takeWord('DESC');
      if (!descending) this.#takeWord('ASC');
      keys.push({ path: expression.path, text, descending });
    } while (this.#takeSymbol(','));
    return keys;
  }

  /** TOP, OFFSET and LIMIT take a whole number or a parameter. */
  #count(): Expression {
    const token = this.#next();
    if (token.kind === 'parameter') return { kind: 'parameter', name: token.text };
    const value = Number(token.text);
    if (token.kind !== 'number' || !Number.isInteger(value)) throw syntaxError(token);
    return { kind: 'literal', value };
  }

  #expression(): Expression {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw queryError(this.#peek(), 'SC3001', 'The query is nested too deeply.');
    let left = this.#conjunction();
    while (this.#takeWord('OR')) left = { kind: 'or', left, right: this.#conjunction() };
    this.#depth -= 1;
    return left;
  }

  #conjunction(): Expression {
    let left = this.#negation();
    while (this.#takeWord('AND')) left = { kind: 'and', left, right: this.#negation() };
    return left;
  }

  #negation(): Expression {
    this.#conditions += 1;
    if (this.#conditions > MAX_CONDITIONS) {
      throw queryError(this.#peek(), 'SC3001', `The query has more than ${MAX_CONDITIONS} conditions.`);
    }
    if (this.#takeWord('NOT')) return not(this.#negation());
    return this.#predicate();
  }

  #predicate(): Expression {
    const left = this.#primary();
    const token = this.#peek();
    const operator = token.kind === 'symbol' ? COMPARISONS[token.text] : undefined;
    if (operator !== undefined) {
      this.#next();
      return { kind: 'comparison', operator, left, right: this.#primary() };
    }
    if (this.#takeSymbol('!=') || this.#takeSymbol('<>')) return not(equal(left, this.#primary()));
    const negated = isWord(token, 'NOT') && (isWord(this.#peek(1), 'IN') || isWord(this.#peek(1), 'BETWEEN'));
    if (negated) this.#next();
    const membership = this.#membership(left);
    return negated ? not(membership) : membership;
  }

  #membership(operand: Expression): Expression {
    if (this.#takeWord('IN')) {
      this.#expectSymbol('(');
      const end = this.#peek();
      const choices = this.#listUntil(')', () => equal(operand, this.#primary()));
      if (choices.length === 0) throw syntaxError(end);
      return anyOf(choices);
    }
    if (!this.#takeWord('BETWEEN')) return operand;
    const left: Expression = { kind: 'comparison', operator: '>=', left: operand, right: this.#primary() };
    this.#expectWord('AND');
    const right: Expression = { kind: 'comparison', operator: '<=', left: operand, right: this.#primary() };
    return { kind: 'and', left, right };
  }

  #primary(): Expression {
    const token = this.#next();
    switch (token.kind) {
      case 'string':
        return { kind: 'literal', value: token.text };
      case 'number':
        return { kind: 'literal', value: Number(token.text) };
      case 'parameter':
        return { kind: 'parameter', name: token.text };
      case 'symbol':
        return this.#afterSymbol(token);
      case 'word':
        return this.#afterWord(token);
      default:
        throw syntaxError(token);
    }
  }

  #afterSymbol(token: Token): Expression {
    if (token.text === '-') {
      const number = this.#next();
      if (number.kind !== 'number') throw syntaxError(number);
      return { kind: 'literal', value: -Number(number.text) };
    }
    if (token.text === '[') return { kind: 'array', items: this.#listUntil(']', () => this.#expression()) };
    if (token.text === '{')
      return { kind: 'object', properties: this.#listUntil('}', () => this.#property()) };
    if (token.text !== '(') throw syntaxError(token);
    const inner = this.#expression();
    this.#expectSymbol(')');
    return inner;
  }

  #listUntil<T>(end: string, item: () => T): T[] {
    const list: T[] = [];
    if (this.#takeSymbol(end)) return list;
    do list.push(item());
    while (this.#takeSymbol(','));
    this.#expectSymbol(end);
    return list;
  }

  #property(): SelectedItem {
    const { kind, text: name } = this.#peek();
    if (kind !== 'string' && kind !== 'word') throw syntaxError(this.#peek());
    this.#next();
    this.#expectSymbol(':');
    const [expression, text] = this.#withText(() => this.#expression());
    return { name, expression, text };
  }

  #afterWord(token: Token): Expression {
    if (isSymbol(this.#peek(), '(')) return this.#call(token);
    const upper = token.text.toUpperCase();
    if (token.text === this.#alias) return { kind: 'path', path: this.#pathSteps() };
    if (upper in CONSTANTS) return { kind: 'literal', value: CONSTANTS[upper as keyof typeof CONSTANTS] };
    if (RESERVED.has(upper)) throw syntaxError(token);
    throw queryError(token, 'SC2001', `Identifier '${token.text}' could not be resolved.`);
  }

  #pathSteps(): string[] {
    const path: string[] = [];
    for (;;) {
      if (this.#takeSymbol('.')) path.push(this.#name());
      else if (this.#takeSymbol('[')) {
        const step = this.#next();
        if (step.kind !== 'string' && step.kind !== 'number') throw syntaxError(step);
        path.push(step.text);
        this.#expectSymbol(']');
      } else return path;
    }
  }

  #call(token: Token): Expression {
    const name = token.text.toUpperCase();
    if (name === 'COUNT') {
      throw queryError(
        token,
        'SC2005',
        "'COUNT' is supported by this emulator only as SELECT VALUE COUNT(…).",
      );
    }
    if (!isFunctionName(name)) {
      throw queryError(token, 'SC2005', `'${token.text}' is not a built-in function that this emulator has.`);
    }
    this.#expectSymbol('(');
    const operands = this.#listUntil(')', () => this.#expression());
    const [least, most] = FUNCTION_OPERANDS[name];
    if (operands.length < least || operands.length > most) {
      throw queryError(
        token,
        'SC2006',
        `The built-in function '${name}' requires ${least} to ${most} argument(s).`,
      );
    }
    return { kind: 'call', name, operands };
  }

  #name(): string {
    const token = this.#next();
    if (!isName(token)) throw syntaxError(token);
    return token.text;
  }

  /** What `parse` reads, and how it was written. */
  #withText<T>(parse: () => T): [T, string] {
    const { start } = this.#peek();
    const parsed = parse();
    return [parsed, this.#text.slice(start, this.#tokens[this.#position - 1]?.end)];
  }

  #end(): Token {
    return this.#tokens.at(-1) ?? { kind: 'end', text: '', start: 0, end: 0 };
  }

  #peek(ahead = 0): Token {
    return this.#tokens[this.#position + ahead] ?? this.#end();
  }

  #next(): Token {
    const token = this.#peek();
    this.#position += 1;
    return token;
  }

  #takeWord(word: string): boolean {
    const found = isWord(this.#peek(), word);
    if (found) this.#position += 1;
    return found;
  }

  #takeSymbol(symbol: string): boolean {
    const found = isSymbol(this.#peek(), symbol);
    if (found) this.#position += 1;
    return found;
  }

  #expectWord(word: string): void {
    if (!this.#takeWord(word)) throw syntaxError(this.#peek());
  }

  #expectSymbol(symbol: string): void {
    if (!this.#takeSymbol(symbol)) throw syntaxError(this.#peek());
  }
}

function not(operand: Expression): Expression {
  return { kind: 'not', operand };
}

function equal(left: Expression, right: Expression): Expression {
  return { kind: 'comparison', operator: '=', left, right };
}

/** Balanced, so that a long list does not go deep. */
function anyOf(choices: readonly Expression[]): Expression {
  const [only, ...others] = choices;
  if (only !== undefined && others.length === 0) return only;
  const middle = Math.ceil(choices.length / 2);
  return { kind: 'or', left: anyOf(choices.slice(0, middle)), right: anyOf(choices.slice(middle)) };
}

function isWord(token: Token, word: string): boolean {
  return token.kind === 'word' && token.text.toUpperCase() === word;
}

function isName({ kind, text }: Token): boolean {
  return kind === 'word' && !RESERVED.has(text.toUpperCase());
}

function isSymbol(token: Token, symbol: string): boolean {
  return token.kind === 'symbol' && token.text === symbol;
}

function isFunctionName(name: string): name is FunctionName {
  return Object.hasOwn(FUNCTION_OPERANDS, name);
}
