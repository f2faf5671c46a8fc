import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  AccessSnapshot,
  Callers,
  createAccessControl,
  LegacyAccess,
} from '../../../../shared/access/index.ts';
import { systemClock } from '../../../../shared/platform/clock.ts';
import { conflict, SkerryError, unavailable, unprocessable } from '../../../../shared/platform/errors.ts';
import {
  type AccessControl,
  defineEndpoint,
  flag,
  json,
  list,
  noContent,
  paging,
  text,
} from '../../../../shared/platform/http/index.ts';
import { caller, problemOf } from './call.ts';

const endpoint = defineEndpoint<object>();

const getThing = endpoint({
  name: 'getThing',
  method: 'GET',
  route: 'things/{name}',
  summary: 'Gets a thing',
  access: { verb: 'read', keys: '/thing/{name}' },
  query: { passing: flag(), tag: list(z.string().max(3)), ...paging },
  responses: { 200: { description: 'The thing.' } },
  handle: ({ ns, params, query, author, baseUrl, ownUrl, clientAddress }) =>
    json(200, { ns, params, query, author, baseUrl, ownUrl, clientAddress }, { revision: 7 }),
});

const putThing = endpoint({
  name: 'putThing',
  method: 'PUT',
  route: 'things/{name}',
  summary: 'Puts a thing',
  access: { verb: 'write', keys: '/thing/{name}' },
  body: z.strictObject({
    ttl: z.int().min(1).max(86_400).optional(),
    endpoints: z.record(z.string(), z.string()).optional(),
    tags: z.array(z.string()).optional(),
    any: z.unknown().optional(),
  }),
  responses: { 200: { description: 'The thing.' } },
  handle: ({ body }) => json(200, body),
});

const faults: Readonly<Record<string, () => unknown>> = {
  conflict: () => conflict('It is there already.', { field: 'name', fix: 'Choose another name.' }),
  unavailable: () => unavailable('The database is away.'),
  unprocessable: () => unprocessable('It breaks its schema.'),
  bug: () => new Error('the password is 1234'),
  nothing: () => undefined,
};

const failing = endpoint({
  name: 'fail',
  method: 'POST',
  route: 'faults/{name}',
  summary: 'Fails',
  access: { verb: 'admin', keys: '/' },
  responses: {},
  handle: ({ params }) => {
    throw faults[params.name]?.();
  },
});

const link = endpoint({
  name: 'followLink',
  method: 'GET',
  route: 'links/{token}',
  summary: 'Fails',
  access: 'open',
  responses: {},
  handle: () => {
    throw unavailable('Nothing answers.');
  },
});

const legacy = endpoint({
  name: 'legacyFail',
  method: 'PUT',
  route: 'legacy/{name}',
  summary: 'Fails the old way',
  access: { verb: 'write', keys: '/', legacy: true },
  surface: 'legacy',
  body: z.looseObject({ ok: z.boolean() }),
  responses: {},
  handle: ({ params, body, ns }) => {
    if (body.ok) {
      return text(200, `${ns} ${params.name}`);
    }
    throw faults[params.name]?.();
  },
});

const open = endpoint({
  name: 'probe',
  method: 'GET',
  route: 'probe',
  summary: 'Probes',
  access: 'open',
  responses: {},
  handle: () => noContent(),
});

const endpoints = [getThing, putThing, failing, link, legacy, open];
const call = caller(endpoints);

describe('what a handler is given', () => {
  it('holds the decoded parameter, the query as declared, and the namespace', async () => {
    const {
      status,
      headers,
      text: body,
    } = await call('things/{name}', '/things/d%6D?passing&tag=a&tag=b&limit=5&ns=other');
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      ns: 'other',
      params: { name: 'dm' },
      query: { passing: true, tag: ['a', 'b'], limit: 5 },
    });
    expect(headers).toMatchObject({ 'Content-Type': 'application/json', 'X-Skerry-Revision': '7' });
    expect(body.endsWith('}\n')).toBe(true);
  });

  it('holds defaults where the query says nothing', async () => {
    const { text: body } = await call('things/{name}', '/things/dm');
    expect(JSON.parse(body)).toMatchObject({
      ns: 'default',
      query: { passing: false, tag: [], limit: 1000 },
      author: { actor: 'local' },
      baseUrl: 'http://skerry.test',
    });
  });

  it('holds the base that the caller used and the address that the front end appended', async () => {
    const { text: body } = await call('things/{name}', '/things/dm', {
      headers: {
        'x-forwarded-proto': 'https',
        'x-forwarded-host': 'skerry.example',
        'x-forwarded-for': '6.6.6.6, 10.1.2.3:4711',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      },
    });
    expect(JSON.parse(body)).toMatchObject({
      baseUrl: 'https://skerry.example',
      ownUrl: 'http://skerry.test',
      clientAddress: '10.1.2.3',
      author: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
    });
  });

  it('holds the public base URL where the settings name one', async () => {
    const settled = caller(endpoints, { publicUrl: 'https://public.example/' });
    const { text: body } = await settled('things/{name}', '/things/dm', {
      headers: { 'x-forwarded-host': 'other.example' },
    });
    expect(JSON.parse(body)).toMatchObject({
      baseUrl: 'https://public.example',
      ownUrl: 'https://public.example',
    });
  });
});

describe('input that is refused', () => {
  it.each([
    ['/things/a%2Fb', 'name'],
    ['/things/%E0%A4%A', 'name'],
    ['/things/%20', 'name'],
    [`/things/${'a'.repeat(129)}`, 'name'],
    ['/things/dm?colour=red', 'colour'],
    ['/things/dm?__proto__=x', '__proto__'],
    ['/things/dm?limit=0', 'limit'],
    ['/things/dm?limit=1001', 'limit'],
    ['/things/dm?limit=ten', 'limit'],
    ['/things/dm?limit=1&limit=2', 'limit'],
    ['/things/dm?passing=perhaps', 'passing'],
    ['/things/dm?tag=long!', 'tag[0]'],
    ['/things/dm?ns=a%20b', 'ns'],
    ['/things/dm?ns=a&ns=b', 'ns'],
  ])('%s is a 400 about %s', async (path, field) => {
    const answer = await call('things/{name}', path);
    expect(problemOf(answer)).toMatchObject({
      type: 'https://skerry.dev/problems/invalid',
      status: 400,
      field,
    });
    expect(answer.status).toBe(400);
    expect(problemOf(answer).fix).toEqual(expect.stringMatching(/\w/));
    expect(problemOf(answer).detail).toContain(field.replace(/\[.*/, ''));
  });

  it.each([
    ['{"ttl":"long"}', 'ttl'],
    ['{"ttl":0}', 'ttl'],
    ['{"endpoints":{"http":3}}', 'endpoints.http'],
    ['{"tags":["a",{}]}', 'tags[1]'],
    ['{"colour":1}', 'colour'],
    ['{"any":[1,1e400]}', 'any[1]'],
    ['{"any":{"__proto__":{"polluted":true}}}', 'any.__proto__'],
    ['{"any":[{"\\u005f_proto__":1}]}', 'any[0].__proto__'],
  ])('the body %s is a 400 about %s', async (body, field) => {
    const answer = await call('things/{name}', '/things/dm', { method: 'PUT', body });
    expect(answer.status).toBe(400);
    expect(problemOf(answer)).toMatchObject({ field });
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('methods', () => {
  it('HEAD is answered as GET, without the body', async () => {
    const answer = await call('things/{name}', '/things/dm', { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 200, text: '', headers: { 'X-Skerry-Revision': '7' } });
    const { text: body } = await call('things/{name}', '/things/dm');
    expect(answer.headers['Content-Length']).toBe(String(body.length));
  });

  it('OPTIONS says which methods there are', async () => {
    const answer = await call('things/{name}', '/things/dm', { method: 'OPTIONS' });
    expect(answer).toMatchObject({ status: 204, headers: { Allow: 'GET, HEAD, OPTIONS, PUT' } });
  });

  it('another method is 405 with Allow', async () => {
    const answer = await call('things/{name}', '/things/dm', { method: 'POST', body: '{}' });
    expect(answer).toMatchObject({ status: 405, headers: { Allow: 'GET, HEAD, OPTIONS, PUT' } });
    expect(problemOf(answer).type).toBe('https://skerry.dev/problems/method-not-allowed');
  });

  it('an unknown path is a 404 problem, whatever the method', async () => {
    for (const method of ['GET', 'PUT', 'OPTIONS']) {
      const answer = await call('{*path}', '/nowhere', { method });
      expect(answer.status).toBe(404);
      expect(problemOf(answer).type).toBe('https://skerry.dev/problems/not-found');
    }
  });
});

describe('errors', () => {
  it.each([
    ['conflict', 409],
    ['unavailable', 503],
    ['unprocessable', 422],
    ['bug', 500],
    ['nothing', 500],
  ])('%s is answered with %i', async (name, status) => {
    const answer = await call('faults/{name}', `/faults/${name}`, { method: 'POST' });
    expect(answer.status).toBe(status);
    expect(answer.headers['Content-Type']).toBe('application/problem+json');
    expect(problemOf(answer)).toMatchObject({ status, requestId: answer.headers['X-Request-Id'] });
  });

  it('carry the field, the fix and when to come back', async () => {
    const first = await call('faults/{name}', '/faults/conflict', { method: 'POST' });
    expect(problemOf(first)).toMatchObject({ field: 'name', fix: 'Choose another name.' });
    const second = await call('faults/{name}', '/faults/unavailable', { method: 'POST' });
    expect(second.headers['Retry-After']).toBe('2');
  });

  it('that nobody foresaw tell nothing outside and everything in the log', async () => {
    const answer = await call('faults/{name}', '/faults/bug', {
      method: 'POST',
      headers: { 'x-request-id': 'r-1' },
    });
    expect(answer.text).not.toContain('1234');
    expect(problemOf(answer).requestId).toBe('r-1');
    expect(answer.logged).toEqual([expect.stringContaining('r-1'), new Error('the password is 1234')]);
  });

  it('do not tell the log what a link grants', async () => {
    const { status, logged } = await call('links/{token}', '/links/secret');
    expect(status).toBe(503);
    expect(logged[0]).toContain('(GET /links/***) failed: Nothing answers.');
    expect(String(logged)).not.toContain('secret');
  });

  it('of callers are not logged', async () => {
    const { logged } = await call('faults/{name}', '/faults/conflict', { method: 'POST' });
    expect(logged).toEqual([]);
  });

  it('answer HEAD without a body', async () => {
    const answer = await call('things/{name}', '/things/a%20b', { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 400, text: '' });
  });

  it('never reach the host, not even from a handler that answers nothing', async () => {
    const broken = endpoint({
      name: 'broken',
      method: 'GET',
      route: 'broken',
      summary: 'Answers nothing',
      access: 'open',
      responses: {},
      handle: () => JSON.parse('null'),
    });
    const answer = await caller([broken])('broken', '/broken');
    expect(answer.status).toBe(500);
  });
});

describe('the request id', () => {
  it('is the caller’s where it is fit for a log, or else a new one', async () => {
    const own = await call('probe', '/probe', { headers: { 'x-request-id': 'abc-1' } });
    expect(own.headers['X-Request-Id']).toBe('abc-1');
    const odd = await call('probe', '/probe', { headers: { 'x-request-id': 'a b"<' } });
    expect(odd.headers['X-Request-Id']).toMatch(/^req_[0-9a-z]{26}$/);
  });
});

describe('legacy surfaces', () => {
  const put = (path: string, body: string, headers?: Record<string, string>) =>
    call('legacy/{name}', path, { method: 'PUT', body, ...(headers && { headers }) });

  it('take JSON under any content type and ignore query parameters', async () => {
    const answer = await put('/legacy/dm?x=1&ns=other', '{"ok":true,"more":1}', {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(answer).toMatchObject({ status: 200, text: 'default dm' });
  });

  it.each([
    ['/legacy/conflict', '{"ok":false}', 409, 'It is there already. Choose another name.\n'],
    ['/legacy/unprocessable', '{"ok":false}', 400, 'It breaks its schema.\n'],
    ['/legacy/bug', '{"ok":false}', 500, 'Something failed on our side\n'],
    ['/legacy/a%20b', '{"ok":true}', 400, /"name" is not acceptable/],
    ['/legacy/dm', '{"ok":1}', 400, /"ok" is not acceptable/],
    ['/legacy/dm', '{', 400, /not well-formed JSON/],
  ])('answer %s with %s by a reason in text (%i)', async (path, body, status, reason) => {
    const answer = await put(path, body);
    expect(answer.status).toBe(status);
    expect(answer.headers['Content-Type']).toBe('text/plain; charset=utf-8');
    expect(answer.text).toMatch(reason);
  });
});

describe('access outside local mode', () => {
  const TOKEN = 'a-token-of-some-length';
  const TOKEN_SHA256 = createHash('sha256').update(TOKEN).digest('hex');
  const callerUnder = (bootstrapSha256: string | undefined, legacySetting: 'off' | 'open' = 'off') => {
    const legacy = new LegacyAccess(legacySetting);
    const directory = { current: async () => new AccessSnapshot(0, []) };
    const callers = new Callers({
      directory,
      clock: systemClock,
      isOpen: false,
      bootstrapSha256,
      legacy,
      lastUses: { note() {} },
    });
    return caller(endpoints, { access: createAccessControl({ isOpen: false, callers, legacy }) });
  };
  const locked = callerUnder(TOKEN_SHA256);
  const get = (authorization?: string, send = locked) =>
    send('things/{name}', '/things/dm', authorization ? { headers: { authorization } } : {});

  it('needs the token, whatever else is wrong with the call', async () => {
    const answer = await locked('things/{name}', '/things/a%20b');
    expect(answer).toMatchObject({ status: 401, headers: { 'WWW-Authenticate': 'Bearer' } });
    expect(problemOf(answer).type).toBe('https://skerry.dev/problems/unauthorized');
    expect((await get(`Basic ${TOKEN}`)).status).toBe(401);
    expect((await get(`Bearer ${TOKEN}x`)).status).toBe(401);
    expect((await get('Bearer')).status).toBe(401);
    const admitted = await get(`bearer ${TOKEN}`);
    expect(JSON.parse(admitted.text)).toMatchObject({ author: { actor: 'token:bootstrap' } });
  });

  it('is refused to everyone while no token is set', async () => {
    const shut = callerUnder(undefined);
    expect((await get('Bearer undefined', shut)).status).toBe(401);
    expect((await get('Bearer ', shut)).status).toBe(401);
  });

  it('covers methods that a route does not have', async () => {
    for (const method of ['OPTIONS', 'DELETE']) {
      expect((await locked('things/{name}', '/things/dm', { method })).status).toBe(401);
    }
  });

  it('says of what a caller may not see just what it says of what is not there', async () => {
    const readsOnlyDm: AccessControl = {
      isOffered: () => true,
      admit: async () => ({
        maker: { actor: 'token:tok_1' },
        may: (verb, _, keys) => verb === 'read' && keys === '/thing/dm',
      }),
    };
    const call = caller(endpoints, { access: readsOnlyDm });
    const body = '{"size":1}';
    expect((await call('things/{name}', '/things/dm')).status).toBe(200);
    const forbidden = await call('things/{name}', '/things/dm', { method: 'PUT', body });
    expect(forbidden.status).toBe(403);
    expect(problemOf(forbidden).detail).toBe(
      'The caller may not write /thing/dm in the namespace "default".',
    );
    const unseen = await call('things/{name}', '/things/other', { method: 'PUT', body });
    const unknown = await call('{*path}', '/things/other', { method: 'PUT', body });
    expect({ ...problemOf(unseen), requestId: '' }).toEqual({ ...problemOf(unknown), requestId: '' });
    expect((await call('things/{name}', '/things/other')).status).toBe(404);
  });

  it('tells an observer who failed to sign in, and who was denied what, however they were told', async () => {
    const seen: object[] = [];
    const observer = {
      denied: (what: object) => seen.push(what),
      signInFailed: (what: object) => seen.push(what),
    };
    const stranger = { maker: { actor: 'token:tok_1' }, may: () => false };
    const access: AccessControl = {
      isOffered: () => true,
      async admit(_, { headers }) {
        if (headers.get('authorization') === 'Bearer right') return stranger;
        const isRefused = headers.get('x-ms-client-principal') !== null;
        const challenge = isRefused ? 'Bearer error="invalid_token"' : 'Bearer';
        throw new SkerryError('unauthorized', 'No.', { headers: { 'WWW-Authenticate': challenge } });
      },
    };
    const call = caller(endpoints, { access, observer });
    const ask = (headers: Record<string, string>) =>
      call('things/{name}', '/things/dm', { headers: { 'x-forwarded-for': '192.0.2.1', ...headers } });
    expect((await ask({})).status).toBe(401);
    expect((await ask({ authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await ask({ authorization: 'Bearer right' })).status).toBe(404);
    expect((await ask({ 'x-ms-client-principal': 'wrong' })).status).toBe(401);
    const where = { endpoint: 'getThing', clientAddress: '192.0.2.1' };
    expect(seen).toEqual([
      { ...where, isFaulty: false },
      { ...where, isFaulty: true },
      { ...where, caller: stranger, verb: 'read', ns: 'default', keys: '/thing/dm' },
      { ...where, isFaulty: true },
    ]);
  });

  it('is free for probes', async () => {
    expect((await locked('probe', '/probe')).status).toBe(204);
  });

  it('hides legacy surfaces as if they were not there, unless they are switched on', async () => {
    const body = '{"ok":true}';
    const hidden = await locked('legacy/{name}', '/legacy/dm', { method: 'PUT', body });
    const missing = await locked('{*path}', '/legacy/dm', { method: 'PUT', body });
    expect(hidden.status).toBe(404);
    expect({ ...problemOf(hidden), requestId: '' }).toEqual({ ...problemOf(missing), requestId: '' });
    const open = callerUnder(TOKEN_SHA256, 'open');
    expect((await open('legacy/{name}', '/legacy/dm', { method: 'PUT', body })).status).toBe(200);
  });
});

describe('declarations', () => {
  it('cannot share a name, or a method of a route', () => {
    expect(() => caller([open, open])).toThrow(/called probe/);
    expect(() => caller([open, { ...open, name: 'again' }])).toThrow(/same method/);
    expect(() => caller([open, { ...open, name: 'again', method: 'PUT', surface: 'legacy' }])).toThrow(
      /surfaces/,
    );
  });
});
