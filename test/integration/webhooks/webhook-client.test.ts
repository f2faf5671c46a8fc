import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../shared/platform/clock.ts';
import { createWebhookClient } from '../../../shared/webhooks/index.ts';

const TIMEOUT_MILLISECONDS = 10_000;
const SHORT_TIMEOUT_MILLISECONDS = 300;

let server: Server | TcpServer | undefined;

afterEach(async () => {
  if (server !== undefined && 'closeAllConnections' in server) {
    server.closeAllConnections();
  }
  server?.close();
  server = undefined;
});

async function listen(listener: RequestListener): Promise<number> {
  return await portOf(createServer(listener));
}

/** Answers whatever is sent with some bytes. */
async function answerBytes(bytes: string): Promise<number> {
  return await portOf(
    createTcpServer((socket) => socket.on('error', () => {}).once('data', () => socket.write(bytes))),
  );
}

async function portOf(listening: Server | TcpServer): Promise<number> {
  server = listening;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

interface ClientOptions {
  readonly allowPrivate: boolean;
  readonly timeoutMilliseconds?: number;
  readonly port?: number;
}

function connect({ allowPrivate, timeoutMilliseconds = TIMEOUT_MILLISECONDS, port = 443 }: ClientOptions) {
  const policy = { allowPrivate, ports: [port] };
  return createWebhookClient({ policy, timeoutMilliseconds, clock: systemClock });
}

function post(endpoint: string, options: ClientOptions) {
  const headers = { 'content-type': 'application/json' };
  return connect(options).post({ endpoint, headers, body: '{}' });
}

const LOCAL = { allowPrivate: true };
const SHORT = { allowPrivate: true, timeoutMilliseconds: SHORT_TIMEOUT_MILLISECONDS };

test('what the policy refuses by its text is refused for good', async () => {
  expect(await post('https://127.0.0.1', { allowPrivate: false })).toEqual({
    error: 'The endpoint is not on the public internet.',
    isFinal: true,
  });
});

describe('an answer', () => {
  test('is asked for and kept without compression', async () => {
    let asked: string | undefined;
    const port = await listen((request, response) => {
      asked = request.headers['accept-encoding'];
      response.end('thanks');
    });
    expect(await post(`http://127.0.0.1:${port}`, LOCAL)).toEqual({ status: 200, body: 'thanks' });
    expect(asked).toBe('identity');
  });

  test('that is compressed all the same counts by its status alone', async () => {
    const port = await listen((_request, response) =>
      response.writeHead(500, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(1e6))),
    );
    expect(await post(`http://127.0.0.1:${port}`, LOCAL)).toEqual({ status: 500, error: 'HTTP 500' });
  });

  test('without end is cut off and counts by its status', async () => {
    const port = await listen((_request, response) => {
      response.writeHead(200);
      const pour = () => {
        while (response.write('x'.repeat(10_000)));
      };
      response.on('drain', pour);
      pour();
    });
    const body = 'x'.repeat(20_000);
    expect(await post(`http://127.0.0.1:${port}`, LOCAL)).toEqual({ status: 200, body, isCut: true });
  });

  test('that breaks off says so, even where nothing came of it', async () => {
    const port = await listen((_request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.flushHeaders();
      response.socket?.end();
    });
    expect(await post(`http://127.0.0.1:${port}`, LOCAL)).toEqual({ status: 200, body: '', isCut: true });
  });

  test.each([
    ['a character that is cut in two', Buffer.from('é'.repeat(15_000)).subarray(1), '\u{fffd}'],
    ['bytes that are no text', Buffer.alloc(30_000, 0xff), '\u{fffd}'],
  ])('is kept within its bytes with %s', async (_, bytes, start) => {
    const port = await listen((_request, response) => response.end(bytes));
    const { body = '' } = await post(`http://127.0.0.1:${port}`, LOCAL);
    expect(Buffer.byteLength(body)).toBeGreaterThan(19_990);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(20_000);
    expect(body.startsWith(start)).toBe(true);
  });

  test('that repeats what is secret is kept and told without it, even where it is cut off in the midst', async () => {
    const secrets = ['Bearer top-secret', 'quoted "key"', 'a'];
    const told = JSON.stringify({ secrets, token: 'top-secret' });
    const port = await listen((_request, response) => {
      response.writeHead(401).write(told + 'x'.repeat(19_996 - told.length));
      response.write('quoted "k');
    });
    const request = { endpoint: `http://127.0.0.1:${port}`, headers: {}, body: '{}', secrets };
    const { error, body = '' } = await connect(SHORT).post(request);
    expect(error).toMatch(/^HTTP 401: \{"secrets":\["…","…","a"\],"token":"…"\}x+$/);
    expect(body).toMatch(/x+…?$/);
    for (const text of ['top-secret', 'key', 'quot']) {
      expect(body).not.toContain(text);
    }
  });

  test('that comes drop by drop counts by its status', async () => {
    const port = await listen((_request, response) => {
      response.writeHead(202, { 'content-length': 10_000 });
      const drops = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(drops));
    });
    const { status, body } = await post(`http://127.0.0.1:${port}`, SHORT);
    expect(status).toBe(202);
    expect(body).toMatch(/^x+$/);
  });

  test('of HTTP/1.0 is one', async () => {
    const port = await portOf(
      createTcpServer((socket) => socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nold'))),
    );
    expect(await post(`http://127.0.0.1:${port}`, LOCAL)).toEqual({ status: 200, body: 'old' });
  });

  test('that fails is told by a short excerpt', async () => {
    const port = await listen((_request, response) =>
      response.writeHead(400).end('bad\u0000\n'.repeat(1_000)),
    );
    const { status, error } = await post(`http://127.0.0.1:${port}`, LOCAL);
    expect(status).toBe(400);
    expect(error).toMatch(/^HTTP 400: bad bad bad/);
    expect(error?.length).toBeLessThan(250);
  });

  test.each([
    [429, '7', 7_000],
    [503, '0', 0],
    [503, 'Thu, 01 Jan 1970 00:00:00 GMT', 0],
    [429, 'soon', undefined],
    [500, '7', undefined],
    [200, '7', undefined],
  ])('with status %i and Retry-After: %s', async (status, header, expected) => {
    const port = await listen((_request, response) =>
      response.writeHead(status, { 'retry-after': header }).end(),
    );
    expect((await post(`http://127.0.0.1:${port}`, LOCAL)).retryAfterMilliseconds).toBe(expected);
  });
});

describe('without an answer', () => {
  test.each([
    ['that is silent', '', 'No answer within 0.3 s.'],
    ['whose headers do not end', 'HTTP/1.1 200 OK\r\nx: y\r\n', 'No answer within 0.3 s.'],
    ['that only ever announces', 'HTTP/1.1 103 Early Hints\r\n\r\n', 'No answer within 0.3 s.'],
    ['that announces without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1_000), /without end/],
    ['whose headers are huge', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}`, /overflow/i],
    ['that speaks another protocol', 'SSH-2.0-OpenSSH_9.6\r\n', /HPE_INVALID|expected http/i],
    [
      'that changes the protocol',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
      /upgrade/,
    ],
    ['that lies about the length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n', /content-length/i],
  ])('an endpoint %s has failed', async (_, bytes, expected) => {
    const port = await answerBytes(bytes);
    const result = await post(`http://127.0.0.1:${port}`, SHORT);
    expect(result).toEqual({ error: expect.stringMatching(expected) });
  });

  test('a connection that breaks off has failed', async () => {
    const port = await listen((request) => request.socket.resetAndDestroy());
    const result = await post(`http://127.0.0.1:${port}`, LOCAL);
    expect(result).toEqual({ error: expect.stringMatching(/ECONNRESET|closed/) });
  });

  test('a handshake that never ends takes no longer than anything else', async () => {
    const port = await portOf(createTcpServer((socket) => socket.on('error', () => {}).resume()));
    const begun = performance.now();
    expect(await post(`https://127.0.0.1:${port}`, SHORT)).toEqual({ error: 'No answer within 0.3 s.' });
    expect(performance.now() - begun).toBeLessThan(3_000);
  });

  test('nobody listening is told by the code', async () => {
    const port = await listen(() => {});
    server?.close();
    const refused = expect.stringMatching(/ECONNREFUSED/);
    expect(await post(`http://127.0.0.1:${port}`, LOCAL)).toEqual({ error: refused });
    expect(await post(`http://localhost:${port}`, LOCAL)).toEqual({ error: refused });
  });

  test('https to what does not speak it has failed', async () => {
    const port = await listen((_request, response) => response.end());
    expect(await post(`https://127.0.0.1:${port}`, LOCAL)).toEqual({
      error: expect.stringMatching(/SSL|ECONNRESET|EPROTO/),
    });
  });
});

describe('the question for consent', () => {
  test('is an OPTIONS request, whose answer is read by its headers', async () => {
    let asked: unknown;
    const port = await listen((request, response) => {
      asked = [request.method, request.url, request.headers['webhook-request-origin']];
      response.writeHead(204, { 'WebHook-Allowed-Origin': '*', 'WebHook-Allowed-Rate': '120' }).end();
    });
    const { askForConsent } = connect(LOCAL);
    const endpoint = `http://127.0.0.1:${port}/hook?a=b`;
    const headers = { 'webhook-request-origin': 'skerry.test' };
    expect(await askForConsent({ endpoint, headers })).toEqual({
      status: 204,
      allowedOrigin: '*',
      allowedRate: '120',
    });
    expect(asked).toEqual(['OPTIONS', '/hook?a=b', 'skerry.test']);
  });

  test('is answered by nothing else, and follows no redirect', async () => {
    const port = await listen((_request, response) => response.writeHead(307, { location: '/' }).end('*'));
    const { askForConsent } = connect(LOCAL);
    const endpoint = `http://127.0.0.1:${port}`;
    expect(await askForConsent({ endpoint, headers: {} })).toEqual({ status: 307 });
  });
});
