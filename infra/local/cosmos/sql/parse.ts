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

const COMPARISONS: readonly ComparisonOperator[] = ['=', '<', '<=', '>', '>='];
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
  readonly #alias: string | undefined;
  #position = 0;
  #conditions = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
    const unsupported = this.#tokens.find((token) => UNSUPPORTED.some((word) => is(token, word)));
    if (unsupported !== undefined) throw syntaxError(unsupported, ', which this emulator does not support');
    // The selection comes before FROM names what its paths begin with, so look ahead; the clause itself is read later.
    this.#position = this.#tokens.findIndex((token) => is(token, 'FROM')) + 1;
    if (this.#position > 0) this.#alias = this.#source();
    this.#position = 0;
  }

  query(): SelectQuery {
    this.#expect('SELECT');
    const topToken = this.#peek();
    const top = this.#take('TOP') ? this.#count() : undefined;
    const [selection, selectionText] = this.#withText(() => this.#selection());
    const isCount = selection.kind === 'count';
    if (isCount && top !== undefined) throw syntaxError(topToken);
    if (!this.#take('FROM')) throw syntaxError(this.#peek(), ': this emulator needs FROM here');
    const [alias, from] = this.#withText(() => this.#source());
    const filterStart = this.#peek().start;
    const [where, whereText] = this.#take('WHERE') ? this.#withText(() => this.#expression()) : [];
    const shape = this.#text.slice(0, filterStart) + this.#text.slice(this.#peek().start);
    if (isCount) this.#expectEnd();
    const orderBy = this.#orderBy();
    if (top !== undefined) this.#expectEnd();
    const offset = this.#take('OFFSET') ? this.#count() : undefined;
    if (offset !== undefined) this.#expect('LIMIT');
    const limit = offset && this.#count();
    this.#expectEnd();
    const clauses = { selection: selectionText, from, where: whereText };
    return { selection, top, where, orderBy, offset, limit, alias, clauses, shape };
  }

  /** Reads what FROM names; gives what paths begin with. */
  #source(): string {
    const name = this.#name();
    return this.#take('AS') || isName(this.#peek()) ? this.#name() : name;
  }

  #selection(): Selection {
    if (this.#take('*')) return { kind: 'all' };
    if (this.#take('VALUE')) return this.#aggregate() ?? this.#value();
    const items: SelectedItem[] = [];
    do {
      const token = this.#peek();
      const item = this.#selectedItem(items.length + 1);
      if (items.some(({ name }) => name === item.name)) {
        throw queryError(token, 'SC2022', `The property name '${item.name}' is used more than once.`);
      }
      items.push(item);
    } while (this.#take(','));
    return { kind: 'list', items };
  }

  #value(): Selection {
    const [expression, text] = this.#withText(() => this.#expression());
    return { kind: 'value', expression, text };
  }

  /** COUNT(…), also as the rewritten query of a plan has it: `[{"item": COUNT(…)}]`. */
  #aggregate(): Selection | undefined {
    const isPartial = ['[', '{', 'item', ':'].every((text, ahead) => this.#peek(ahead).text === text);
    const start = isPartial ? PARTIAL_START : 0;
    if (!is(this.#peek(start), 'COUNT') || !is(this.#peek(start + 1), '(')) return undefined;
    this.#position += start;
    const [operand, text] = this.#withText(() => {
      this.#expect('COUNT', '(');
      const counted = this.#expression();
      this.#expect(')');
      return counted;
    });
    if (isPartial) this.#expect('}', ']');
    return { kind: 'count', operand, text, isPartial };
  }

  #selectedItem(ordinal: number): SelectedItem {
    const [expression, text] = this.#withText(() => this.#expression());
    if (this.#take('AS') || isName(this.#peek())) return { name: this.#name(), expression, text };
    const name = expression.kind === 'path' ? (expression.path.at(-1) ?? this.#alias) : undefined;
    return { name: name ?? `$${ordinal}`, expression, text };
  }

  #orderBy(): SortKey[] {
    if (!this.#take('ORDER')) return [];
    this.#expect('BY');
    const keys: SortKey[] = [];
    do {
      const token = this.#peek();
      const [expression, text] = this.#withText(() => this.#primary());
      if (expression.kind !== 'path' || expression.path.length === 0) throw syntaxError(token);
      const descending = this.#take('DESC');
      if (!descending) this.#take('ASC');
      keys.push({ path: expression.path, text, descending });
    } while (this.#take(','));
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
    while (this.#take('OR')) left = { kind: 'or', left, right: this.#conjunction() };
    this.#depth -= 1;
    return left;
  }

  #conjunction(): Expression {
    let left = this.#negation();
    while (this.#take('AND')) left = { kind: 'and', left, right: this.#negation() };
    return left;
  }

  #negation(): Expression {
    this.#conditions += 1;
    if (this.#conditions > MAX_CONDITIONS) {
      throw queryError(this.#peek(), 'SC3001', `The query has more than ${MAX_CONDITIONS} conditions.`);
    }
    return this.#take('NOT') ? not(this.#negation()) : this.#predicate();
  }

  #predicate(): Expression {
    const left = this.#primary();
    const operator = COMPARISONS.find((symbol) => this.#take(symbol));
    if (operator !== undefined) return compared(left, operator, this.#primary());
    if (this.#take('!=') || this.#take('<>')) return not(compared(left, '=', this.#primary()));
    const after = this.#peek(1);
    const isNegated = is(this.#peek(), 'NOT') && (is(after, 'IN') || is(after, 'BETWEEN'));
    if (isNegated) this.#next();
    const membership = this.#membership(left);
    return isNegated ? not(membership) : membership;
  }

  #membership(operand: Expression): Expression {
    if (this.#take('IN')) {
      this.#expect('(');
      const end = this.#peek();
      const choices = this.#listUntil(')', () => compared(operand, '=', this.#primary()));
      if (choices.length === 0) throw syntaxError(end);
      return anyOf(choices);
    }
    if (!this.#take('BETWEEN')) return operand;
    const left = compared(operand, '>=', this.#primary());
    this.#expect('AND');
    return { kind: 'and', left, right: compared(operand, '<=', this.#primary()) };
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
      case 'end':
        throw syntaxError(token);
    }
  }

  #afterSymbol(token: Token): Expression {
    switch (token.text) {
      case '-': {
        const number = this.#next();
        if (number.kind !== 'number') throw syntaxError(number);
        return { kind: 'literal', value: -Number(number.text) };
      }
      case '[':
        return { kind: 'array', items: this.#listUntil(']', () => this.#expression()) };
      case '{':
        return { kind: 'object', properties: this.#listUntil('}', () => this.#property()) };
      case '(': {
        const inner = this.#expression();
        this.#expect(')');
        return inner;
      }
      default:
        throw syntaxError(token);
    }
  }

  #listUntil<T>(end: string, item: () => T): T[] {
    const list: T[] = [];
    if (this.#take(end)) return list;
    do list.push(item());
    while (this.#take(','));
    this.#expect(end);
    return list;
  }

  #property(): SelectedItem {
    const token = this.#next();
    if (token.kind !== 'string' && token.kind !== 'word') throw syntaxError(token);
    this.#expect(':');
    const [expression, text] = this.#withText(() => this.#expression());
    return { name: token.text, expression, text };
  }

  #afterWord(token: Token): Expression {
    if (is(this.#peek(), '(')) return this.#call(token);
    const upper = token.text.toUpperCase();
    if (token.text === this.#alias) return { kind: 'path', path: this.#pathSteps() };
    if (upper in CONSTANTS) return { kind: 'literal', value: CONSTANTS[upper as keyof typeof CONSTANTS] };
    if (RESERVED.has(upper)) throw syntaxError(token);
    throw queryError(token, 'SC2001', `Identifier '${token.text}' could not be resolved.`);
  }

  #pathSteps(): string[] {
    const path: string[] = [];
    for (;;) {
      if (this.#take('.')) path.push(this.#name());
      else if (this.#take('[')) {
        const step = this.#next();
        if (step.kind !== 'string' && step.kind !== 'number') throw syntaxError(step);
        path.push(step.text);
        this.#expect(']');
      } else return path;
    }
  }

  #call(token: Token): Expression {
    const name = token.text.toUpperCase();
    if (!isFunctionName(name)) {
      const reason =
        name === 'COUNT'
          ? 'is supported by this emulator only as SELECT VALUE COUNT(…)'
          : 'is not a built-in function that this emulator has';
      throw queryError(token, 'SC2005', `'${token.text}' ${reason}.`);
    }
    this.#expect('(');
    const operands = this.#listUntil(')', () => this.#expression());
    const [least, most] = FUNCTION_OPERANDS[name];
    if (operands.length >= least && operands.length <= most) return { kind: 'call', name, operands };
    const message = `The built-in function '${name}' requires ${least} to ${most} argument(s).`;
    throw queryError(token, 'SC2006', message);
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

  /** After the end comes the end again. */
  #peek(ahead = 0): Token {
    const { length } = this.#text;
    const end: Token = { kind: 'end', text: '', start: length, end: length };
    return this.#tokens[this.#position + ahead] ?? end;
  }

  #next(): Token {
    const token = this.#peek();
    this.#position += 1;
    return token;
  }

  #take(text: string): boolean {
    const found = is(this.#peek(), text);
    if (found) this.#position += 1;
    return found;
  }

  #expect(...texts: string[]): void {
    for (const text of texts) if (!this.#take(text)) throw syntaxError(this.#peek());
  }

  #expectEnd(): void {
    if (this.#peek().kind !== 'end') throw syntaxError(this.#peek());
  }
}

function not(operand: Expression): Expression {
  return { kind: 'not', operand };
}

function compared(left: Expression, operator: ComparisonOperator, right: Expression): Expression {
  return { kind: 'comparison', operator, left, right };
}

/** Balanced, so that a long list does not go deep. */
function anyOf(choices: readonly Expression[]): Expression {
  const [only, ...others] = choices;
  if (only !== undefined && others.length === 0) return only;
  const middle = Math.ceil(choices.length / 2);
  return { kind: 'or', left: anyOf(choices.slice(0, middle)), right: anyOf(choices.slice(middle)) };
}

/** Whether a token is this symbol, or this word in capitals. */
function is({ kind, text }: Token, wanted: string): boolean {
  return (kind === 'word' || kind === 'symbol') && text.toUpperCase() === wanted;
}

function isName({ kind, text }: Token): boolean {
  return kind === 'word' && !RESERVED.has(text.toUpperCase());
}

function isFunctionName(name: string): name is FunctionName {
  return Object.hasOwn(FUNCTION_OPERANDS, name);
}
