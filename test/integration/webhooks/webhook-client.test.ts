import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createWebhookClient } from '../../../shared/webhooks/index.ts';

const TIMEOUT_MILLISECONDS = 10_000;
const SHORT_TIMEOUT_MILLISECONDS = 300;

let server: Server | undefined;

afterEach(() => {
  vi.restoreAllMocks();
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

async function listen(listener: RequestListener): Promise<number> {
  server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

interface PostOptions {
  readonly allowPrivate: boolean;
  readonly timeoutMilliseconds?: number;
}

function post(endpoint: string, { allowPrivate, timeoutMilliseconds = TIMEOUT_MILLISECONDS }: PostOptions) {
  const client = createWebhookClient({ policy: { allowPrivate }, timeoutMilliseconds });
  return client({ endpoint, headers: { 'content-type': 'application/json' }, body: '{}' });
}

describe('outside local mode no socket is opened to a private address', () => {
  test.each([
    ['named by a number', (port: number) => `https://127.0.0.1:${port}`],
    ['embedded in IPv6', (port: number) => `https://[::ffff:127.0.0.1]:${port}`],
    ['called localhost', (port: number) => `https://localhost:${port}`],
  ])('%s', async (_, endpointOn) => {
    const port = await listen((_request, response) => response.end());
    let sockets = 0;
    server?.on('connection', () => {
      sockets += 1;
    });
    expect(await post(endpointOn(port), { allowPrivate: false })).toEqual({
      error: 'The endpoint is not on the public internet.',
    });
    expect(sockets).toBe(0);
  });
});

test('a public name is not called when any of its addresses is private', async () => {
  const port = await listen((_request, response) => response.end());
  let sockets = 0;
  server?.on('connection', () => {
    sockets += 1;
  });
  const lookup = vi.spyOn(dns, 'lookup').mockImplementation(((
    _hostname: string,
    _options: dns.LookupAllOptions,
    callback: (error: null, addresses: dns.LookupAddress[]) => void,
  ) => {
    callback(null, [
      { address: '93.184.216.34', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]);
  }) as typeof dns.lookup);
  expect(await post(`https://hooks.example.com:${port}`, { allowPrivate: false })).toEqual({
    error: 'hooks.example.com resolves to 127.0.0.1, which is not a public address.',
  });
  expect(lookup).toHaveBeenCalledOnce();
  expect(sockets).toBe(0);
});

test('an endpoint that does not answer in time has failed', async () => {
  const port = await listen(() => {});
  const options = { allowPrivate: true, timeoutMilliseconds: SHORT_TIMEOUT_MILLISECONDS };
  expect(await post(`http://127.0.0.1:${port}`, options)).toEqual({ error: 'No answer within 0.3 s.' });
});

test('an answer without end is cut off and counts by its status', async () => {
  const port = await listen((_request, response) => {
    response.writeHead(200);
    const pour = () => {
      while (response.write('x'.repeat(10_000)));
    };
    response.on('drain', pour);
    pour();
  });
  expect(await post(`http://127.0.0.1:${port}`, { allowPrivate: true })).toEqual({ status: 200 });
});

test('an answer that stalls counts by its status', async () => {
  const port = await listen((_request, response) => {
    response.writeHead(202, { 'content-length': 10 });
    response.write('x');
  });
  const options = { allowPrivate: true, timeoutMilliseconds: 2_000 };
  expect(await post(`http://127.0.0.1:${port}`, options)).toEqual({ status: 202 });
});

test('of a failure’s text a short excerpt is kept', async () => {
  const port = await listen((_request, response) => response.writeHead(400).end('bad\u0000\n'.repeat(1_000)));
  const { status, error } = await post(`http://127.0.0.1:${port}`, { allowPrivate: true });
  expect(status).toBe(400);
  expect(error).toMatch(/^HTTP 400: bad bad bad/);
  expect(error?.length).toBeLessThan(250);
});

test('a connection that breaks off has failed', async () => {
  const port = await listen((request) => request.socket.destroy());
  const { status, error } = await post(`http://127.0.0.1:${port}`, { allowPrivate: true });
  expect(status).toBeUndefined();
  expect(error).toMatch(/\S/);
});
