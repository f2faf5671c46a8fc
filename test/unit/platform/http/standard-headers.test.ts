import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { SkerryError } from '../../../../shared/platform/errors.ts';
import {
  type AccessControl,
  content,
  defineEndpoint,
  json,
  text,
} from '../../../../shared/platform/http/index.ts';
import { caller } from './call.ts';

const endpoint = defineEndpoint<object>();
const access = { verb: 'read', keys: '/thing' } as const;

async function* twoLines() {
  yield Buffer.from('one\n');
  yield Buffer.from('two\n');
}

const endpoints = [
  endpoint({
    name: 'get',
    method: 'GET',
    route: 'things/{name}',
    summary: 'Gets',
    access,
    params: { name: z.string() },
    responses: {},
    handle: ({ params: { name } }) => {
      switch (name) {
        case 'tagged':
          return json(200, {}, { etag: '"1"', headers: { Vary: 'Accept' } });
        case 'stored':
          return content('x', 'text/html', {});
        case 'stream':
          return { status: 200, headers: { 'Content-Type': 'text/event-stream' }, body: twoLines() };
        case 'kept':
          return json(200, {}, { etag: '"1"', headers: { 'Cache-Control': 'private, max-age=60' } });
        default:
          throw new Error('no');
      }
    },
  }),
  endpoint({
    name: 'legacy',
    method: 'GET',
    route: 'legacy',
    summary: 'Gets',
    surface: 'legacy',
    access: { ...access, legacy: true },
    responses: {},
    handle: () => text(200, 'yes'),
  }),
];

const closed: AccessControl = {
  isOffered: (wanted) => typeof wanted !== 'object' || wanted.legacy !== true,
  admit: async () => {
    throw new SkerryError('unauthorized', 'Who are you?');
  },
};

const SECURITY = {
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
};

describe('every answer', () => {
  const call = caller(endpoints);
  const get = (name: string, headers = {}) => call('things/{name}', `/things/${name}`, { headers });

  it.each(['tagged', 'stream', 'broken'])(
    'is none that a browser guesses about or runs: %s',
    async (name) => {
      expect((await get(name)).headers).toMatchObject(SECURITY);
    },
  );

  it('is for keeping only where it can be asked after, unless it says otherwise', async () => {
    const kept = async (name: string) => (await get(name)).headers['Cache-Control'];
    expect(await kept('tagged')).toBe('private, no-cache');
    expect([await kept('stream'), await kept('broken')]).toEqual(['no-store', 'no-store']);
    expect(await kept('kept')).toBe('private, max-age=60');
    expect((await call('legacy', '/legacy')).headers).not.toHaveProperty('Cache-Control');
  });

  it('keeps what it says itself of what is stored in it', async () => {
    expect((await get('stored')).headers['Content-Security-Policy']).toContain('sandbox');
  });

  it('has browsers keep to https where it came by https', async () => {
    expect((await get('tagged')).headers).not.toHaveProperty('Strict-Transport-Security');
    const secure = await get('tagged', { 'x-forwarded-proto': 'https' });
    expect(secure.headers['Strict-Transport-Security']).toBe('max-age=31536000');
  });

  it('of a legacy surface that is off is that of an unknown path', async () => {
    const off = caller(endpoints, { access: closed, origins: ['https://a.example'] });
    const {
      headers,
      text: body,
      status,
    } = await off('legacy', '/x', { headers: { 'x-request-id': 'same' } });
    const unknown = await off('{*path}', '/x', { headers: { 'x-request-id': 'same' } });
    expect({ headers, body, status }).toEqual({
      headers: unknown.headers,
      body: unknown.text,
      status: 404,
    });
  });
});

describe('a page of another origin', () => {
  const PREFLIGHT = { origin: 'https://a.example', 'access-control-request-method': 'PUT' };
  const ask = (origins: string[], path: 'things/{name}' | 'legacy', method: string, headers: object) =>
    caller(endpoints, { access: closed, origins })(path, `/${path}`, { method, headers: { ...headers } });

  it('may call what the settings let it call, and is told so without a token', async () => {
    const preflight = await ask(['https://a.example'], 'things/{name}', 'OPTIONS', PREFLIGHT);
    expect(preflight).toMatchObject({
      status: 204,
      headers: {
        'Access-Control-Allow-Origin': 'https://a.example',
        'Access-Control-Allow-Credentials': 'true',
        'Access-Control-Allow-Methods': 'GET, HEAD, OPTIONS',
        'Access-Control-Allow-Headers': expect.stringContaining('Authorization'),
        Vary: 'Origin',
      },
    });
    const refused = await ask(['https://a.example'], 'things/{name}', 'GET', PREFLIGHT);
    expect(refused).toMatchObject({
      status: 401,
      headers: {
        'Access-Control-Allow-Origin': 'https://a.example',
        'Access-Control-Expose-Headers': expect.stringMatching(/ETag.*X-Skerry-Revision/),
      },
    });
  });

  it('hears nothing where it is not named, as caches are told, or on a legacy surface', async () => {
    const other = await ask(['https://b.example'], 'things/{name}', 'OPTIONS', PREFLIGHT);
    expect(other).toMatchObject({ status: 401, headers: { Vary: 'Origin' } });
    const legacy = await caller(endpoints, { origins: ['*'] })('legacy', '/legacy', { headers: PREFLIGHT });
    const unset = await ask([], 'things/{name}', 'OPTIONS', PREFLIGHT);
    for (const { headers } of [other, legacy, unset]) {
      expect(Object.keys(headers).filter((name) => name.startsWith('Access-Control'))).toEqual([]);
    }
    expect(unset.headers).not.toHaveProperty('Vary');
  });

  it('of any origin never has the browser send what it keeps for Skerry', async () => {
    const { headers } = await ask(['*'], 'things/{name}', 'OPTIONS', PREFLIGHT);
    expect(headers).toMatchObject({ 'Access-Control-Allow-Origin': '*' });
    expect(headers).not.toHaveProperty('Access-Control-Allow-Credentials');
  });

  it('is one of several things that an answer may depend on', async () => {
    const call = caller(endpoints, { origins: ['https://a.example'] });
    expect((await call('things/{name}', '/things/tagged')).headers.Vary).toBe('Origin, Accept');
  });
});
