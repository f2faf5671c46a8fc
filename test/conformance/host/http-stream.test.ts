/**
 * The HTTP trigger of an app that has turned on `enableHttpStream`. Set FUNCTIONS_STREAM_BASE_URL to try another host than the
 * embedded one, started in `fixtures/http-stream` as `http.test.ts` says of its app. Cases marked `own` need the host's process,
 * or where Azure never answers.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request as openRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type HostProcess, startHost } from './host-process.ts';
import { collect, type HttpTarget, openTarget } from './http-target.ts';

const { FUNCTIONS_STREAM_BASE_URL } = process.env;
const own = it.skipIf(FUNCTIONS_STREAM_BASE_URL !== undefined);
const ownCases = describe.skipIf(FUNCTIONS_STREAM_BASE_URL !== undefined);

const MEGABYTE = 1_000_000;

/** Waits for what takes its time on a busy machine. */
const eventually = (check: () => unknown) => vi.waitFor(check, 45_000);

let host: HttpTarget;

beforeAll(async () => {
  host = await openTarget(FUNCTIONS_STREAM_BASE_URL, 'http-stream', {
    FUNCTIONS_REQUEST_BODY_SIZE_LIMIT: '100000000',
  });
});

afterAll(() => host.process?.kill());

interface Echo {
  method: string;
  url: string;
  params: Record<string, string>;
  query: [string, string][];
  headers: Record<string, string>;
  body: string;
  traceParent: string;
  invocationId: string;
}

interface Facts {
  peakMemory: number;
  responses: number;
  listening: number;
}

const jsonOf = async <Content>(response: Promise<Response>) => (await (await response).json()) as Content;
const echo = (path: string, init?: RequestInit) => jsonOf<Echo>(host.get(path, init));
const facts = () => jsonOf<Facts>(host.get('/facts'));

/** Begins a request whose body is written bit by bit. */
function open(path: string, method = 'POST', url = host.url): ClientRequest {
  const request = openRequest(url + path, { method }).setMaxListeners(0);
  request.on('error', () => undefined);
  return request;
}

async function responseOf(request: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

describe('the request that a function gets', () => {
  it('has a body without a Content-Length', async () => {
    const body = new Blob(['chunked']).stream();
    const { body: received } = await echo('/echo', { method: 'POST', body, duplex: 'half' } as RequestInit);
    expect(received).toBe('chunked');
  });

  it('has a query with several values for a key', async () => {
    const { query } = await echo('/echo?a=1&A=2&a=3&code=visible&__proto__=4');
    expect(query).toEqual([
      ['a', '1'],
      ['A', '2'],
      ['a', '3'],
      ['code', 'visible'],
      ['__proto__', '4'],
    ]);
  });

  it('has URL, method, headers, trace context and id like any other', async () => {
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const headers = { traceparent: parent, 'X-One': '1', 'x-ms-invocation-id': 'mine' };
    const response = await host.get('/echo/%7Ea%20b%2Fc?x=%20', { method: 'PUT', headers });
    const received = (await response.json()) as Echo;
    expect(received).toMatchObject({
      method: 'PUT',
      url: `${host.url}/echo/~a%20b%2Fc?x=%20`,
      headers: { 'x-one': '1', host: new URL(host.url).host },
    });
    expect(received.traceParent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-/);
    expect(response.headers.get('x-ms-invocation-id')).toBe(received.invocationId);
    expect(received.invocationId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('has parameters that the query adds to, but for the key', async () => {
    expect(await jsonOf(host.get('/item/7?a=1&a=2&code=secret'))).toEqual({ id: '7', a: '2' });
  });

  it('has parameters of the route under the spelling of the query', async () => {
    expect(await jsonOf(host.get('/item/7?ID=8'))).toEqual({ ID: '7' });
    expect(await jsonOf(host.get('/item?id=8'))).toEqual({});
  });

  it('has no headers where the query has a key of that name', async () => {
    expect((await echo('/echo?Headers=1', { headers: { 'x-one': '1' } })).headers).toEqual({});
  });

  it('arrives while the client still sends it', async () => {
    const request = open('/reflect');
    const answered = responseOf(request);
    request.write('first');
    const response = (await answered).setEncoding('utf8');
    const received: string[] = [];
    response.on('data', (text: string) => received.push(text));
    await eventually(() => expect(received).toEqual(['first']));
    request.end('second');
    await once(response, 'end');
    expect(received.join()).toBe('first,second');
  });

  it.each(['with its length', 'in chunks'])(
    'has a body of 100 MB %s, which is never there as a whole',
    async (how) => {
      const before = (await facts()).peakMemory;
      const hash = createHash('sha256');
      const piece = randomBytes(MEGABYTE);
      const request = open('/digest');
      if (how === 'with its length') request.setHeader('content-length', 100 * MEGABYTE);
      const answered = responseOf(request);
      for (let sent = 0; sent < 100; sent += 1) {
        hash.update(piece);
        if (!request.write(piece)) await once(request, 'drain');
      }
      request.end();
      const [text] = (await once((await answered).setEncoding('utf8'), 'data')) as [string];
      expect(JSON.parse(text)).toEqual({ length: 100 * MEGABYTE, sha256: hash.digest('hex') });
      expect((await facts()).peakMemory - before).toBeLessThan(90 * MEGABYTE);
    },
  );

  own.each(['with its length', 'in chunks'])('is refused with 413 beyond the limit %s', async (how) => {
    const request = open('/digest');
    if (how === 'with its length') request.setHeader('content-length', 100 * MEGABYTE + 1);
    const answered = responseOf(request);
    const piece = Buffer.alloc(MEGABYTE);
    for (let sent = 0; sent <= 100 && !request.destroyed; sent += 1) {
      if (!request.write(piece)) await Promise.race([once(request, 'drain'), answered]);
    }
    expect((await answered).statusCode).toBe(413);
    request.destroy();
  });

  it('may be left unread, and the connection serves on', async () => {
    const socket = host.connect();
    const received = collect(socket);
    const body = 'x'.repeat(3 * MEGABYTE);
    socket.write(`POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    socket.write('GET /answer/text HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await once(socket, 'close');
    expect(received()).toMatch(/unread.*plain/s);
  });

  own('fails in the midst when the client goes away', async () => {
    const request = open('/digest');
    request.write('begun');
    await new Promise((resolve) => setImmediate(resolve));
    await eventually(() => expect(request.socket?.bytesWritten).toBeGreaterThan(0));
    request.destroy();
    await eventually(() => {
      expect(host.process?.reports).toContainEqual(expect.objectContaining({ event: 'upload broken' }));
    });
  });

  it('may wait to be told to send its body', async () => {
    const request = openRequest(`${host.url}/digest`, {
      method: 'POST',
      headers: { expect: '100-continue' },
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('body');
    expect((await responseOf(request)).statusCode).toBe(200);
  });
});

describe('the answer of a function', () => {
  it.each([
    ['empty', 200, '', null],
    ['text', 200, 'plain', 'text/plain;charset=UTF-8'],
    ['json', 200, '{"a":1}', 'application/json'],
    ['noContent', 204, '', null],
    ['notModified', 304, '', null],
  ])('%s is %i "%s" of type %s', async (kind, status, body, contentType) => {
    const response = await host.get(`/answer/${kind}`);
    expect([response.status, await response.text()]).toEqual([status, body]);
    expect(response.headers.get('content-type')).toBe(contentType);
  });

  it('has no body for HEAD', async () => {
    const response = await host.get('/answer/text', { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect((await host.get('/item', { method: 'HEAD' })).status).toBe(404);
  });

  it('has cookies as the library writes them, without a path of their own', async () => {
    expect((await host.get('/answer/cookies')).headers.getSetCookie()).toEqual([
      'a=b%3Bc',
      'x=y; Max-Age=5; Path=/p; HttpOnly; Secure; SameSite=None',
    ]);
  });

  it("has headers of the function before host.json's, and none that its connection names", async () => {
    const { headers } = await host.get('/answer/headers');
    expect([headers.get('x-custom'), headers.get('x-gone')]).toEqual(['from the function', null]);
    expect((await host.get('/answer/text')).headers.get('x-custom')).toBe('from host.json');
  });

  it('arrives as it is produced, for as long as it takes', async () => {
    const response = await host.get('/events');
    const received: string[] = [];
    const ended = (async () => {
      for await (const chunk of response.body ?? [])
        received.push(new TextDecoder().decode(chunk as Uint8Array));
    })();
    for (const event of [0, 1, 2]) {
      if (event > 0) await host.get(`/emit?what=${event}`);
      await eventually(() => expect(received.at(-1)).toBe(`data: ${event}\n\n`));
    }
    await host.get('/emit?what=end');
    await ended;
    expect(received).toHaveLength(3);
  });

  it.each(['stream', 'response', 'readable'])('may be 100 MB from a %s', async (as) => {
    const before = (await facts()).peakMemory;
    const { body } = await host.get(`/download?bytes=${100 * MEGABYTE}&as=${as}`);
    let length = 0;
    for await (const chunk of body ?? []) length += (chunk as Uint8Array).length;
    expect(length).toBe(100 * MEGABYTE);
    if (host.process === undefined) return;
    expect((await facts()).peakMemory - before).toBeLessThan(90 * MEGABYTE);
    expect(host.process.output()).not.toContain('MaxListenersExceededWarning');
  });
});

ownCases('beyond what Azure does, the host', () => {
  it.each([
    ['nothing', 204],
    ['throws', 500],
    ['string', 500],
    ['badStatus', 500],
    ['badCookie', 500],
  ])('answers for a function that would never: %s is %i', async (kind, status) => {
    const response = await host.get(`/answer/${kind}`);
    expect([response.status, await response.text()]).toEqual([status, '']);
    expect(response.headers.get('x-ms-invocation-id')).toMatch(/^[0-9a-f-]{36}$/);
    const warning = /fail Host\.Http: Function 'answer' .* would hang in Azure\./;
    await eventually(() => expect(host.process?.output()).toMatch(warning));
  });

  it('answers TRACE with 500, which the library does not take', async () => {
    expect(await host.sendRaw('TRACE /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1\.1 500 /,
    );
  });

  it('breaks off an answer that ends before its length', async () => {
    expect(await (await host.get('/answer/exact')).text()).toBe('exact');
    const head = await host.get('/answer/short', { method: 'HEAD' });
    expect([head.headers.get('content-length'), await head.text()]).toEqual(['100', '']);
    const response = await host.get('/answer/short');
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
  });

  it('breaks off an answer that fails in the midst', async () => {
    const response = await host.get('/events');
    await host.get('/emit?what=error');
    await expect(response.text()).rejects.toThrow();
  });

  it('forgets the requests that no function has answered', async () => {
    const before = (await facts()).responses;
    for (let count = 0; count < 50; count += 1)
      await host.get(`/answer/${count % 2 === 0 ? 'throws' : 'nothing'}`);
    await eventually(async () => expect((await facts()).responses).toBeLessThan(before + 10));
  });

  it('opens no second listening socket for the library', async () => {
    expect((await facts()).listening).toBeLessThanOrEqual(1);
  });

  it.each(['stream', 'response', 'readable'])('makes a %s wait for a slow client', async (as) => {
    const response = await responseOf(open(`/download?bytes=${100 * MEGABYTE}&as=${as}`, 'GET').end());
    const seen: number[] = [];
    await eventually(async () => {
      seen.push(await jsonOf<number>(host.get('/produced')));
      expect(seen.slice(-5)).toEqual(Array(5).fill(seen.at(-1)));
    });
    expect(seen.at(-1)).toBeLessThan(20 * MEGABYTE);
    response.destroy();
  });

  it('ends an idle stream whose client is gone', async () => {
    const response = await responseOf(open('/events', 'GET').end());
    await once(response, 'data');
    response.destroy();
    await eventually(() => {
      expect(host.process?.reports).toContainEqual(expect.objectContaining({ event: 'cancelled' }));
    });
  });
});

ownCases('in strict mode', () => {
  let strict: HostProcess;

  beforeAll(async () => {
    strict = await startHost('http-stream', {}, ['--strict', '--workers', '1']);
  });

  afterAll(() => strict.kill());

  it.each(['nothing', 'throws', 'badStatus'])(
    'a client waits in vain where it does in Azure: %s',
    async (kind) => {
      const said = strict.output().length;
      const request = open(`/answer/${kind}`, 'GET', strict.url).end();
      let answered = false;
      request.on('response', () => {
        answered = true;
      });
      await eventually(() =>
        expect(strict.output().slice(said)).toContain('would hang in Azure, as it does here.'),
      );
      expect((await fetch(`${strict.url}/answer/text`)).status).toBe(200);
      expect(answered).toBe(false);
      request.destroy();
    },
  );

  it('what waits in vain is forgotten once the client gives up', async () => {
    const before = ((await (await fetch(`${strict.url}/facts`)).json()) as Facts).responses;
    for (let count = 0; count < 20; count += 1) {
      const said = strict.output().length;
      const request = open('/answer/throws', 'GET', strict.url).end();
      await eventually(() => expect(strict.output().slice(said)).toContain('as it does here.'));
      request.destroy();
    }
    await eventually(async () => {
      const { responses } = (await (await fetch(`${strict.url}/facts`)).json()) as Facts;
      expect(responses).toBeLessThan(before + 8);
    });
  });

  it('the parameters hold the fields of a JSON body too, and the body still arrives', async () => {
    const body = '{"a":1,"on":true,"rest":"body","list":[1],"none":null,"o":{}}';
    const response = await fetch(`${strict.url}/echo/route?a=query`, { method: 'POST', body });
    expect(await response.json()).toMatchObject({ body, params: { a: 'query', on: 'True', rest: 'route' } });
  });

  it('an answer is produced whether or not the client takes it', async () => {
    const response = await responseOf(open(`/download?bytes=${50 * MEGABYTE}`, 'GET', strict.url).end());
    await eventually(async () => expect(await jsonOf(fetch(`${strict.url}/produced`))).toBe(50 * MEGABYTE));
    response.destroy();
  });
});

ownCases('a host that is told to stop', () => {
  it('lets a stream end by itself', async () => {
    const stopping = await startHost('http-stream');
    onTestFinished(() => stopping.kill());
    const { body } = await fetch(`${stopping.url}/download?bytes=${50 * MEGABYTE}`);
    stopping.signal('SIGTERM');
    await eventually(() => expect(fetch(`${stopping.url}/admin/host/ping`)).rejects.toThrow());
    let length = 0;
    for await (const chunk of body ?? []) length += (chunk as Uint8Array).length;
    expect(length).toBe(50 * MEGABYTE);
    expect(await stopping.exited).toBe(0);
  });

  it('breaks off a stream that has not ended after ten seconds', async () => {
    const stopping = await startHost('http-stream');
    onTestFinished(() => stopping.kill());
    const response = await fetch(`${stopping.url}/events`);
    const broken = expect(response.text()).rejects.toThrow();
    const began = performance.now();
    stopping.signal('SIGTERM');
    expect(await stopping.exited).toBe(0);
    expect(performance.now() - began).toBeGreaterThan(9_000);
    await broken;
    expect(stopping.output()).toContain('1 invocations did not end within 10000 ms');
  });
});
