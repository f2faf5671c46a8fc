import { SkerryProblem, SkerryUncertain, SkerryUnreachable } from 'skerry/client';
import { describe, expect, it } from 'vitest';
import { problem, scripted } from './scripted-skerry.ts';

const UNAVAILABLE = problem(503, 'unavailable');
const BROKEN = new TypeError('fetch failed', { cause: new Error('socket hang up') });
const REFUSED = new TypeError('fetch failed', {
  cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
});
const APP = { name: 'a', config: 1, revision: 3, createdAt: '', updatedAt: '' };
const STORED = { status: 200, body: APP };

describe('a read', () => {
  it('is repeated after every passing fault, at growing and random intervals', async () => {
    const script = [BROKEN, problem(502, 'x'), UNAVAILABLE, problem(504, 'x'), STORED];
    const { client, waits } = scripted(script, {}, 0.5);
    expect(await client.apps.get('a')).toEqual(APP);
    expect(waits).toEqual([50, 100, 200, 400]);
  });

  it('waits as long as it is told to, and a little more', async () => {
    const { client, waits } = scripted([problem(429, 'x', { 'retry-after': '4' }), STORED], {}, 0.5);
    await client.apps.get('a');
    expect(waits).toEqual([4500]);
  });

  it('is not repeated after a refusal', async () => {
    const { client, requests } = scripted([problem(400, 'invalid'), STORED]);
    await expect(client.apps.get('a')).rejects.toThrow(SkerryProblem);
    expect(requests).toHaveLength(1);
  });

  it('ends with the last fault when its time is over', async () => {
    const { client, waits } = scripted(
      Array.from({ length: 50 }, () => UNAVAILABLE),
      { timeout: 5000 },
      0.999,
    );
    await expect(client.apps.get('a')).rejects.toMatchObject({ status: 503 });
    expect(waits.reduce((sum, wait) => sum + wait, 0)).toBeLessThan(5000);
  });

  it('does not wait when it would be told to come back after its time', async () => {
    const { client, waits } = scripted([problem(503, 'x', { 'retry-after': '60' })]);
    await expect(client.apps.get('a')).rejects.toMatchObject({ status: 503, retryAfter: 60_000 });
    expect(waits).toEqual([]);
  });

  it('ends at once when it is aborted while it waits', async () => {
    const ending = new AbortController();
    const reason = new Error('enough');
    const { client } = scripted([UNAVAILABLE], {
      timing: {
        now: () => 0,
        steady: () => 0,
        random: () => 1,
        wait: async (_, signal) => {
          ending.abort(reason);
          signal?.throwIfAborted();
        },
      },
    });
    await expect(client.apps.get('a', { signal: ending.signal })).rejects.toBe(reason);
  });

  it('tells why nobody was reached', async () => {
    const { client } = scripted([BROKEN], { timeout: 0 });
    const error = await client.apps.get('a').catch((thrown) => thrown);
    expect(error).toBeInstanceOf(SkerryUnreachable);
    expect(error.message).toContain('socket hang up');
  });
});

describe('a write', () => {
  it('is repeated when it has no condition', async () => {
    const { client, requests } = scripted([UNAVAILABLE, BROKEN, STORED]);
    expect(await client.apps.put('a', { config: 1 })).toEqual(APP);
    expect(requests).toHaveLength(3);
  });

  it.each([412, 404])('with a condition is uncertain when its repetition meets %i', async (status) => {
    const { client } = scripted([UNAVAILABLE, problem(status, 'x')]);
    await expect(client.apps.put('a', { config: 1 }, { ifRevision: 2 })).rejects.toThrow(SkerryUncertain);
  });

  it('with a condition is refused clearly when its first attempt is', async () => {
    const { client } = scripted([problem(429, 'x'), problem(412, 'precondition-failed')]);
    await expect(client.apps.put('a', { config: 1 }, { ifRevision: 2 })).rejects.toMatchObject({
      status: 412,
    });
  });

  it('that removes has done so when its repetition finds nothing', async () => {
    const { client } = scripted([BROKEN, problem(404, 'not-found'), problem(404, 'not-found')]);
    expect(await client.apps.delete('a')).toBe(true);
    expect(await client.apps.delete('a')).toBe(false);
  });

  it('that gets no clear answer at all is uncertain', async () => {
    const { client } = scripted([BROKEN, BROKEN], { timeout: 10 });
    await expect(client.apps.put('a', { config: 1 })).rejects.toThrow(SkerryUncertain);
  });
});

describe('a transaction', () => {
  const compared = {
    compare: [{ key: 'k', exists: false }],
    success: [{ put: { key: 'k', value: 1 } }],
  };
  const done = { body: { succeeded: true, revision: 1, results: [{ put: { key: 'k', revision: 1 } }] } };

  it('that compares is repeated only when nothing can have been done', async () => {
    const { client, requests } = scripted([problem(429, 'x'), REFUSED, done]);
    expect(await client.store('s').transact(compared)).toEqual(done.body);
    expect(requests).toHaveLength(3);
  });

  it.each([UNAVAILABLE, BROKEN])('that compares is uncertain without a clear answer', async (answer) => {
    const { client, requests } = scripted([answer, done]);
    await expect(client.store('s').transact(compared)).rejects.toThrow(SkerryUncertain);
    expect(requests).toHaveLength(1);
  });

  it('that only writes is repeated', async () => {
    const { client } = scripted([UNAVAILABLE, done]);
    await client.store('s').broker('p/').txn().put('k', 1).commit();
  });
});

describe('the cache of entity tags', () => {
  it('spares what is known, and gives every caller a value of its own', async () => {
    const answer = { body: APP, headers: { etag: '"3"', 'x-skerry-revision': '3' } };
    const { client, headers } = scripted([answer, { status: 304 }, { status: 304 }]);
    const first = await client.apps.get('a');
    const second = await client.apps.get('a');
    expect(second).toEqual(first);
    expect(second).not.toBe(first);
    expect(headers.map((sent) => sent.get('if-none-match'))).toEqual([null, '"3"']);
  });

  it('forgets what was used least', async () => {
    const names = Array.from({ length: 501 }, (_, number) => `a${number}`);
    const answers = [...names, 'a0', 'a500'].map(() => ({ body: APP, headers: { etag: '"3"' } }));
    const { client, headers } = scripted(answers);
    for (const name of [...names, 'a0', 'a500']) await client.apps.get(name);
    expect(headers.slice(-2).map((sent) => sent.get('if-none-match'))).toEqual([null, '"3"']);
  });
});

describe('what cannot be sent as it is', () => {
  const { client, requests } = scripted([]);
  const store = client.store('s');

  it.each([
    ['a key that leads into another store', () => store.put('../t/a', 1)],
    ['a key that leads to another key', () => store.delete('a/./b')],
    ['a key that servers take for another', () => store.get('a%2fb')],
    ['an empty key', () => store.get('')],
    ['an empty name', () => client.apps.get('')],
    ['a name that leads elsewhere', () => client.services.deregister('web', '..')],
    ['a prefix that leads elsewhere', () => client.watch('/kv/s/../t').next()],
    ['a value that is no JSON', () => client.apps.put('a', { config: circular() as never })],
  ])('is refused: %s', async (_, call) => {
    await expect(call()).rejects.toThrow(TypeError);
    expect(requests).toEqual([]);
  });

  it('is refused: an address that is none', () => {
    expect(() => scripted([], { url: 'localhost:7071' })).toThrow(TypeError);
  });

  it('is refused: a token that no header can carry, without a word of it', () => {
    expect(() => scripted([], { token: 'secret\nsecret' })).toThrow(/^(?!.*secret)/s);
    scripted([], { token: 'as it comes from a file\n' });
  });

  function circular(): object {
    const value: Record<string, unknown> = {};
    value.itself = value;
    return value;
  }
});

describe('what something on the way answers in the stead of Skerry', () => {
  const page = { headers: { 'content-type': 'text/html' }, body: '<h1>Back soon</h1>' };

  it('is never taken for the answer that there is nothing', async () => {
    const { client } = scripted([{ ...page, status: 404 }]);
    await expect(client.apps.get('a')).rejects.toMatchObject({ status: 404, kind: 'unknown' });
  });

  it('is no answer to a read, and leaves open what became of a write', async () => {
    const { client } = scripted([page, page]);
    await expect(client.apps.get('a')).rejects.toThrow(SkerryUnreachable);
    await expect(client.apps.put('a', { config: 1 })).rejects.toThrow(SkerryUncertain);
  });

  it('may be a weakened entity tag', async () => {
    const headers = { etag: 'W/"7"', 'last-modified': new Date(0).toUTCString() };
    const { client } = scripted([{ headers, body: 1 }]);
    expect(await client.store('s').get('k')).toMatchObject({ revision: 7 });
  });
});

it('a call ends in time, though somebody sets the clock back', async () => {
  let steady = 0;
  let now = 1e12;
  const timing = {
    now: () => now,
    steady: () => steady,
    random: () => 0.999,
    wait: async (milliseconds: number) => {
      steady += milliseconds;
      now -= 3_600_000;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
  const { client } = scripted(
    Array.from({ length: 50 }, () => UNAVAILABLE),
    { timing, timeout: 5000 },
  );
  await expect(client.apps.get('a')).rejects.toMatchObject({ status: 503 });
});
