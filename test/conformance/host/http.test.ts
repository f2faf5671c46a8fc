import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HostProcess, startHost } from './host-process.ts';

let host: HostProcess;

beforeAll(async () => {
  host = await startHost('http', { AzureWebJobs_disabled_Disabled: 'true' });
});

afterAll(() => host.kill());

const get = (path: string, init?: RequestInit) => fetch(host.url + path, init);

interface Echo {
  method: string;
  url: string;
  params: Record<string, string>;
  query: Record<string, string>;
  headers: Record<string, string>;
  body: string;
  traceParent: string;
}

async function echo(path: string, init?: RequestInit): Promise<Echo> {
  return (await (await get(path, init)).json()) as Echo;
}

/** Sends bytes as they are, which fetch would tidy up, and returns all of the answer. */
async function sendRaw(request: string): Promise<string> {
  const { hostname, port } = new URL(host.url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
  });
  socket.end(request);
  await once(socket, 'close');
  return answer;
}

describe('the answer of a function', () => {
  it.each([
    ['nothing', 204, '', null],
    ['empty', 200, '', null],
    ['text', 200, 'plain', 'text/plain;charset=UTF-8'],
    ['json', 200, '{"a":1}', 'application/json'],
    ['status', 418, '', null],
    ['noContent', 204, '', null],
    ['notModified', 304, '', null],
    ['string', 500, '', null],
    ['badStatus', 500, '', null],
    ['throws', 500, '', null],
    ['negotiated', 500, '', null],
  ])('%s is %i', async (kind, status, body, contentType) => {
    const response = await get(`/answer/${kind}`);
    expect(response.status).toBe(status);
    expect(await response.text()).toBe(body);
    expect(response.headers.get('content-type')).toBe(contentType);
  });

  it('keeps the details of a failure in the log', () => {
    expect(host.output()).toMatch(
      /fail Function\.answer: Executed 'Functions\.answer' \(Failed, .*secret detail/,
    );
  });

  it('keeps bytes as they are and gives them no content type', async () => {
    const response = await get('/answer/buffer');
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array([0, 255, 1]));
    expect(response.headers.has('content-type')).toBe(false);
  });

  it('has a body length but no body for HEAD', async () => {
    const response = await get('/answer/text', { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it('writes cookies as ASP.NET Core does, after a set-cookie header', async () => {
    const response = await get('/answer/cookies');
    expect(response.headers.getSetCookie()).toEqual([
      'from=header',
      'a%20b=c%3Bd; path=/',
      'x=y; max-age=5; path=/p; secure; samesite=none; httponly',
    ]);
  });

  it("carries host.json's custom headers", async () => {
    expect((await get('/answer/empty')).headers.get('x-custom')).toBe('from host.json');
  });
});

describe('the request that a function gets', () => {
  it('has lower-case header names and repeated headers joined by a bare comma', async () => {
    const answer = await sendRaw(
      'GET /echo HTTP/1.1\r\nHost: example\r\nX-A: 1\r\nx-a: 2\r\nX-Empty:\r\nConnection: close\r\n\r\n',
    );
    const { headers, url } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as Echo;
    expect(headers).toMatchObject({ 'x-a': '1,2', 'x-empty': '', host: 'example' });
    expect(url).toBe('http://example/echo');
  });

  it('has one value for a query key, whatever the case of its letters', async () => {
    expect((await echo('/echo?z=1&Z=2&e=&p=a%20b+c')).query).toEqual({ z: '1,2', e: '', p: 'a b c' });
  });

  it('has the rest of the path as it stands, decoded but for %2F', async () => {
    const { params, url } = await echo('/ECHO/a//b%2Fc%20d/');
    expect(params).toEqual({ rest: 'a//b%2Fc d/' });
    expect(url).toBe(`${host.url}/ECHO/a//b%2Fc%20d/`);
  });

  it('leaves out a parameter that the path does not have', async () => {
    expect((await echo('/echo')).params).toEqual({});
  });

  it('has the body of any method but GET', async () => {
    expect(await echo('/echo', { method: 'PUT', body: '{"q":1}' })).toMatchObject({
      method: 'PUT',
      body: '{"q":1}',
    });
  });

  it('has no body without a Content-Length, as the real host drops it', async () => {
    const body = new Blob(['chunked']).stream();
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    expect((await echo('/echo', init)).body).toBe('');
    expect(host.output()).toContain('without Content-Length');
  });

  it("names the client as Azure's front end does", async () => {
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
    expect((await echo('/echo')).traceParent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  it.each(['a b/<>', 'x:y', 'user@x'])('is refused with 400 for the host "%s"', async (name) => {
    const answer = await sendRaw(`GET /echo HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
  });

  it('is refused with 413 over the limit', async () => {
    const answer = await sendRaw(
      'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
  });
});

describe('the function that answers', () => {
  it('is the first that matches in the order of the names, however special another route is', async () => {
    expect(await (await get('/order/special')).text()).toBe('a-parameter');
  });

  it('is found by its method where functions share a route', async () => {
    expect(await (await get('/split')).text()).toBe('split-get');
    expect(await (await get('/split', { method: 'PUT' })).text()).toBe('split-put');
  });

  it.each([
    ['DELETE', '/split', 'a wrong method is never 405'],
    ['HEAD', '/split', 'HEAD is not implied'],
    ['OPTIONS', '/split', 'OPTIONS is not implied'],
    ['GET', '/nowhere', 'no route'],
    ['GET', '/order//', 'an empty segment'],
    ['GET', '/disabled', 'a disabled function'],
    ['GET', '/admin/functions', 'an admin endpoint that is not offered'],
    ['GET', '/runtime/webhooks/x', 'a web hook of an extension'],
  ])('is none for %s %s (%s)', async (method, path) => {
    const response = await get(path, { method });
    expect([response.status, await response.text()]).toEqual([404, '']);
  });

  it('leaves the root to the home page', async () => {
    const response = await get('/');
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/html']);
  });
});

describe('the admin endpoints', () => {
  it('tell that the host runs', async () => {
    expect(await (await get('/admin/host/status')).json()).toMatchObject({ state: 'Running' });
    expect((await get('/admin/host/ping', { method: 'POST' })).status).toBe(200);
  });
});
