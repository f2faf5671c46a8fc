import { beforeAll, describe, expect, it } from 'vitest';
import type { JsonSchema } from '../../../shared/config/application.ts';
import { ConfigChecker } from '../../../shared/config/config-checker.ts';
import type { Json } from '../../../shared/records/index.ts';

let checker: ConfigChecker;

beforeAll(async () => {
  checker = await ConfigChecker.load();
});

/** The field that the checker finds fault with; undefined when it finds none. */
function faultOf(config: Json, schema: JsonSchema): string | undefined {
  try {
    checker.check({ config, clear: [], hidden: [] }, schema);
    return undefined;
  } catch (error) {
    expect(error).toMatchObject({ kind: 'unprocessable', message: expect.stringMatching(/\w/) });
    return (error as { field?: string }).field;
  }
}

const DATABASE: JsonSchema = {
  type: 'object',
  required: ['host'],
  properties: {
    host: { type: 'string', format: 'hostname' },
    ports: { type: 'array', items: { $ref: '#/$defs/port' } },
    'a/b': { type: 'boolean' },
  },
  additionalProperties: false,
  $defs: { port: { type: 'integer', minimum: 1, maximum: 65_535 } },
};

describe('a configuration', () => {
  it('passes when it satisfies its schema', () => {
    expect(faultOf({ host: 'db.example', ports: [5432] }, DATABASE)).toBeUndefined();
    expect(faultOf('anything', true)).toBeUndefined();
    expect(faultOf(null, {})).toBeUndefined();
  });

  it.each([
    [{ host: 'db', ports: [1, 70_000] }, 'config.ports[1]'],
    [{ host: 'not a host' }, 'config.host'],
    [{ ports: [] }, 'config.host'],
    [{ host: 'db', colour: 'red' }, 'config.colour'],
    [{ host: 'db', 'a/b': 3 }, 'config.a/b'],
    ['text', 'config'],
  ])('%j fails at %s', (config, field) => {
    expect(faultOf(config, DATABASE)).toBe(field);
  });

  it('fails under the schema false', () => {
    expect(faultOf(1, false)).toBe('config');
  });

  it('is checked by dynamic and unevaluated rules of 2020-12 too', () => {
    const schema: JsonSchema = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      prefixItems: [{ type: 'string' }],
      unevaluatedItems: false,
    };
    expect(faultOf(['a'], schema)).toBeUndefined();
    expect(faultOf(['a', 'b'], schema)).toBe('config');
  });

  it('is stopped in a pattern that would run for years, and the next one is checked as ever', () => {
    const schema: JsonSchema = { properties: { s: { pattern: '^(a+)+$' } } };
    const startedAt = performance.now();
    expect(faultOf({ s: `${'a'.repeat(40)}b` }, schema)).toBe('schema');
    expect(performance.now() - startedAt).toBeLessThan(45_000);
    expect(faultOf({ s: 'aaa' }, schema)).toBeUndefined();
    expect(faultOf({ s: 'b' }, schema)).toBe('config.s');
  });

  it('is stopped in references that go in a circle', () => {
    expect(faultOf({}, { $ref: '#' })).toBe('schema');
  });
});

describe('a schema', () => {
  it.each([
    [{ type: 'objekt' }, 'schema.type'],
    [{ properties: { a: { minimum: 'one' } } }, 'schema.properties.a.minimum'],
    [{ allOf: [{}, { required: 'a' }] }, 'schema.allOf[1].required'],
    [{ properties: { a: { pattern: '(' } } }, 'schema.properties.a.pattern'],
    [{ patternProperties: { '[': {} } }, 'schema.patternProperties.['],
    [{ properties: { a: { $ref: '#/$defs/b' } } }, 'schema.properties.a.$ref'],
    [{ items: { $ref: 'https://example.com/schema.json' } }, 'schema.items.$ref'],
    [{ $schema: 'http://json-schema.org/draft-07/schema#' }, 'schema.$schema'],
    [{ $async: true }, 'schema.$async'],
    [{ description: 'x'.repeat(65 * 1024) }, 'schema'],
  ])('that cannot be used is refused at its fault: %.60j', (schema, field) => {
    expect(faultOf({}, schema)).toBe(field);
  });

  it('may have the same $id as another, and refer to itself by it', () => {
    const typed = (type: string): JsonSchema => ({
      $id: 'https://example.com/one',
      properties: { a: { $ref: 'https://example.com/one#/$defs/a' } },
      $defs: { a: { type } },
    });
    expect(faultOf({ a: 'text' }, typed('string'))).toBeUndefined();
    expect(faultOf({ a: 'text' }, typed('number'))).toBe('config.a');
    expect(faultOf({ a: 'text' }, typed('string'))).toBeUndefined();
  });

  it('may carry what no one knows', () => {
    expect(faultOf({}, { 'x-owner': 'us', format: 'our-own' })).toBeUndefined();
  });

  it('never runs as code', () => {
    const hostile = '"];globalThis.pwned=1;//';
    expect(faultOf({}, { required: [hostile] })).toBe(`config.${hostile}`);
    expect(faultOf({ a: 1 }, { properties: { a: { const: hostile } }, title: hostile })).toBe('config.a');
    expect('pwned' in globalThis).toBe(false);
  });
});

describe('a configuration with secrets', () => {
  /** The field that is at fault with `secret` and `list[0]` hidden. */
  function faultBesideHidden(config: { [name: string]: Json }, schema: JsonSchema): string | undefined {
    try {
      const hidden = [['secret'], ['list', 0]];
      checker.check({ config: { secret: null, list: [null], ...config }, clear: [], hidden }, schema);
      return undefined;
    } catch (error) {
      return (error as { field?: string }).field;
    }
  }

  it.each([
    ['a type', { properties: { secret: { type: 'integer' }, list: { items: { pattern: '^a' } } } }],
    ['a constant', { properties: { secret: { const: 'guess' } } }],
    ['the same for all', { const: { secret: 'guess' } }],
    ['no value at all', { properties: { secret: false } }],
    ['the content of an object', { properties: { secret: { required: ['user'] } } }],
    [
      'what something else depends on',
      { if: { properties: { secret: { pattern: '^a' } } }, else: { required: ['b'] } },
    ],
    ['one of several', { oneOf: [{ properties: { secret: { pattern: '^a' } } }, { required: ['b'] }] }],
    ['anything but', { not: { properties: { secret: { not: { pattern: '^a' } } } } }],
    ['a list with something', { properties: { list: { contains: { pattern: '^a' } } } }],
  ] as [string, JsonSchema][])('is not judged by what is hidden: %s', (_, schema) => {
    expect(faultBesideHidden({}, schema)).toBeUndefined();
  });

  it('is still judged by all the rest', () => {
    const schema: JsonSchema = {
      required: ['secret', 'port'],
      properties: { secret: { type: 'string' }, port: { type: 'integer' }, list: { maxItems: 1 } },
      additionalProperties: false,
    };
    expect(faultBesideHidden({ port: 1 }, schema)).toBeUndefined();
    expect(faultBesideHidden({ port: 'x' }, schema)).toBe('config.port');
    expect(faultBesideHidden({}, schema)).toBe('config.port');
    expect(faultBesideHidden({ port: 1, more: 1 }, schema)).toBe('config.more');
    expect(faultBesideHidden({ port: 1, list: [null, 1] }, schema)).toBe('config.list');
  });

  it('is told of a fault in a secret without any part of it', () => {
    const config = { db: { $pa55: 1 } };
    const schema = {
      properties: { db: { additionalProperties: false, propertyNames: { pattern: '^[a-z]' } } },
    };
    let fault: unknown;
    try {
      checker.check({ config, clear: [['db']], hidden: [] }, schema);
    } catch (error) {
      fault = error;
    }
    expect(fault).toMatchObject({ kind: 'unprocessable', field: 'config.db' });
    expect(`${fault} ${JSON.stringify(fault)}`).not.toContain('pa55');
  });
});
