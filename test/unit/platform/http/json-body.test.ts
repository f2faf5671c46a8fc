import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { MAX_BODY_BYTES } from '../../../../shared/platform/http/body-bytes.ts';
import { defineEndpoint, json } from '../../../../shared/platform/http/index.ts';
import { MAX_NESTING } from '../../../../shared/platform/http/json-body.ts';
import { type Call, caller, problemOf } from './call.ts';

const echo = defineEndpoint<object>()({
  name: 'echo',
  method: 'PUT',
  route: 'echo',
  summary: 'Echoes',
  access: 'open',
  body: z.unknown(),
  responses: {},
  handle: ({ body }) => json(200, body),
});

const trust = defineEndpoint<object>()({
  name: 'trust',
  method: 'POST',
  route: 'trust',
  summary: 'Answers what it was told, and what it takes for granted',
  access: 'open',
  body: z.strictObject({ depth: z.int().default(3) }).prefault({}),
  responses: {},
  handle: ({ body }) => json(200, body),
});

const call = caller([echo, trust]);
const put = (body: Call['body'], headers: Record<string, string> = {}) =>
  call('echo', '/echo', { method: 'PUT', headers, ...(body !== undefined && { body }) });

describe('a body', () => {
  it.each([
    [undefined],
    ['application/json'],
    ['application/json; charset=utf-8'],
    ['Application/JSON;charset="UTF-8"'],
    ['application/merge-patch+json'],
  ])('of the content type %s is read as JSON', async (type) => {
    const answer = await put('{"a":[1,"ü"]}', type === undefined ? {} : { 'content-type': type });
    expect(answer).toMatchObject({ status: 200, text: '{"a":[1,"ü"]}\n' });
  });

  it.each([['text/plain'], ['application/x-www-form-urlencoded'], ['application/json; charset=latin1']])(
    'of the content type %s is 415',
    async (type) => {
      const answer = await put('{}', { 'content-type': type });
      expect(answer.status).toBe(415);
      expect(problemOf(answer)).toMatchObject({ field: 'Content-Type' });
    },
  );

  it('may be as large as the limit and no larger, with or without a declared length', async () => {
    const largest = JSON.stringify('x'.repeat(MAX_BODY_BYTES - 2));
    const length = (text: string) => ({ 'content-length': String(Buffer.byteLength(text)) });
    expect((await put(largest)).status).toBe(200);
    expect((await put(largest, length(largest))).status).toBe(200);
    expect((await put(`${largest} `)).status).toBe(413);
    expect((await put(`${largest} `, length(`${largest} `))).status).toBe(413);
  });

  it('that is missing is 400', async () => {
    expect((await put(undefined)).status).toBe(400);
    expect((await put('')).status).toBe(400);
    expect((await put(undefined, { 'transfer-encoding': 'chunked' })).status).toBe(400);
  });

  it('may be missing where nothing has to be said', async () => {
    const post = (body?: string) =>
      call('trust', '/trust', { method: 'POST', ...(body !== undefined && { body }) });
    expect(await post()).toMatchObject({ status: 200, text: '{"depth":3}\n' });
    expect(await post('{}')).toMatchObject({ status: 200, text: '{"depth":3}\n' });
    expect(await post('null')).toMatchObject({ status: 400 });
    expect(await post(' ')).toMatchObject({ status: 400 });
  });

  it('that is not UTF-8 is 400', async () => {
    const answer = await put(new Uint8Array([0x22, 0xff, 0x22]));
    expect(answer.status).toBe(400);
    expect(problemOf(answer).detail).toContain('UTF-8');
  });

  it('may begin with a byte order mark', async () => {
    expect((await put('\ufeff{"a":1}')).text).toBe('{"a":1}\n');
  });

  it('may be nested as deeply as storage takes it, and no deeper', async () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect((await put(nested(MAX_NESTING))).status).toBe(200);
    expect((await put(nested(MAX_NESTING + 1))).status).toBe(400);
    expect((await put(nested(100_000))).status).toBe(400);
  });

  it.each([
    ['{"a":x}', 5],
    ['{"a":1,}', 7],
    ['[1,,2]', 3],
    ['[1,]', 3],
    ['{"a":"s,]", "b": ]}', 17],
    ['[1', 2],
    ['{"a":tru}', 5],
    ['nope', 0],
    ['}', 0],
    ['{a:1}', 1],
    ['["a" "b"]', 5],
    ['"\\q"', 2],
    ['{} {}', 3],
  ])('%s is 400 at position %i', async (text, position) => {
    const answer = await put(text);
    expect(answer.status).toBe(400);
    expect(problemOf(answer).detail).toContain(`(position ${position})`);
  });

  it('that is malformed is located by line and column', async () => {
    const answer = await put('{\n  "a": 1,\n  "b": ?\n}');
    expect(problemOf(answer).detail).toContain('line 3, column 8');
  });
});
