import { connect } from 'node:net';
import type { Container } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAccount, type RawRequest, sendRaw, type TestAccount } from './account.ts';

let account: TestAccount;
let container: Container;
let items: string;

beforeAll(async () => {
  account = await openAccount();
  container = await account.container();
  items = `dbs/${account.database.id}/colls/${container.id}/docs`;
  await container.items.create({ id: 'a', scope: 's' });
});
afterAll(async () => account.close());

const OWN_KEY = { 'x-ms-documentdb-partitionkey': '["s"]' };

/** What the server writes to a connection on which `text` was sent. */
function answerTo(text: string): Promise<string> {
  const { hostname, port } = new URL(account.server?.endpoint ?? '');
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += String(chunk);
    });
    socket.on('error', (error) => (answer === '' ? reject(error) : resolve(answer)));
    socket.on('close', () => resolve(answer));
  });
}

describe('requests that no SDK sends', () => {
  const known: [string, () => RawRequest][] = [
    ['PUT of the account', () => ({ method: 'PUT', path: '' })],
    ['PATCH of the databases', () => ({ method: 'PATCH', path: 'dbs' })],
    ['PUT of all items', () => ({ method: 'PUT', path: items, headers: OWN_KEY, body: '{}' })],
    ['POST of an item', () => ({ method: 'POST', path: `${items}/a`, headers: OWN_KEY, body: '{}' })],
    ['DELETE of the ranges', () => ({ method: 'DELETE', path: items.replace(/docs$/, 'pkranges') })],
  ];
  it.each(known)('%s is 405', async (_, request) => {
    const answer = await sendRaw(account, request());
    expect(answer).toMatchObject({ status: 405, body: { code: 'MethodNotAllowed' } });
  });

  it('what is not JSON in UTF-8 is 400, and nothing is stored', async () => {
    const text = '{"id":"b","scope":"s"}';
    const wrong = Buffer.concat([
      Buffer.from(`${text.slice(0, -1)},"v":"`),
      Buffer.of(0xff),
      Buffer.from('"}'),
    ]);
    for (const body of ['', '{', '[]', 'null', `${text}}`, Uint8Array.from(wrong)]) {
      const answer = await sendRaw(account, { method: 'POST', path: items, headers: OWN_KEY, body });
      expect(answer).toMatchObject({ status: 400, body: { code: 'BadRequest' } });
    }
    expect((await container.item('b', 's').read()).statusCode).toBe(404);
  });

  it('a number that no double holds is 400, -0 is 0', async () => {
    const create = (id: string, number: string) => {
      const body = `{"id":"${id}","scope":"s","n":[${number}]}`;
      return sendRaw(account, { method: 'POST', path: items, headers: OWN_KEY, body });
    };
    expect(await create('large', '1e999')).toMatchObject({ status: 400 });
    expect(await create('zero', '-0')).toMatchObject({ status: 201 });
    expect((await container.item('zero', 's').read()).resource?.n).toEqual([0]);
  });

  it('a signature of another hour is 403, a date that is none is 401', async () => {
    const hour = 3_600_000;
    for (const date of [new Date(Date.now() - hour), new Date(Date.now() + hour)]) {
      expect(await sendRaw(account, { method: 'GET', path: 'dbs', date })).toMatchObject({ status: 403 });
    }
    const headers = { 'x-ms-date': 'yesterday' };
    expect(await sendRaw(account, { method: 'GET', path: 'dbs', headers })).toMatchObject({ status: 401 });
  });

  it('a session token that cannot be read is 400', async () => {
    const read = (token: string) =>
      sendRaw(account, {
        method: 'GET',
        path: `${items}/a`,
        headers: { ...OWN_KEY, 'x-ms-consistency-level': 'Session', 'x-ms-session-token': token },
      });
    for (const token of ['nonsense', '0', '0:-1#x', '0:-1#1,']) {
      expect(await read(token)).toMatchObject({ status: 400 });
    }
    expect(await read('0:-1#0,1:-1#0')).toMatchObject({ status: 200 });
  });

  it('what is not HTTP, or too much of it, is answered in JSON too', async ({ skip }) => {
    skip(account.server === undefined, 'the way to the service has proxies of its own');
    const bodyOf = (answer: string) => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')));
    const nonsense = await answerTo('NONSENSE\r\n\r\n');
    expect(nonsense).toMatch(/^HTTP\/1\.1 400 /);
    expect(bodyOf(nonsense)).toMatchObject({ code: 'BadRequest', message: expect.any(String) });
    for (const header of ['X: y', 'Host: x\r\nExpect: more']) {
      const unsigned = await answerTo(`GET / HTTP/1.1\r\n${header}\r\nConnection: close\r\n\r\n`);
      expect(unsigned).toMatch(/^HTTP\/1\.1 401 /);
      expect(bodyOf(unsigned)).toMatchObject({ code: 'Unauthorized', message: expect.any(String) });
    }
    const large = await answerTo(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(large).toMatch(/^HTTP\/1\.1 400 /);
    expect(bodyOf(large)).toMatchObject({ code: 'BadRequest', message: expect.stringContaining('header') });
  });
});
