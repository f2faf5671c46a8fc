import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { OutboundCall } from '../../../shared/executors/outbound/index.ts';
import { Outbound } from '../../../shared/executors/outbound/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { createExchange } from '../../../shared/webhooks/index.ts';
import { type ApiServer, firstCalls, startApiServer } from './api-server.ts';
import { outbound } from './executor-fixture.ts';

let server: ApiServer;
let other: ApiServer;

beforeEach(async () => {
  server = await startApiServer(() => ({ status: 200, body: { done: true } }));
  other = await startApiServer(() => ({ status: 200, body: { done: true } }));
});

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all([server.stop(), other.stop()]);
});

function call(said: Partial<OutboundCall> = {}): OutboundCall {
  return {
    method: 'GET',
    url: `${server.origin}/things`,
    isRepeatable: true,
    signal: new AbortController().signal,
    authenticate: ({ token = '' }) => ({ 'x-token': token }),
    ...said,
  };
}

describe('a credential', () => {
  test('is shown to its own origin alone, not even to another port of the same host', async () => {
    const client = outbound({ credentials: { [server.origin]: { token: 'top-secret' } } });
    await client.call(call());
    await client.call(call({ url: `${other.origin}/things` }));
    expect(server.calls[0]?.headers['x-token']).toBe('top-secret');
    expect(other.calls[0]?.headers).not.toHaveProperty('x-token');
  });

  test('does not follow a redirect, nor does the call', async () => {
    const client = outbound({ credentials: { [server.origin]: { token: 'top-secret' } } });
    server.interfere = () => ({ status: 307, headers: { location: `${other.origin}/things` } });
    expect(await client.call(call())).toMatchObject({ status: 307 });
    expect(server.calls).toHaveLength(1);
    expect(other.calls).toHaveLength(0);
  });

  test('is not in what is told of an answer that repeats it', async () => {
    const client = outbound({ credentials: { [server.origin]: { token: 'top-secret' } } });
    server.interfere = ({ headers }) => ({ status: 400, body: `no such token: ${headers['x-token']}` });
    const { text } = await client.call(call());
    expect(text).toBe('no such token: …');
  });
});

describe('a call that fails', () => {
  test('is repeated where that does no harm', async () => {
    server.interfere = firstCalls(() => true, { status: 503 }, 'drop');
    expect(await outbound().call(call())).toMatchObject({ status: 200 });
    expect(server.calls).toHaveLength(3);
  });

  test('is repeated twice at the most', async () => {
    server.interfere = () => ({ status: 502 });
    expect(await outbound().call(call())).toMatchObject({ status: 502 });
    expect(server.calls).toHaveLength(3);
  });

  test.each([
    ['an answer that says no', { status: 404 }, true],
    ['an answer that asks for a pause', { status: 429, headers: { 'retry-after': '9' } }, true],
    ['a call that must not be made twice', { status: 503 }, false],
  ])('is not repeated after %s', async (_, answer, isRepeatable) => {
    server.interfere = () => answer;
    expect(await outbound().call(call({ isRepeatable }))).toMatchObject({ status: answer.status });
    expect(server.calls).toHaveLength(1);
  });

  test.each([
    ['drop', /^GET http:\/\/127\.0\.0\.1:\d+\/things: .*(other side closed|ECONNRESET)/],
    ['half', /things: The answer broke off\./],
    ['hang', /things: No answer within 0\.2 s\./],
  ] as const)('without an answer (%s) is a failure that may pass', async (interference, reason) => {
    server.interfere = () => interference;
    const client = outbound({ timeoutMilliseconds: interference === 'hang' ? 200 : 45_000 });
    await expect(
      client.call(call({ url: `${server.origin}/things?sig=secret`, isRepeatable: false })),
    ).rejects.toMatchObject({
      message: expect.stringMatching(reason),
      isPassing: true,
    });
  });

  test('for good is one whose URL may not be called', async () => {
    const policy = { allowPrivate: false, ports: [443] };
    const options = { credentials: new Map(), timeoutMilliseconds: 200, clock: systemClock };
    const client = new Outbound({ ...options, exchange: createExchange(policy) });
    for (const url of [call().url, 'https://169.254.169.254/metadata', 'nonsense', 'https://localhost/']) {
      await expect(client.call(call({ url }))).rejects.toMatchObject({ isPassing: false });
    }
    expect(server.calls).toHaveLength(0);
  });

  test('ends with the attempt', async () => {
    const controller = new AbortController();
    server.interfere = () => {
      controller.abort();
      return 'hang';
    };
    await expect(outbound().call(call({ signal: controller.signal }))).rejects.toMatchObject({
      message: expect.stringContaining('the attempt ended before an answer came'),
      isPassing: true,
    });
    expect(server.calls).toHaveLength(1);
  });
});

describe('an answer', () => {
  test('without end is cut off', async () => {
    server.interfere = () => 'flood';
    const answer = await outbound().call(call());
    expect(answer.isWhole).toBe(false);
    expect(answer.text.length).toBeLessThan(1.2 * 1024 * 1024);
  });

  test.each([
    [429, 'retry-after', '7', 7],
    [202, 'retry-after', '7', 7],
    [429, 'x-ratelimit-reset', '0.25', 1],
    [429, 'x-ratelimit-reset', '1764151200', undefined],
    [200, 'x-ratelimit-reset', '0.25', undefined],
    [429, 'retry-after', 'soon', undefined],
  ])('of %i may ask for a pause by %s: %s', async (status, name, value, seconds) => {
    server.interfere = () => ({ status, headers: { [name]: value } });
    expect((await outbound().call(call({ isRepeatable: false }))).retryAfterSeconds).toBe(seconds);
  });
});

describe('a circuit', () => {
  const failing = { isRepeatable: false };

  test('opens after five failures in a row, of its origin alone, and closes when a call goes well', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const client = outbound();
    server.interfere = () => ({ status: 500 });
    for (let nth = 0; nth < 5; nth += 1) {
      expect(await client.call(call(failing))).toMatchObject({ status: 500 });
    }
    await expect(client.call(call(failing))).rejects.toMatchObject({
      message: `${server.origin} has failed 5 times in a row, and is left alone for 10 s.`,
      isPassing: true,
    });
    expect(server.calls).toHaveLength(5);
    expect(await client.call(call({ url: other.origin }))).toMatchObject({ status: 200 });

    vi.setSystemTime(Date.now() + 10_001);
    expect(await client.call(call(failing))).toMatchObject({ status: 500 });
    await expect(client.call(call(failing))).rejects.toMatchObject({ isPassing: true });
    expect(server.calls).toHaveLength(6);

    vi.setSystemTime(Date.now() + 10_001);
    server.interfere = () => undefined;
    expect(await client.call(call(failing))).toMatchObject({ status: 200 });
    expect(await client.call(call(failing))).toMatchObject({ status: 200 });
    expect(server.calls).toHaveLength(8);
  });

  test('is not opened by answers that say no, nor by attempts that end', async () => {
    const client = outbound();
    server.interfere = ({ method }) => (method === 'PUT' ? 'hang' : { status: 429 });
    for (let nth = 0; nth < 6; nth += 1) {
      await client.call(call(failing));
      const ended = { method: 'PUT', signal: AbortSignal.abort() } as const;
      await expect(client.call(call({ ...failing, ...ended }))).rejects.toThrow('the attempt ended');
    }
    expect(await client.call(call(failing))).toMatchObject({ status: 429 });
  });
});
