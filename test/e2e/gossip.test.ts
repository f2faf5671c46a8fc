import { beforeAll, describe, expect, it } from 'vitest';
import { shareSkerry } from './share-skerry.ts';

let skerry: { readonly url: string };

beforeAll(async () => {
  skerry = await shareSkerry('swept');
});

/** Sends a body as curl does, which calls everything urlencoded, unless told otherwise. */
async function post(path: string, body: unknown, contentType = 'application/x-www-form-urlencoded') {
  const response = await fetch(`${skerry.url}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': contentType },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

async function list(): Promise<unknown> {
  const response = await fetch(`${skerry.url}/registry/list`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  return await response.json();
}

function node(address: string, last_update: unknown, app_name = 'greeter') {
  return { address, app_name, last_update };
}

describe('the gossip registry', () => {
  it('starts without any node', async () => {
    expect(await list()).toEqual({});
  });

  it('lists who registered, by address', async () => {
    for (const announcement of [node('0:0', 0), node('1:1', '1'), node('[::1]:80', 1_700_000_000)]) {
      expect(await post('/registry/register_instance', announcement)).toEqual({
        status: 200,
        text: 'success',
      });
    }
    expect(await list()).toEqual({
      '0:0': { app_name: 'greeter', last_update: 0 },
      '1:1': { app_name: 'greeter', last_update: 1 },
      '[::1]:80': { app_name: 'greeter', last_update: 1_700_000_000 },
    });
  });

  it('raises last_update only, and never changes a name', async () => {
    for (const lastUpdate of [5, 3]) {
      expect(await post('/registry/register_instance', node('127.0.0.1:5000', lastUpdate))).toEqual({
        status: 200,
        text: 'success',
      });
      expect(await list()).toMatchObject({ '127.0.0.1:5000': { app_name: 'greeter', last_update: 5 } });
    }
    await post('/registry/register_instance', node('127.0.0.1:5000', 9, 'other'));
    expect(await list()).toMatchObject({ '127.0.0.1:5000': { app_name: 'greeter', last_update: 9 } });
  });

  it('is reached under the path that the README writes once, with JSON of any content type', async () => {
    expect(await post('/register/register_instance', node('127.0.0.1:5001', 1), 'application/json')).toEqual({
      status: 200,
      text: 'success',
    });
    expect(await list()).toHaveProperty(['127.0.0.1:5001']);
  });

  it('merges a pushed list entry by entry', async () => {
    await post('/registry/register_instance', node('127.0.0.1:6000', 10));
    expect(
      await post('/registry/register_all', {
        '127.0.0.1:6000': { app_name: 'pushed', last_update: 4 },
        '127.0.0.1:6001': { app_name: 'pushed', last_update: 0 },
      }),
    ).toEqual({ status: 200, text: 'Success!' });
    expect(await list()).toMatchObject({
      '127.0.0.1:6000': { app_name: 'greeter', last_update: 10 },
      '127.0.0.1:6001': { app_name: 'pushed', last_update: 0 },
    });
    expect(await post('/registry/register_all', {})).toEqual({ status: 200, text: 'Success!' });
  });

  it('takes its own list back', async () => {
    const before = await list();
    expect(await post('/registry/register_all', JSON.stringify(before))).toEqual({
      status: 200,
      text: 'Success!',
    });
    expect(await list()).toEqual(before);
  });

  it('takes thousands of nodes in one push', async () => {
    const pushed = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, index) => [`10.0.0.${index}:80`, { app_name: 'n', last_update: 1 }]),
    );
    expect(await post('/registry/register_all', pushed)).toEqual({ status: 200, text: 'Success!' });
    expect(await list()).toMatchObject(pushed);
  });

  it.each([
    ['/registry/register_instance', 'not json'],
    ['/registry/register_instance', ''],
    ['/registry/register_instance', []],
    ['/registry/register_instance', { address: 'bad:1', app_name: 'a' }],
    ['/registry/register_instance', { address: 'bad:1', last_update: 1 }],
    ['/registry/register_instance', node('bad:1', 'soon')],
    ['/registry/register_instance', node('bad:1', 1.5)],
    ['/registry/register_instance', node('bad 1', 1)],
    ['/registry/register_all', 'not json'],
    [
      '/registry/register_all',
      { 'bad:1': { app_name: 'a', last_update: 1 }, 'bad:2': { app_name: 'a', last_update: null } },
    ],
  ])('refuses bad input to %s with a reason, and writes nothing: %j', async (path, body) => {
    const { status, text } = await post(path, body);
    expect(status).toBe(400);
    expect(text.length).toBeGreaterThan(10);
    expect(Object.keys((await list()) as object).filter((address) => address.startsWith('bad'))).toEqual([]);
  });

  it('tells callers the address that the front end saw, without a port', async () => {
    const response = await fetch(`${skerry.url}/registry/get_ip`, {
      headers: { 'X-Forwarded-For': '203.0.113.7' },
    });
    expect(response.status).toBe(200);
    expect(await response.text()).toMatch(/^(127\.0\.0\.1|::1)$/);
  });

  it('answers other methods 405', async () => {
    for (const [method, path, allowed] of [
      ['POST', '/registry/list', 'GET'],
      ['GET', '/registry/register_instance', 'POST'],
      ['GET', '/registry/register_all', 'POST'],
      ['DELETE', '/registry/get_ip', 'GET'],
    ] as const) {
      const response = await fetch(`${skerry.url}${path}`, { method });
      expect(response.status, `${method} ${path}`).toBe(405);
      expect(response.headers.get('allow')).toContain(allowed);
    }
  });
});
