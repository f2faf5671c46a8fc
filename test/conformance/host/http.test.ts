/**
 * The HTTP trigger, over HTTP and nothing else. Set FUNCTIONS_BASE_URL to try another host than the embedded one with the same
 * app, for example Core Tools, started in `fixtures/http` (whose modules are found in this repository):
 *
 *     FUNCTIONS_WORKER_RUNTIME=node AzureWebJobsSecretStorageType=files AzureWebJobs_disabled_Disabled=true func start
 *     FUNCTIONS_BASE_URL=http://localhost:7071 npx vitest run test/conformance/host/http.test.ts
 *
 * For a deployed copy, run `npm install` in the folder, publish it, and set FUNCTIONS_MASTER_KEY as well. Cases marked `own` need
 * the host's process: its log, what its operator configures, or an address that no front end has changed.
 * `raw` ones need plain TCP.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { collect, type HttpTarget, openTarget } from './http-target.ts';

const { FUNCTIONS_BASE_URL, FUNCTIONS_MASTER_KEY } = process.env;
const own = it.skipIf(FUNCTIONS_BASE_URL !== undefined);
const raw = it.skipIf(FUNCTIONS_BASE_URL?.startsWith('https:'));

let host: HttpTarget;

beforeAll(async () => {
  host = await openTarget(FUNCTIONS_BASE_URL, 'http', { AzureWebJobs_disabled_Disabled: 'true' });
});

afterAll(() => host.process?.kill());

interface Echo {
  method: string;
  url: string;
  functionName: string;
  params: Record<string, string>;
  query: Record<string, string>;
  headers: Record<string, string>;
  body: string;
  traceParent: string;
}

async function echo(path: string, init?: RequestInit): Promise<Echo> {
  return (await (await host.get(path, init)).json()) as Echo;
}

/** Sends a request's head as it is; the answer's head and body. */
async function ask(head: string, body = ''): Promise<{ status: number; head: string; body: string }> {
  const answer = await host.sendRaw(`${head}\r\nConnection: close\r\n\r\n${body}`);
  const [answerHead = '', ...rest] = answer.split('\r\n\r\n');
  return { status: Number(answerHead.split(' ')[1]), head: answerHead, body: rest.join('\r\n\r\n') };
}

const askEcho = async (head: string, body?: string) => {
  const text = (await ask(head, body)).body;
  return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) as Echo;
};

describe('the answer of a function', () => {
  it.each([
    ['nothing', 204, '', null],
    ['null', 204, '', null],
    ['empty', 200, '', null],
    ['text', 200, 'plain', 'text/plain;charset=UTF-8'],
    ['json', 200, '{"a":1}', 'application/json'],
    ['ownType', 200, '[]', 'application/problem+json'],
    ['nullJson', 200, '', null],
    ['form', 200, 'a=b+c', 'application/x-www-form-urlencoded;charset=UTF-8'],
    ['blob', 200, '<p>', 'text/html'],
    ['stream', 200, 'in pieces', null],
    ['instance', 201, 'made', 'text/plain;charset=UTF-8'],
    ['array', 200, '', null],
    ['status', 418, '', null],
    ['noContent', 204, '', null],
    ['resetContent', 205, '', null],
    ['notModified', 304, '', null],
    ['string', 500, '', null],
    ['badStatus', 500, '', null],
    ['tooLow', 500, '', null],
    ['badHeader', 500, '', null],
    ['circular', 500, '', null],
    ['throws', 500, '', null],
    ['rejects', 500, '', null],
  ])('%s is %i "%s" of type %s', async (kind, status, body, contentType) => {
    const response = await host.get(`/answer/${kind}`);
    expect(response.status).toBe(status);
    expect(await response.text()).toBe(body);
    expect(response.headers.get('content-type')).toBe(contentType);
  });

  own('that asks for content negotiation is refused', async () => {
    expect((await host.get('/answer/negotiated')).status).toBe(500);
    await vi.waitFor(() => {
      expect(host.process?.output()).toContain('content negotiation, which is not supported here');
    }, 45_000);
  });

  own('keeps the details of a failure in the log', async () => {
    const line = /fail Function\.answer: Executed 'Functions\.answer' \(Failed, .*secret detail/;
    await vi.waitFor(() => expect(host.process?.output()).toMatch(line), 45_000);
  });

  it('keeps bytes as they are and gives them no content type', async () => {
    const response = await host.get('/answer/buffer');
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array([0, 255, 1]));
    expect(response.headers.has('content-type')).toBe(false);
  });

  it('arrives whole however large it is', async () => {
    const { body } = await host.get('/large?bytes=30000000');
    let length = 0;
    for await (const chunk of body ?? []) length += (chunk as Uint8Array).length;
    expect(length).toBe(30_000_000);
  });

  it('has headers but no body for HEAD, where the function takes it', async () => {
    const response = await host.get('/answer/text', { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(response.headers.get('content-type')).toBe('text/plain;charset=UTF-8');
  });

  it('has cookies written as ASP.NET Core does, after a set-cookie header', async () => {
    const response = await host.get('/answer/cookies');
    expect(response.headers.getSetCookie()).toEqual([
      'from=header',
      'a%20b=c%3Bd; path=/',
      'x=y; max-age=5; path=/p; secure; samesite=none; httponly',
    ]);
  });

  it.each([
    ['/answer/empty', 'from host.json'],
    ['/answer/throws', 'from host.json'],
    ['/answer/headers', 'from the function'],
    ['/nowhere', 'from host.json'],
    ['/', 'from host.json'],
  ])("%s carries host.json's custom headers unless it has its own", async (path, value) => {
    expect((await host.get(path)).headers.get('x-custom')).toBe(value);
  });
});

describe('the request that a function gets', () => {
  raw('has lower-case header names, repeated ones joined by a bare comma, empty ones kept', async () => {
    const { headers, url } = await askEcho(
      'GET /echo HTTP/1.1\r\nHost: example\r\nX-A: 1\r\nx-a: 2\r\nX-Empty:\r\nSet-Cookie: a\r\nset-cookie: b',
    );
    expect(headers).toMatchObject({ 'x-a': '1,2', 'x-empty': '', 'set-cookie': 'a,b', host: 'example' });
    expect(url).toBe('http://example/echo');
  });

  raw('has headers, query keys and parameters that are named like parts of an object', async () => {
    const { headers, query } = await askEcho(
      'GET /echo?constructor=1&constructor=2&toString=3 HTTP/1.1\r\nHost: x\r\nConstructor: 4\r\n__proto__: 5\r\nvalueOf: 6',
    );
    expect(query).toEqual({ constructor: '1,2', toString: '3' });
    expect(headers).toMatchObject({ constructor: '4', valueof: '6' });
    expect(await (await host.get('/s/proto/x')).json()).toEqual({ constructor: 'x' });
  });

  it('has one value for a query key, whatever the case of its letters', async () => {
    const { query } = await echo('/echo?z=1&Z=2&e=&p=a%20b+c&code=visible&c=1,2&n');
    expect(query).toEqual({ z: '1,2', e: '', p: 'a b c', code: 'visible', c: '1,2', n: '' });
  });

  it('has the rest of the path as it stands, decoded but for %2F', async () => {
    const { params, url } = await echo('/ECHO/a//b%2Fc%20d/');
    expect(params).toEqual({ rest: 'a//b%2Fc d/' });
    expect(url).toBe(`${host.url}/ECHO/a//b%2Fc%20d/`);
  });

  raw.each([
    ['/echo/%7E%41', '~A', '/echo/~A'],
    ['/echo/%c3%a9%ff', 'é%ff', '/echo/%C3%A9%ff'],
    ['/echo/%2525', '%25', '/echo/%25'],
    ['/echo/a/%2e%2E/b', 'b', '/echo/b'],
    ['/echo/a;b=c,d', 'a;b=c,d', '/echo/a;b=c,d'],
  ])('has the path %s decoded to "%s", and encoded anew in its URL', async (path, rest, encoded) => {
    const { params, url } = await askEcho(`GET ${path} HTTP/1.1\r\nHost: example`);
    expect([params.rest, url]).toEqual([rest, `http://example${encoded}`]);
  });

  it('leaves out a parameter that the path does not have', async () => {
    expect((await echo('/echo')).params).toEqual({});
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('has its body with %s', async (method) => {
    expect(await echo('/echo', { method, body: '{"q":1}' })).toMatchObject({ method, body: '{"q":1}' });
  });

  raw('has no body with GET, even if one is sent', async () => {
    const head = 'GET /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4';
    expect(await askEcho(head, 'body')).toMatchObject({ method: 'GET', body: '' });
  });

  raw('has no body without a Content-Length, as the host drops it', async () => {
    const head = 'POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked';
    expect((await askEcho(head, '4\r\nbody\r\n0\r\n\r\n')).body).toBe('');
  });

  own('that was robbed of its body is told of in the log', async () => {
    await vi.waitFor(() => {
      expect(host.process?.output()).toContain('without Content-Length');
      expect(host.process?.output()).toContain('Discarding the body of the incoming GET request');
    }, 45_000);
  });

  it('has a large body byte for byte', async () => {
    const body = randomBytes(20_000_000);
    const response = await host.get('/digest', { method: 'POST', body });
    const sha256 = createHash('sha256').update(body).digest('hex');
    expect(await response.json()).toEqual({ length: body.length, sha256 });
  });

  own("names the client as Azure's front end does", async () => {
    const { headers } = await echo('/echo', { headers: { 'x-forwarded-for': '10.0.0.1' } });
    expect(headers['x-forwarded-for']).toMatch(/^10\.0\.0\.1, 127\.0\.0\.1:\d+$/);
    expect(headers).toMatchObject({
      'x-forwarded-proto': 'http',
      'x-forwarded-host': new URL(host.url).host,
    });
  });

  it("has a trace context that is a child of the caller's", async () => {
    const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const { traceParent } = await echo('/echo', { headers: { traceparent: parent } });
    expect(traceParent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(traceParent).not.toBe(parent);
    expect((await echo('/echo', { headers: { traceparent: 'nonsense' } })).traceParent).toMatch(
      /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/,
    );
  });

  raw('may come in HTTP/1.0 without a host', async () => {
    expect((await ask('GET /answer/text HTTP/1.0')).body).toBe('plain');
  });

  raw('may name the whole URL, of the same host', async () => {
    expect((await askEcho('GET http://example/echo?a=1 HTTP/1.1\r\nHost: example')).query).toEqual({
      a: '1',
    });
    expect((await ask('GET http://other/echo HTTP/1.1\r\nHost: example')).status).toBe(400);
  });

  raw('may ask for an upgrade, which is not granted', async () => {
    const head = 'GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade';
    expect((await ask(head)).status).toBe(200);
  });

  raw('may be followed by others before it is answered, in order', async () => {
    const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n`;
    const answers = await host.sendRaw(
      `${request('/answer/text')}\r\n${request('/nowhere')}\r\n${request('/answer/json')}Connection: close\r\n\r\n`,
    );
    expect(answers.match(/HTTP\/1\.1 \d+|(?<=\r\n\r\n)plain|\{"a":1\}/g)).toEqual([
      'HTTP/1.1 200',
      'plain',
      'HTTP/1.1 404',
      'HTTP/1.1 200',
      '{"a":1}',
    ]);
  });

  raw('is given up when the client closes its side, which the host takes for gone', async () => {
    const socket = host.connect();
    const received = collect(socket);
    socket.end('GET /slow?ms=300 HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'close');
    expect(received()).toBe('');
  });

  raw('gets to send its body when it waits to be told so', async () => {
    const socket = host.connect();
    const received = collect(socket);
    socket.write(
      'POST /digest HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
    );
    await vi.waitFor(() => expect(received()).toBe('HTTP/1.1 100 Continue\r\n\r\n'), 45_000);
    socket.write('body');
    await once(socket, 'close');
    expect(received()).toContain('{"length":4,');
  });

  raw('is not told to send its body where nobody reads it', async () => {
    const head =
      'POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n';
    expect(await host.sendRaw(head)).toMatch(/^HTTP\/1\.1 404 /);
  });
});

describe('a request is refused', () => {
  raw.each([
    [400, 'without a host', 'GET /echo HTTP/1.1'],
    [400, 'with a malformed host', 'GET /echo HTTP/1.1\r\nHost: a b/<>'],
    [400, 'with a port that is none', 'GET /echo HTTP/1.1\r\nHost: x:y'],
    [400, 'with a user in its host', 'GET /echo HTTP/1.1\r\nHost: user@x'],
    [400, 'with a malformed request line', 'nonsense'],
    [400, 'with a malformed header', 'GET /echo HTTP/1.1\r\nHost: x\r\nno colon'],
    [400, 'with a header name of a blank', 'GET /echo HTTP/1.1\r\nHost: x\r\nx y: 1'],
    [400, 'with a malformed length', 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1x'],
    [400, 'with two lengths', 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2'],
    [400, 'with a null in its path', 'GET /echo/%00 HTTP/1.1\r\nHost: x'],
    [400, 'with bytes beyond ASCII in its path', 'GET /echo/\u00e9 HTTP/1.1\r\nHost: x'],
    [400, 'with a target that is neither path nor URL', 'GET x HTTP/1.1\r\nHost: x'],
    [400, 'with an asterisk for another method than OPTIONS', 'GET * HTTP/1.1\r\nHost: x'],
    [404, 'with OPTIONS for the server as a whole', 'OPTIONS * HTTP/1.1\r\nHost: x'],
    [404, 'with a method of its own', 'BREW /echo HTTP/1.1\r\nHost: x'],
    [404, 'with CONNECT', 'CONNECT x:80 HTTP/1.1\r\nHost: x:80'],
    [500, 'with TRACE, which the library does not take', 'TRACE /echo HTTP/1.1\r\nHost: x'],
    [413, 'with too large a body', 'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 104857601'],
    [414, 'with too long a target', `GET /echo?${'x'.repeat(8192)} HTTP/1.1\r\nHost: x`],
    [431, 'with too many headers', `GET /echo HTTP/1.1\r\nHost: x${'\r\na: b'.repeat(100)}`],
    [431, 'with too large headers', `GET /echo HTTP/1.1\r\nHost: x\r\na: ${'b'.repeat(33_000)}`],
  ])('with %i: %s', async (status, _, head) => {
    expect((await ask(head)).status).toBe(status);
  });
});

describe('the function that answers', () => {
  it('is the first that matches in the order of the names, however special another route is', async () => {
    expect(await (await host.get('/order/special')).text()).toBe('a-parameter');
  });

  it('is found by its method where functions share a route', async () => {
    expect(await (await host.get('/split')).text()).toBe('split-get');
    expect(await (await host.get('/split', { method: 'PUT' })).text()).toBe('split-put');
  });

  it.each([
    ['DELETE', '/split', 'a wrong method is never 405'],
    ['HEAD', '/split', 'HEAD is not implied'],
    ['OPTIONS', '/split', 'OPTIONS is not implied'],
    ['GET', '/nowhere', 'no route'],
    ['GET', '/order//', 'an empty segment'],
    ['GET', '//order/x', 'an empty segment at the start'],
    ['GET', '/order/x/y', 'more than the route has'],
    ['GET', '/runtime/webhooks/x', 'a web hook of an extension'],
  ])('is none for %s %s (%s)', async (method, path) => {
    const response = await host.get(path, { method });
    expect([response.status, await response.text()]).toEqual([404, '']);
  });

  own('is none where it is disabled', async () => {
    expect((await host.get('/disabled')).status).toBe(404);
  });

  it.each(['GET', 'POST'])('is the home page for %s of the root', async (method) => {
    const response = await host.get('/', { method });
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html']);
  });
});

describe('a route', () => {
  it.each<[string, string[], string[]]>([
    ['int', ['0', '-7', '%2B1', '2147483647'], ['x', '1.5', '2147483648']],
    ['long', ['9223372036854775807', '-9223372036854775808'], ['9223372036854775808']],
    ['bool', ['true', 'FALSE'], ['1', 'yes']],
    ['datetime', ['2026-01-02', '2026-01-02T03:04:05Z'], ['tomorrow', '2026-13-01']],
    ['decimal', ['1', '-1.5', '1,000.5'], ['x']],
    ['double', ['1e5', '.5'], ['1e', 'one']],
    ['float', ['1.0'], ['1.0.0']],
    ['guid', ['0af76519-16cd-43dd-8448-eb211c80319c', '0af7651916cd43dd8448eb211c80319c'], ['0af76519']],
    ['alpha', ['abC'], ['a1', '%C3%A4']],
    ['minlength', ['ab'], ['a']],
    ['maxlength', ['ab'], ['abc']],
    ['length', ['ab'], ['a', 'abc']],
    ['between', ['a', 'ab'], ['abc']],
    ['min', ['3'], ['2', 'x']],
    ['max', ['3', '-9'], ['4']],
    ['range', ['1', '3'], ['0', '4']],
    ['regex', ['aa', 'AA'], ['a', 'aaa']],
    ['required', ['a'], ['']],
    ['file', ['a.txt'], ['a', 'a.']],
    ['nonfile', ['a'], ['a.txt']],
    ['chain', ['5', '7'], ['4', '8', 'x']],
  ])('with the constraint %s admits %j and not %j', async (name, admitted, refused) => {
    for (const value of admitted) {
      const response = await host.get(`/c/${name}/${value}`);
      expect([value, await response.json()]).toEqual([value, { v: decodeURIComponent(value) }]);
    }
    for (const value of refused) {
      expect([value, (await host.get(`/c/${name}/${value}`)).status]).toEqual([value, 404]);
    }
  });

  it.each<[string, Record<string, string>]>([
    ['/s/optional', {}],
    ['/s/optional/', {}],
    ['/s/optional/x', { v: 'x' }],
    ['/s/default', { v: 'standard' }],
    ['/s/default/x/', { v: 'x' }],
    ['/s/rest', {}],
    ['/s/rest/', {}],
    ['/s/rest/a//b/', { v: 'a//b/' }],
    ['/s/rest-too/a/b', { v: 'a/b' }],
    ['/s/mixed/a.b.c', { a: 'a.b', b: 'c' }],
    ['/s/prefixed/F-12', { v: '12' }],
    ['/S/LITERAL/case/', {}],
    ['/s/two/1', { a: '1' }],
    ['/s/two/1/2', { a: '1', b: '2' }],
  ])('takes %s apart to %j', async (path, params) => {
    expect(await (await host.get(path)).json()).toEqual(params);
  });
});

describe('the admin endpoints', () => {
  const headers = { ...(FUNCTIONS_MASTER_KEY && { 'x-functions-key': FUNCTIONS_MASTER_KEY }) };
  const getAdmin = (path: string, init?: RequestInit) => host.get(`/admin/${path}`, { headers, ...init });

  it('tell that the host runs', async () => {
    expect(await (await getAdmin('host/status')).json()).toMatchObject({ state: 'Running' });
    expect((await getAdmin('host/ping')).status).toBe(200);
    expect((await getAdmin('host/ping', { method: 'POST' })).status).toBe(200);
  });

  it('list the functions, and tell of each', async () => {
    const functions = (await (await getAdmin('functions')).json()) as { name: string }[];
    const names = functions.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['answer', 'disabled', 'B-literal', 'split-get']));
    const response = await getAdmin('functions/ANSWER');
    expect(await response.json()).toMatchObject({
      name: 'answer',
      href: expect.stringMatching(/\/admin\/functions\/answer$/) as string,
      invoke_url_template: expect.stringMatching(/\/answer\/(\{|%7B)kind(\}|%7D)$/i) as string,
      isDisabled: false,
      language: 'node',
    });
    expect((await getAdmin('functions/nobody')).status).toBe(404);
  });

  it.each([
    ['DELETE', 'functions/nobody'],
    ['POST', 'functions/nobody'],
    ['PUT', 'host/ping'],
    ['GET', 'nothing'],
  ])('answer 404 to %s %s', async (method, path) => {
    const init = method === 'POST' ? { body: '{}' } : {};
    const response = await getAdmin(path, {
      method,
      ...init,
      headers: { ...headers, 'content-type': 'application/json' },
    });
    expect(response.status).toBe(404);
  });

  own('accept an input for an HTTP function, which fails for want of a request', async () => {
    const init = { method: 'POST', body: '{"input":"x"}', headers: { 'content-type': 'application/json' } };
    expect((await getAdmin('functions/answer', init)).status).toBe(202);
    await vi.waitFor(
      () => expect(host.process?.output()).toContain("'Functions.answer' (Failed): an HTTP function"),
      45_000,
    );
  });

  it.each(['', 'nonsense', 'null', '[]', '{"input":{}}'])('do not run a function with "%s"', async (body) => {
    const init = { method: 'POST', body, headers: { ...headers, 'content-type': 'application/json' } };
    expect((await getAdmin('functions/answer', init)).status).toBe(400);
  });
});
