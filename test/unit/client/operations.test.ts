import { createHash } from 'node:crypto';
import { SkerryClient, SkerryUncertain } from 'skerry/client';
import { describe, expect, it } from 'vitest';
import { problem, scripted } from './scripted-skerry.ts';

const BROKEN = new TypeError('fetch failed', { cause: new Error('socket hang up') });
const ID = 'op_00000000000000000000000000';
const AT = '2026-01-02T03:04:05.000Z';
const RECORD = {
  type: 'environment.create',
  command: { source: '/s', id: '1' },
  session: 'staging',
  data: {},
  actor: 'local',
  acceptedAt: AT,
};
const STEP = {
  verb: 'create',
  attempts: 0,
  dependsOn: [],
  log: [],
  memo: { secret: true },
  claimedUntil: AT,
};
const operation = (revision: number, value: object) => ({
  key: `/op/${ID}`,
  revision,
  value: { ...RECORD, ...value },
});
const step = (revision: number, id: string, value: object) => ({
  key: `/op/${ID}/steps/${id}`,
  revision,
  value: { ...STEP, id, resource: `net.${id}`, action: { executor: 'config' }, ...value },
});
const resync = (revision: number, items: readonly object[]) => ({ body: { resync: { items }, revision } });
const changes = (revision: number, changed: readonly object[]) => ({
  body: { changes: changed.map((change) => ({ type: 'put', previous: null, ...change })), revision },
});

describe('the id of an operation', () => {
  it('follows from namespace, source and id of its command', async () => {
    const { commands } = new SkerryClient({ url: 'http://skerry' });
    for (const [ns, source, id] of [
      ['default', '/shop', '1'],
      ['prod', 'urn:x:ü', 'a b'],
    ] as const) {
      const bits =
        BigInt(`0x${createHash('sha256').update(`${ns}\n${source}\n${id}`).digest('hex')}`) >> 126n;
      const digits = bits.toString(32).padStart(26, '0');
      const crockford = digits.replace(
        /[i-v]/g,
        (digit) => 'jkmnpqrstvwxyz'['ijklmnopqrstuv'.indexOf(digit)] ?? '',
      );
      expect(await commands.operationId(ns, source, id)).toBe(`op_${crockford}`);
    }
  });
});

describe('an operation that is followed', () => {
  it('is waited for, told step by step, and ends when it is over', async () => {
    const { client, requests } = scripted([
      resync(0, []),
      changes(1, [operation(1, { state: 'queued' })]),
      changes(1, []),
      changes(4, [
        step(2, 'a', { state: 'waiting' }),
        step(3, 'b', { state: 'waiting' }),
        operation(4, { state: 'running', stepCount: 2, startedAt: AT }),
      ]),
      changes(5, [step(5, 'a', { state: 'succeeded', attempts: 1, startedAt: AT, endedAt: AT })]),
      changes(7, [
        step(6, 'b', { state: 'skipped', endedAt: AT }),
        operation(7, { state: 'failed', stepCount: 2, endedAt: AT }),
      ]),
    ]);
    const updates = await Array.fromAsync(client.operations.follow(ID));
    expect(
      updates.map(({ operation: { state, progress }, changed }) => [
        state,
        progress,
        changed.map(({ id }) => id),
      ]),
    ).toEqual([
      ['queued', { done: 0, total: 0 }, []],
      ['running', { done: 0, total: 2 }, ['a', 'b']],
      ['running', { done: 1, total: 2 }, ['a']],
      ['failed', { done: 2, total: 2 }, ['b']],
    ]);
    expect(updates.at(-1)?.operation).toMatchObject({
      id: ID,
      ns: 'default',
      session: 'staging',
      endedAt: AT,
    });
    // As the API shows steps: nothing that is the engine's own.
    expect(updates.at(-1)?.operation.steps[0]).toEqual({
      id: 'a',
      verb: 'create',
      resource: 'net.a',
      executor: 'config',
      state: 'succeeded',
      attempts: 1,
      startedAt: AT,
      endedAt: AT,
      log: [],
    });
    expect(requests[0]).toBe(`GET watch/op/${ID}`);
  });

  it('tells only what it did not know after the watch had to begin again', async () => {
    const { client } = scripted([
      resync(3, [operation(1, { state: 'running', stepCount: 2 }), step(2, 'a', {}), step(3, 'b', {})]),
      problem(410, 'compacted'),
      resync(5, [operation(5, { state: 'succeeded', stepCount: 2 }), step(2, 'a', {}), step(4, 'b', {})]),
    ]);
    const updates = await Array.fromAsync(client.operations.follow(ID));
    expect(updates.map(({ changed }) => changed.map(({ id }) => id))).toEqual([['a', 'b'], ['b']]);
  });
});

describe('a command', () => {
  it('is sent as a CloudEvent, again with the same id where no answer came', async () => {
    const bodies: unknown[] = [];
    const answers = [BROKEN, { id: ID }];
    const client = new SkerryClient({
      url: 'http://skerry',
      ns: 'prod',
      async fetch(_, init) {
        bodies.push(JSON.parse(String(init?.body)));
        const answer = answers.shift();
        if (answer instanceof Error) throw answer;
        return Response.json(answer, { status: 202 });
      },
    });
    expect(await client.commands.send({ type: 'resource.refresh', data: { environment: 'a' } })).toEqual({
      id: ID,
    });
    expect(bodies[0]).toMatchObject({
      specversion: '1.0',
      type: 'resource.refresh',
      ns: 'prod',
      source: '/skerry/client',
      id: expect.stringMatching(/^\w{20}$/),
      data: { environment: 'a' },
    });
    expect(bodies[1]).toEqual(bodies[0]);
  });

  it('for an environment is known by a key, so that retries of one call do it once', async () => {
    const { client, headers, requests } = scripted([BROKEN, { status: 202, body: { id: ID } }, { body: {} }]);
    await client.environments.create({ id: 'a', name: 'A', templates: [] });
    await client.environments.run('a', 'net.probe', { idempotencyKey: 'mine' });
    const keys = headers.map((sent) => sent.get('idempotency-key'));
    expect([keys[0], keys[2]]).toEqual([keys[1], 'mine']);
    expect(requests.at(-1)).toBe('POST environments/a/actions/net.probe');
  });

  it('to cancel that is refused after an answer got lost may have been its own doing', async () => {
    const { client } = scripted([BROKEN, problem(409, 'conflict')]);
    await expect(client.operations.cancel(ID)).rejects.toThrow(SkerryUncertain);
  });
});

describe('an environment that is waited for', () => {
  const environment = (state: string, working?: string) => ({
    body: { id: 'a', state, ...(working !== undefined && { operation: working }) },
  });
  const news = (revision: number, key: string) =>
    changes(revision, [{ key, revision, value: {}, actor: 'x', at: AT }]);

  it('is there when it is settled and nothing works on it', async () => {
    const { client, requests } = scripted([
      resync(1, []),
      environment('Deploying', ID),
      news(2, '/env/a/resources/net.x'),
      news(3, '/env/a'),
      environment('Deployed-OK', ID),
      news(4, '/env/a/work'),
      environment('Deployed-OK'),
    ]);
    expect(await client.environments.wait('a')).toMatchObject({ state: 'Deployed-OK' });
    expect(requests.filter((request) => request === 'GET environments/a')).toHaveLength(3);
  });

  it('is there in the state that is asked for, and never where there is none', async () => {
    const { client } = scripted([
      resync(1, []),
      environment('Deploying', ID),
      resync(1, []),
      problem(404, 'not-found'),
    ]);
    expect(await client.environments.wait('a', { state: 'Deploying' })).toMatchObject({ state: 'Deploying' });
    expect(await client.environments.wait('a')).toBeUndefined();
  });
});
