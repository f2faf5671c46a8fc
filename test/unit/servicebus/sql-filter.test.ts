import fc from 'fast-check';
import rhea from 'rhea';
import { describe, expect, it } from 'vitest';
import { parseMessage } from '../../../infra/local/servicebus/amqp/message-codec.ts';
import { EvaluationError, evaluate } from '../../../infra/local/servicebus/filter/evaluate.ts';
import { sqlFilter } from '../../../infra/local/servicebus/filter/filter.ts';
import {
  type MessageProperties,
  readMessageProperties,
} from '../../../infra/local/servicebus/filter/message-properties.ts';
import { parseSqlFilter } from '../../../infra/local/servicebus/filter/parse.ts';
import { SqlSyntaxError } from '../../../infra/local/servicebus/filter/sql-syntax.ts';
import { runs } from '../../integration/seeded-runs.ts';
import { predicates, printPredicate } from './sql-predicates.ts';

const { wrap_ubyte, wrap_short, wrap_ulong, wrap_float, wrap_double, wrap_uuid } = rhea.types;

/** What the expressions of the tables below are asked about. */
const MESSAGE = readMessageProperties(
  parseMessage(
    rhea.message.encode({
      body: '',
      message_id: 'id-1',
      subject: 'orders.created',
      content_type: 'application/json',
      group_id: 'session',
      reply_to_group_id: 'reply session',
      reply_to: 'replies',
      application_properties: {
        color: 'red',
        Quoted: "it's",
        'with space': 'x',
        'a]b"c': 'y',
        percent: '100%',
        lines: 'a\nb',
        zażółć: 'gęślą',
        count: 7,
        negative: -3,
        large: 2 ** 40,
        byte: wrap_ubyte(200),
        short: wrap_short(-300),
        huge: wrap_ulong(Buffer.from('ffffffffffffffff', 'hex')),
        ratio: 1.5,
        float: wrap_float(0.25),
        double: wrap_double(7),
        yes: true,
        no: false,
        nothing: null,
        early: new Date(1_000),
        late: new Date(2_000),
        uuid: wrap_uuid(Buffer.alloc(16)),
      },
    }),
  ),
);

/** T, F or U as in Microsoft's tables, E when it cannot be evaluated. */
function answer(expression: string, properties = MESSAGE): string {
  try {
    const truth = evaluate(parseSqlFilter(expression), properties);
    return truth === undefined ? 'U' : truth ? 'T' : 'F';
  } catch (error) {
    if (error instanceof EvaluationError) return 'E';
    throw error;
  }
}

describe('a SQL filter', () => {
  it.each([
    // Properties and literals
    ["color = 'red'", 'T'],
    ["user.color = 'red'", 'T'],
    ["USER.COLOR = 'red'", 'T'],
    ["[color] = 'red' and \"color\" = 'red' AND user.[Color] = 'red'", 'T'],
    ["[with space] = 'x'", 'T'],
    ["[a]]b\"c] = 'y'", 'T'],
    ['"a]b""c" = \'y\'', 'T'],
    ["zażółć = 'gęślą'", 'T'],
    ["quoted = 'it''s'", 'T'],
    ["sys.Label = 'orders.created'", 'T'],
    ["sys.subject = 'orders.created' AND [sys].[MessageId] = 'id-1'", 'T'],
    ["sys.ContentType = 'application/json' AND sys.SessionId = 'session'", 'T'],
    ["sys.ReplyTo = 'replies' AND sys.ReplyToSessionId = 'reply session'", 'T'],
    ["property('color') = 'red' AND P('CO' + 'lor') = 'red'", 'T'],
    ['p(count) = 1', 'E'],
    ["p('missing') = 1", 'U'],
    // Equality knows case and types
    ["color = 'Red'", 'F'],
    ["color <> 'blue'", 'T'],
    ["color != 'red'", 'F'],
    ['yes = true AND no = FALSE AND yes <> no', 'T'],
    ["count = '7'", 'E'],
    ['color = 1', 'E'],
    ['yes = 1', 'E'],
    ["early = '1970'", 'E'],
    ['uuid = uuid', 'E'],
    ['EXISTS(uuid)', 'T'],
    // Numbers of all types
    ['count = 7 AND count = 7.0 AND double = 7 AND double = count', 'T'],
    ['negative = -3 AND negative = - 3 AND negative < -2', 'T'],
    ['large = 1099511627776', 'T'],
    ['byte = 200 AND short = -300 AND huge > 9223372036854775807', 'T'],
    ['ratio = 1.5 AND ratio = 15E-1 AND ratio = .15e+1 AND float = 0.25', 'T'],
    ['count > 6 AND count >= 7 AND count < 7.5 AND count <= 7', 'T'],
    ['count > 7', 'F'],
    ['early < late AND early <> late AND early = early', 'T'],
    // Strings have no order in C#
    ["color < 'sad'", 'E'],
    ['yes > no', 'E'],
    // Arithmetic
    ['count + 1 = 8 AND count - 1 = 6 AND count * 2 = 14 AND count % 4 = 3', 'T'],
    ['count / 2 = 3 AND count / 2.0 = 3.5 AND -7 / 2 = -3 AND -7 % 2 = -1', 'T'],
    ['2 + 3 * 4 = 14 AND (2 + 3) * 4 = 20 AND 10 - 3 - 2 = 5 AND 2 * -3 = -6 AND -count = -7', 'T'],
    ['+count = 7 AND - -count = 7 AND -(count) = -7', 'T'],
    ["color + 'dish' = 'reddish' AND color + count = 'red7'", 'T'],
    ['count / 0 = 1', 'E'],
    ['count % 0 = 1', 'E'],
    ['count / 0.0 > 1', 'T'],
    ['9223372036854775807 + 1 > 0', 'E'],
    ['-9223372036854775808 < 0', 'T'],
    ['-(-9223372036854775808) > 0', 'E'],
    ["color * 2 = 'redred'", 'E'],
    ['-color = 1', 'E'],
    // What is not there is unknown
    ["missing = 'red'", 'U'],
    ["missing <> 'red'", 'U'],
    ["NOT missing = 'red'", 'U'],
    ['missing + 1 = 2', 'U'],
    ['-missing = 2', 'U'],
    ['missing = missing', 'U'],
    ["missing LIKE '%'", 'U'],
    ["missing NOT LIKE 'a'", 'U'],
    ["missing IN ('a')", 'U'],
    ["missing NOT IN ('a')", 'U'],
    ['color IN (missing)', 'U'],
    ["color IN (missing, 'red')", 'T'],
    ['missing IS NULL', 'T'],
    ['missing IS NOT NULL', 'F'],
    ['EXISTS(missing)', 'F'],
    ['NOT EXISTS (missing)', 'T'],
    ['EXISTS (user.[color])', 'T'],
    // A null that is there is known, as every system property is
    ['nothing IS NULL', 'T'],
    ['EXISTS(nothing)', 'T'],
    ['nothing = NULL', 'T'],
    ["nothing = 'a'", 'F'],
    ["nothing <> 'a'", 'T'],
    ['nothing < 1', 'F'],
    ['nothing + 1 = 2', 'F'],
    ["nothing LIKE ''", 'T'],
    ["sys.To = 'somebody'", 'F'],
    ["sys.To <> 'somebody'", 'T'],
    ['sys.To IS NULL AND sys.CorrelationId IS NULL AND sys.Label IS NOT NULL', 'T'],
    ["sys.To NOT IN ('a', 'b')", 'T'],
    // IN
    ["color IN ('blue', 'red')", 'T'],
    ["color NOT IN ('blue', 'green')", 'T'],
    ['count IN (1, 3 + 4)', 'T'],
    ["color IN ('red', 1)", 'T'],
    ["color IN ('blue', 1)", 'E'],
    ["color IN (missing, 'blue')", 'U'],
    // LIKE
    ["color LIKE 'r%'", 'T'],
    ["color LIKE 'R%'", 'F'],
    ["color LIKE '_e_'", 'T'],
    ["color LIKE 're'", 'F'],
    ["color NOT LIKE '%x%'", 'T'],
    ["sys.Label LIKE 'orders.%' AND sys.Label LIKE '%created' AND sys.Label LIKE '%.%.%'", 'F'],
    ["sys.Label LIKE 'orders%crea%ed'", 'T'],
    ["sys.Label LIKE 'ordersXcreated'", 'F'],
    ["percent LIKE '100\\%' ESCAPE '\\'", 'T'],
    ["color LIKE 'r\\%' ESCAPE '\\'", 'F'],
    ["percent LIKE '100!%' ESCAPE '!' AND percent LIKE '!1%' ESCAPE '!'", 'T'],
    ["lines LIKE 'a%b' AND lines LIKE 'a_b'", 'T'],
    ["count LIKE '7' AND yes LIKE 'True'", 'T'],
    ["color LIKE 'r%' ESCAPE color", 'E'],
    ["early LIKE '%'", 'E'],
    // Precedence
    ["color = 'x' AND color = 'x' OR color = 'red'", 'T'],
    ["color = 'red' OR color = 'x' AND color = 'x'", 'T'],
    ["(color = 'red' OR color = 'x') AND color = 'x'", 'F'],
    ["NOT color = 'x' AND color = 'x'", 'F'],
    ["NOT (color = 'x' AND color = 'x')", 'T'],
    ["NOT NOT color = 'red'", 'T'],
    ["((color) = (('red')))", 'T'],
    // What decides is not followed by what cannot be evaluated
    ["color = 'red' OR count = 'x'", 'T'],
    ["color = 'x' AND count = 'x'", 'F'],
    ["color = 'x' OR count = 'x'", 'E'],
  ])('%s is %s', (expression, expected) => {
    expect(answer(expression)).toBe(expected);
    expect(sqlFilter(expression)(MESSAGE)).toBe(expected === 'T');
  });

  const [T, F, U] = ['count = 7', 'count = 8', 'missing = 1'];
  it.each([
    [T, T, 'T', 'T'],
    [T, F, 'F', 'T'],
    [T, U, 'U', 'T'],
    [F, T, 'F', 'T'],
    [F, F, 'F', 'F'],
    [F, U, 'F', 'U'],
    [U, T, 'U', 'T'],
    [U, F, 'F', 'U'],
    [U, U, 'U', 'U'],
  ])("follows Microsoft's tables of the unknown: %s, %s", (left, right, and, or) => {
    expect(answer(`${left} AND ${right}`)).toBe(and);
    expect(answer(`${left} OR ${right}`)).toBe(or);
  });

  it.each([
    ['', 1, 'expected a value, a property or a condition instead of the end'],
    ['color', 6, 'expected a comparison instead of the end'],
    ["color = 'red", 9, 'the string is not closed'],
    ["color = 'red' AND", 18, 'instead of the end'],
    ["color = 'red' color", 15, "expected AND, OR or the end instead of 'color'"],
    ['color = = 1', 9, "instead of '='"],
    ['color == 1', 8, "instead of '='"],
    ['a = b = c', 7, "instead of '='"],
    ['TRUE', 5, 'expected a comparison'],
    ['NOT color', 10, 'expected a comparison'],
    ['color AND size = 1', 7, "expected a comparison instead of 'AND'"],
    ['(color = 1', 11, "expected ')'"],
    ['color = 1)', 10, "instead of ')'"],
    ['color = (size = 1)', 19, 'expected a value, not a condition'],
    ['color IN ()', 11, "instead of ')'"],
    ["color IN 'a'", 10, "expected '('"],
    ['color NOT 1', 11, 'expected IN or LIKE'],
    ['1 IS NULL', 3, "expected a comparison instead of 'IS'"],
    ['(color) IS NULL', 9, "instead of 'IS'"],
    ["p('color') IS NULL", 12, "instead of 'IS'"],
    ['color IS 1', 10, 'expected NULL'],
    ['EXISTS(1)', 8, 'instead of'],
    ['EXISTS(color', 13, "expected ')'"],
    ['color BETWEEN 1 AND 2', 7, "instead of 'BETWEEN'"],
    ['between = 1', 1, "instead of 'between'"],
    ['_color = 1', 1, "unrecognized character '_'"],
    ['color = 1;', 10, "unrecognized character ';'"],
    ['[color = 1', 1, 'the delimited identifier is empty or not closed'],
    ['[] = 1', 1, 'the delimited identifier is empty or not closed'],
    ['color = "', 9, 'the delimited identifier is empty or not closed'],
    ['sys.Color = 1', 5, 'there is no system property Color'],
    ['sys.EnqueuedTimeUtc = 1', 5, 'does not support the system property EnqueuedTimeUtc'],
    ['mine.color = 1', 1, "'mine' is neither sys nor user"],
    ['user.color.red = 1', 11, "instead of '.'"],
    ['color = @color', 9, 'does not support parameters such as @color'],
    ["newid() = 'a'", 1, 'does not support newid()'],
    ["lower(color) = 'a'", 1, 'there is no function lower'],
    ['p() = 1', 3, "instead of ')'"],
    ['9223372036854775808 > 0', 1, 'over 64 bits'],
    ["color LIKE 'a' ESCAPE 'ab'", 23, 'expected one character'],
    [`${'('.repeat(1_000)}1 = 1`, 101, 'nested too deeply'],
    [`color = '${'x'.repeat(1_024)}'`, 1_025, 'longer than 1024 characters'],
  ])('cannot be %s', (expression, position, problem) => {
    expect(() => parseSqlFilter(expression)).toThrow(`invalid at position ${position}: `);
    expect(() => parseSqlFilter(expression)).toThrow(problem);
  });

  it('takes no longer for many wildcards', () => {
    const text = readMessageProperties(
      parseMessage(rhea.message.encode({ body: '', application_properties: { text: 'ab'.repeat(5_000) } })),
    );
    const before = performance.now();
    expect(answer(`text LIKE '${'%a'.repeat(100)}c'`, text)).toBe('F');
    expect(performance.now() - before).toBeLessThan(5_000);
  });

  describe('whatever it says', () => {
    const properties = fc.record({
      a: fc.option(fc.constantFrom(1n, 2n, 1.5, 'x', 'y', null, true), { nil: undefined }),
      b: fc.option(fc.constantFrom(1n, 'x', null), { nil: undefined }),
    });
    const message = properties.map(
      (user): MessageProperties => ({ system: () => null, user: (name) => user[name as 'a' | 'b'] }),
    );

    it('is what was printed of it', () => {
      fc.assert(
        fc.property(predicates, (predicate) => {
          const printed = printPredicate(predicate);
          expect(parseSqlFilter(printed)).toEqual(predicate);
        }),
      );
    });

    it('is refused where it is wrong, and not otherwise', () => {
      const words = fc.constantFrom(
        ...'( ) , . = <> <= + - * / % a sys.to [a b] "c" @d \'e\' 1 2.5 AND OR NOT'.split(' '),
      );
      const more = fc.constantFrom(
        'IN',
        'LIKE',
        'ESCAPE',
        'IS',
        'NULL',
        'EXISTS',
        'TRUE',
        'p(',
        'newid()',
        "'",
        '[',
      );
      const texts = fc.oneof(
        fc.array(fc.oneof(words, more), { maxLength: 12 }).map((parts) => parts.join(' ')),
        fc.string({ unit: 'binary' }),
        fc.nat({ max: 500 }).map((depth) => `${'('.repeat(depth)}a = 1${')'.repeat(depth)}`),
        fc.nat({ max: 250 }).map((depth) => `${'NOT '.repeat(depth)}a = 1`),
        fc.nat({ max: 500 }).map((depth) => `${'- '.repeat(depth)}a = 1`),
      );
      fc.assert(
        fc.property(texts, message, (text, subject) => {
          try {
            answer(text, subject);
          } catch (error) {
            expect(error).toBeInstanceOf(SqlSyntaxError);
          }
        }),
        { numRuns: runs(300, 1_000) },
      );
    });

    it('finds with LIKE what a regular expression finds', () => {
      const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '%'), maxLength: 12 });
      const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '%', '_', '\\'), maxLength: 8 });
      fc.assert(
        fc.property(text, pattern, (a, b) => {
          const source = b.replace(/\\(.?)|%|_/gs, (found, escaped?: string) =>
            found === '%' ? '.*' : found === '_' ? '.' : (escaped ?? '').replace('\\', '\\\\'),
          );
          const subject = { system: () => null, user: (name: string) => (name === 'a' ? a : b) };
          const expected = new RegExp(`^${source}$`, 's').test(a) ? 'T' : 'F';
          expect(answer("a LIKE b ESCAPE '\\'", subject)).toBe(expected);
        }),
        { numRuns: 1_000 },
      );
    });

    it('obeys the laws of De Morgan, of double negation and of the negated operators', () => {
      fc.assert(
        fc.property(predicates, predicates, message, (left, right, subject) => {
          const [p, q] = [`(${printPredicate(left)})`, `(${printPredicate(right)})`];
          const same = (one: string, other: string) =>
            expect(answer(one, subject)).toBe(answer(other, subject));
          same(`NOT (${p} AND ${q})`, `NOT ${p} OR NOT ${q}`);
          same(`NOT (${p} OR ${q})`, `NOT ${p} AND NOT ${q}`);
          same(`NOT NOT ${p}`, p);
          same('a <> b', 'NOT a = b');
          same('a NOT IN (b, 1)', 'NOT a IN (b, 1)');
          same("a NOT LIKE 'x%'", "NOT a LIKE 'x%'");
          same('a IS NOT NULL', 'NOT a IS NULL');
        }),
      );
    });
  });
});
