import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ConsulKvExecutor } from '../../../shared/executors/consul-kv.ts';
import type { StepVerb } from '../../../shared/operations/index.ts';
import type { Json } from '../../../shared/records/index.ts';
import { firstCalls } from './api-server.ts';
import { CONSUL_TOKEN, type Consul, startConsul } from './consul-server.ts';
import { executorParts, type RequestOptions, stepRequest } from './executor-fixture.ts';

let consul: Consul;
let executor: ConsulKvExecutor;

beforeEach(async () => {
  consul = await startConsul();
  const credentials = { [consul.origin]: { token: CONSUL_TOKEN } };
  executor = new ConsulKvExecutor(executorParts({ credentials }));
});

afterEach(() => consul.stop());

const COMMAND = { prefix: 'apps/shop/', values: { currency: 'EUR', limits: { rps: 5 }, empty: '' } };
const KEYS = ['apps/shop/currency', 'apps/shop/limits', 'apps/shop/empty'];

function request(verb: StepVerb, command: Json = COMMAND, options: RequestOptions = {}) {
  return stepRequest(verb, command, { url: consul.origin, ...options });
}

function transactions() {
  return consul.calls.filter(({ url }) => url.pathname === '/v1/txn').map(({ body }) => body as unknown[]);
}

describe('keys', () => {
  test.each(['create', 'update', 'run'] as const)('are written in one transaction (%s)', async (verb) => {
    expect(await executor.start(request(verb))).toEqual({
      state: 'succeeded',
      outputs: { keys: KEYS },
      log: ['Wrote 3 keys, removed 0.'],
    });
    expect(consul.contents()).toEqual({
      ':apps/shop/currency': 'EUR',
      ':apps/shop/limits': '{"rps":5}',
      ':apps/shop/empty': '',
    });
    expect(transactions()).toHaveLength(1);
  });

  test('that an earlier step wrote, and that are wanted no more, are removed with an update', async () => {
    await executor.start(request('create'));
    const command = { ...COMMAND, values: { currency: 'USD' } };
    const outcome = await executor.start(request('update', command, { outputs: { keys: KEYS } }));
    expect(outcome).toMatchObject({
      outputs: { keys: ['apps/shop/currency'] },
      log: ['Wrote 1 keys, removed 2.'],
    });
    expect(consul.contents()).toEqual({ ':apps/shop/currency': 'USD' });
  });

  test('that an action writes besides are added to those of the resource', async () => {
    await executor.start(request('create'));
    const command = { values: { 'apps/extra': '1' } };
    expect(await executor.start(request('run', command, { outputs: { keys: KEYS } }))).toMatchObject({
      outputs: { keys: [...KEYS, 'apps/extra'] },
      log: ['Wrote 1 keys, removed 0.'],
    });
    expect(Object.keys(consul.contents())).toHaveLength(4);
  });

  test('are removed one by one: what others wrote beside them stays', async () => {
    await executor.start(request('create'));
    consul.put('apps/shop/other', 'of somebody else');
    const command = { ...COMMAND, values: { currency: 'EUR' } };
    expect(await executor.start(request('destroy', command, { outputs: { keys: KEYS } }))).toEqual({
      state: 'succeeded',
      log: ['Removed 3 keys.'],
    });
    expect(consul.contents()).toEqual({ ':apps/shop/other': 'of somebody else' });
    expect(await executor.start(request('destroy', command))).toMatchObject({ state: 'succeeded' });
  });

  test('are of a namespace and a datacenter, if that is said', async () => {
    const command = { ...COMMAND, namespace: 'team', datacenter: 'north', flags: 42 };
    await executor.start(request('create', command));
    expect(Object.keys(consul.contents())).toEqual(KEYS.map((key) => `team:${key}`));
    expect(consul.calls[0]?.url.searchParams.get('dc')).toBe('north');
    expect(await executor.observe(request('refresh', command))).toEqual({ exists: true });
    expect(await executor.observe(request('refresh', { ...command, flags: 43 }))).toMatchObject({
      difference: `changed: ${KEYS.join(', ')}`,
    });
  });

  test('that do not fit into one transaction are written in several, within both limits', async () => {
    const many = Object.fromEntries(Array.from({ length: 130 }, (_, nth) => [`key${nth}`, `value ${nth}`]));
    expect(await executor.start(request('create', { values: many }))).toMatchObject({ state: 'succeeded' });
    expect(transactions().map((operations) => operations.length)).toEqual([64, 64, 2]);
    const large = Object.fromEntries(
      Array.from({ length: 3 }, (_, nth) => [`large${nth}`, 'x'.repeat(150_000)]),
    );
    expect(await executor.start(request('create', { values: large }))).toMatchObject({ state: 'succeeded' });
    expect(transactions().map((operations) => operations.length)).toEqual([64, 64, 2, 2, 1]);
    expect(Object.keys(consul.contents())).toHaveLength(133);
  });

  test('are written twice to the same end when the answer is lost', async () => {
    consul.interfere = firstCalls(() => true, 'lose', 'half');
    expect(await executor.start(request('create'))).toMatchObject({ state: 'succeeded' });
    expect(transactions()).toHaveLength(3);
    expect(Object.keys(consul.contents())).toHaveLength(3);
  });
});

describe('a look', () => {
  test('compares what is there with what is wanted', async () => {
    expect(await executor.observe(request('refresh'))).toEqual({
      exists: false,
      difference: `missing: ${KEYS.join(', ')}`,
    });
    await executor.start(request('create'));
    expect(await executor.observe(request('refresh'))).toEqual({ exists: true });
    consul.put('apps/shop/currency', 'USD');
    await executor.start(request('destroy', { values: { 'apps/shop/empty': '' } }));
    expect(await executor.observe(request('refresh'))).toEqual({
      exists: true,
      difference: 'missing: apps/shop/empty; changed: apps/shop/currency',
    });
    expect(transactions()).toHaveLength(2);
  });

  test('names no value, and not every key', async () => {
    const values = Object.fromEntries(Array.from({ length: 12 }, (_, nth) => [`key${nth}`, 'top-secret']));
    const { difference } = await executor.observe(request('refresh', { values }));
    expect(difference).toBe('missing: key0, key1, key2, key3, key4, key5, key6, key7, key8, key9 and 2 more');
  });

  test('says so when it is refused', async () => {
    consul.interfere = () => ({ status: 403, body: 'Permission denied' });
    await expect(executor.observe(request('refresh'))).rejects.toThrow(
      'GET /v1/kv: HTTP 403: Permission denied',
    );
  });
});

describe('a failure', () => {
  test.each([
    [{ status: 403, body: 'ACL not found' }, false, 'HTTP 403: ACL not found'],
    [{ status: 400, body: 'Failed to parse body' }, false, 'HTTP 400: Failed to parse body'],
    [{ status: 413, body: 'Request body too large' }, false, 'HTTP 413: Request body too large'],
    [{ status: 429, body: 'rate limit exceeded' }, true, 'HTTP 429: rate limit exceeded'],
    [{ status: 500, body: 'No cluster leader' }, true, 'HTTP 500: No cluster leader'],
    [{ status: 503, body: '' }, true, 'HTTP 503'],
    ['lie', true, 'HTTP 200 with an answer that is not of this API'],
    [{ status: 200, body: { Results: null, Errors: [{ What: 'no' }] } }, true, 'not of this API (at Errors'],
    ['flood', false, 'the answer is longer than 1024 KiB'],
  ] as const)('%j', async (interference, isPassing, reason) => {
    consul.interfere = () => interference;
    expect(await executor.start(request('create'))).toMatchObject({
      state: 'failed',
      isPassing,
      reason: expect.stringContaining(reason),
    });
  });

  test('of one key rolls all of the transaction back, for good', async () => {
    const values = { 'apps/a': '1', 'forbidden/b': '2' };
    expect(await executor.start(request('create', { values }))).toEqual({
      state: 'failed',
      reason: 'Consul rolled the transaction back: Permission denied',
      isPassing: false,
      outputs: { keys: [] },
      log: [],
    });
    expect(consul.contents()).toEqual({});
  });

  test.each([
    ['a refusal', { status: 403, body: 'ACL not found' }, 65],
    ['a lost answer', 'lose', 129],
  ] as const)(
    'after the first of several transactions tells what stands all the same: %s',
    async (_, interference, stand) => {
      const many = Object.fromEntries(Array.from({ length: 140 }, (_, nth) => [`key${nth}`, '1']));
      let sent = 0;
      consul.interfere = () => {
        sent += 1;
        return sent > 1 ? interference : undefined;
      };
      const failed = await executor.start(
        request('update', { values: many }, { outputs: { keys: ['old'] } }),
      );
      const keys = ['old', ...Object.keys(many)].slice(0, stand);
      expect(failed).toMatchObject({ state: 'failed', outputs: { keys } });
      consul.interfere = () => undefined;
      await executor.start(request('destroy', { values: {} }, { outputs: { keys } }));
      expect(consul.contents()).toEqual({});
    },
  );

  test.each([
    [{ values: { a: 'x'.repeat(400_000) } }, 'The value of the key a does not fit'],
    [{ values: { a: '1' }, prefix: '/apps/' }, 'The key /apps/a begins with a slash'],
    [{ values: { '../acl/tokens': '1' }, prefix: 'apps/' }, 'segment of dots'],
    [{ value: { a: '1' } }, 'command.values: '],
    [{ values: { a: '1' }, flags: -1 }, 'command.flags: '],
  ])('of the command is found before anything is sent: %#', async (command, reason) => {
    expect(await executor.start(request('create', command))).toMatchObject({
      state: 'failed',
      isPassing: false,
      reason: expect.stringContaining(reason),
    });
    expect(consul.calls).toHaveLength(0);
  });
});
