import { describe, expect, it } from 'vitest';
import { notFound } from '../../../../shared/platform/errors.ts';
import {
  type Body,
  createRouteHandlers,
  defineEndpoint,
  rawContent,
} from '../../../../shared/platform/http/index.ts';
import { MemoryGate } from '../../../../shared/platform/memory-gate.ts';
import { systemRandom } from '../../../../shared/platform/random.ts';
import { caller, OPEN, problemOf } from './call.ts';

/** How often a body was begun, and ended. */
const seen = { made: 0, ended: 0 };

async function* stream(failsAfter?: number): AsyncGenerator<Uint8Array> {
  try {
    for (let index = 0; index < 3; index++) {
      if (index === failsAfter) throw failsAfter === 0 ? notFound('It is gone.') : new Error('It broke off.');
      yield Buffer.from(`${index}`);
    }
  } finally {
    seen.ended += 1;
  }
}

const bodies: Readonly<Record<string, () => Promise<Body>>> = {
  stream: () => Promise.resolve(stream()),
  missing: () => Promise.resolve(stream(0)),
  broken: () => Promise.resolve(stream(2)),
  bytes: () => Promise.resolve(Buffer.from('012')),
};

const getBody = defineEndpoint<object>()({
  name: 'getBody',
  method: 'GET',
  route: 'bodies/{name}',
  summary: 'Answers with a body that is made late',
  access: { verb: 'read', keys: '/body' },
  responses: {},
  handle: ({ params, headers }) => ({
    status: headers.get('range') === null ? 200 : 206,
    headers: { 'Content-Length': '3' },
    body: async () => {
      seen.made += 1;
      return (await bodies[params.name]?.()) ?? '';
    },
  }),
});

async function call(name: string, method = 'GET', headers: Record<string, string> = {}) {
  const [handler] = createRouteHandlers([getBody], {
    services: {},
    access: OPEN,
    settings: { SKERRY_PUBLIC_URL: undefined },
    random: systemRandom,
  });
  const logged: unknown[] = [];
  const request = new Request(`http://skerry.test/bodies/${name}`, { method, headers });
  const response = await handler?.handle(request, {
    traceparent: undefined,
    logError: (message) => logged.push(message),
  });
  const pieces: Uint8Array[] = [];
  const { body = '' } = response ?? {};
  if (typeof body === 'string' || body instanceof Uint8Array) pieces.push(Buffer.from(body));
  else for await (const piece of body) pieces.push(piece);
  return {
    status: response?.status,
    headers: response?.headers,
    text: Buffer.concat(pieces).toString(),
    logged,
  };
}

describe('a body that is made when it is read', () => {
  it('is answered whole, and as a stream', async () => {
    expect(await call('stream')).toMatchObject({ status: 200, text: '012', logged: [] });
    expect(await call('bytes')).toMatchObject({ status: 200, text: '012', logged: [] });
  });

  it('is not made for HEAD, for which there are no ranges either', async () => {
    const { made } = seen;
    expect(await call('stream', 'HEAD', { range: 'bytes=0-1' })).toMatchObject({
      status: 200,
      text: '',
      headers: { 'Content-Length': '3' },
    });
    expect(seen.made).toBe(made);
    expect((await call('stream', 'GET', { range: 'bytes=0-1' })).status).toBe(206);
  });

  it('has a status for what is wrong with its beginning', async () => {
    const answer = await call('missing');
    expect(answer).toMatchObject({ status: 404, headers: { 'Content-Type': 'application/problem+json' } });
    expect(answer.text).toContain('It is gone.');
  });

  it('ends early where it fails later, and the log says so', async () => {
    const { ended } = seen;
    const answer = await call('broken');
    expect(answer).toMatchObject({ status: 200, text: '01' });
    expect(answer.logged).toEqual([expect.stringMatching(/\/bodies\/broken\) failed/)]);
    expect(seen.ended).toBe(ended + 1);
  });
});

const MiB = 1024 * 1024;

describe('bodies under a budget', () => {
  const release = Promise.withResolvers<void>();
  const held = defineEndpoint<object>()({
    name: 'putHeld',
    method: 'PUT',
    route: 'held/{name}',
    summary: 'Holds a body',
    access: { verb: 'write', keys: '/held' },
    body: rawContent(60 * MiB, {
      gate: new MemoryGate({ maxBytes: 100 * MiB, patience: 0, refusal: 'Too much is held.' }),
      fix: 'Use another way.',
    }),
    responses: {},
    handle: async ({ params, body }) => {
      if (params.name === 'slow') await release.promise;
      return { status: 200, headers: {}, body: String(body.bytes.length) };
    },
  });
  const put = caller([held]);
  const send = (name: string, bytes: number, length = true) =>
    put('held/{name}', `/held/${name}`, {
      method: 'PUT',
      body: new Uint8Array(bytes),
      headers: length ? { 'content-length': String(bytes) } : {},
    });

  it('are refused before they are read while others are held, by what they declare', async () => {
    const slow = send('slow', 50 * MiB);
    expect(await send('fast', 51 * MiB)).toMatchObject({ status: 429, headers: { 'Retry-After': '5' } });
    expect(await send('fast', 1_000)).toMatchObject({ status: 200 });
    // Without a length it counts as the largest.
    expect(await send('fast', 1, false)).toMatchObject({ status: 429 });
    expect(await send('fast', 50 * MiB)).toMatchObject({ status: 200, text: String(50 * MiB) });
    expect(problemOf(await send('fast', 61 * MiB))).toMatchObject({ status: 413, fix: 'Use another way.' });
    release.resolve();
    expect(await slow).toMatchObject({ status: 200 });
    expect(await send('fast', 60 * MiB)).toMatchObject({ status: 200 });
  });
});
