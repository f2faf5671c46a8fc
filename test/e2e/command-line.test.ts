import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, type Running, runInProcess, startCommand } from './command-line.ts';
import { runGuide } from './run-guide.ts';
import { shareSkerry } from './share-skerry.ts';

const NS = 'command-line';
const DEADLINE = { timeout: 45_000, interval: 30 };

let skerry: { readonly url: string };
let folder: string;
const started = new Set<Running>();

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-command-line-'));
  skerry = await shareSkerry('swept');
});

afterAll(async () => {
  for (const running of started) running.process.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

function start(...words: string[]): Running {
  const running = startCommand(words, { url: skerry.url, ns: NS, folder });
  started.add(running);
  return running;
}

async function runAsProcess(...words: string[]): Promise<Ended> {
  return await start(...words).ended();
}

/** Runs a command that waits for nothing in this process, which spares its start. */
function run(...words: string[]): Promise<Ended> {
  return runWithInput('', ...words);
}

function runWithInput(input: string, ...words: string[]): Promise<Ended> {
  return runInProcess(words, { url: skerry.url, ns: NS, folder, input });
}

describe('applications', () => {
  it('are written, shown, listed and deleted, and guarded by revisions and schemas', async () => {
    await writeFile(path.join(folder, 'schema.json'), '{"properties":{"currency":{"enum":["EUR"]}}}');
    expect(
      await runAsProcess('app', 'put', 'shop', '{"currency":"EUR"}', '--schema', 'schema.json'),
    ).toMatchObject({
      code: 0,
      out: 'shop is at revision 1\n',
    });
    expect((await runAsProcess('app', 'get', 'shop')).json).toEqual({ currency: 'EUR' });
    expect(
      await runWithInput('{"currency":"shells"}', 'app', 'put', 'shop', '--schema', 'schema.json'),
    ).toMatchObject({
      code: 1,
      err: expect.stringContaining('currency'),
    });
    expect(await runAsProcess('app', 'put', 'shop', '{}', '--if-revision', '7')).toMatchObject({
      code: 4,
      out: '',
    });
    const { json } = await runAsProcess('app', 'list', '--json');
    expect(json).toMatchObject({ items: [{ name: 'shop', revision: 1, config: { currency: 'EUR' } }] });
    expect(await runAsProcess('app', 'delete', 'shop')).toMatchObject({ code: 0 });
    expect(await runAsProcess('app', 'get', 'shop', '--json')).toMatchObject({ code: 3, out: '' });
  });
});

describe('services', () => {
  it('are registered, kept alive, shown and removed', async () => {
    const flags = [
      '--endpoint',
      'http=http://10.0.0.1:80',
      '--ttl',
      '60',
      '--tag',
      'blue',
      '--metadata',
      'rack=a=1',
    ];
    expect(await run('service', 'register', 'web', 'host1', ...flags)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^web\/host1 is passing, until /),
    });
    expect(await run('service', 'heartbeat', 'web', 'host1')).toMatchObject({ code: 0 });
    expect(await run('service', 'heartbeat', 'web', 'host2')).toMatchObject({
      code: 3,
      err: expect.stringContaining('Register it again.'),
    });
    expect((await run('service', 'get', 'web', '--tag', 'blue', '--json')).json).toMatchObject({
      instances: [{ id: 'host1', metadata: { rack: 'a=1' } }],
    });
    expect((await run('service', 'get', 'web')).out).toMatch(
      /^ID +HEALTH.*\nhost1 +passing .*blue +http=http:\/\/10/,
    );
    expect((await run('service', 'list')).out).toMatch(/^NAME .*\nweb +\d+ +1 +1\n$/);
    expect(await run('service', 'deregister', 'web', 'host1')).toMatchObject({ code: 0 });
    expect(await run('service', 'deregister', 'web', 'host1')).toMatchObject({ code: 3 });
  });
});

describe('keys', () => {
  it('hold JSON, or anything as it is, and are shown as they were put', async () => {
    expect(await run('kv', 'put', 'a1', 'config/mtu', '1500')).toMatchObject({
      code: 0,
      out: 'config/mtu is at revision 1\n',
    });
    expect(await runWithInput('two\nlines\n', 'kv', 'put', 'a1', 'motd', '--text')).toMatchObject({
      code: 0,
    });
    expect((await run('kv', 'get', 'a1', 'config/mtu')).out).toBe('1500\n');
    expect((await run('kv', 'get', 'a1', 'motd')).out).toBe('two\nlines\n');
    expect((await run('kv', 'get', 'a1', 'motd', '--json')).json).toMatchObject({
      key: 'motd',
      revision: 2,
      value: { $text: 'two\nlines\n', contentType: 'text/plain; charset=utf-8' },
    });
    expect(await run('kv', 'put', 'a1', 'x', 'no json')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--text'),
    });
    expect((await run('kv', 'list', 'a1', '--keys')).out).toBe('config/mtu\nmotd\n');
    expect((await run('kv', 'list', 'a1', 'config/', '--json')).json).toMatchObject({
      items: [{ key: 'config/mtu', value: 1500, revision: 1 }],
    });
  });

  it('are written where they are as expected, several or none', async () => {
    expect(await run('kv', 'put', 'a2', 'x', '1', '--if-revision', '0')).toMatchObject({ code: 0 });
    expect(await run('kv', 'put', 'a2', 'x', '2', '--if-revision', '0')).toMatchObject({ code: 4 });
    const transaction =
      '{"compare":[{"key":"x","revision":1}],' +
      '"then":[{"put":{"key":"x","value":2}},{"put":{"key":"y","value":"b"}},{"get":{"key":"z"}}]}';
    expect((await runWithInput(transaction, 'kv', 'txn', 'a2', '--json')).json).toMatchObject({
      succeeded: true,
      revision: 3,
    });
    expect(await runWithInput(transaction, 'kv', 'txn', 'a2')).toMatchObject({
      code: 4,
      out: expect.stringContaining('does not hold'),
    });
    expect((await run('kv', 'delete', 'a2', '', '--prefix')).out).toBe('deleted 2 keys in one transaction\n');
    expect(await run('kv', 'delete', 'a2', 'x')).toMatchObject({ code: 3 });
  });

  it('go back to what they held, as long as that is remembered', async () => {
    await run('kv', 'put', 'a3', 'x', '1');
    await run('kv', 'put', 'a3', 'x', '2');
    expect((await run('kv', 'get', 'a3', 'x', '--revision', '1')).out).toBe('1\n');
    expect(await run('kv', 'restore', 'a3', 'x', '1', '--json')).toMatchObject({
      code: 0,
      json: { restored: 1 },
    });
    expect((await run('history', '/kv/a3/x', '--json')).json).toMatchObject({
      changes: [
        { revision: 3, type: 'put', value: 1, previous: 2 },
        { revision: 2, value: 2, previous: 1 },
        { revision: 1, value: 1, previous: null },
      ],
    });
    expect(await run('kv', 'compact', 'a3', '2')).toMatchObject({ code: 0 });
    expect(await run('kv', 'get', 'a3', 'x', '--revision', '1')).toMatchObject({ code: 1 });
  });
});

describe('a watch', () => {
  it('tells what is there, then what changes, and ends after the first changes or with Ctrl-C', async () => {
    await run('kv', 'put', 'w', 'a', '1');
    const watching = start('watch', '/kv/w', '--json', '--once');
    const interrupted = start('watch', '/kv/w', '--since', '0', '--json');
    await expect.poll(() => watching.events(), DEADLINE).toHaveLength(1);
    await expect.poll(() => interrupted.events(), DEADLINE).toHaveLength(1);
    await run('kv', 'delete', 'w', 'a');
    expect(await watching.ended()).toMatchObject({ code: 0, err: '' });
    expect(watching.events()).toMatchObject([
      { resync: { items: [{ key: '/kv/w/a', value: 1 }] }, position: '1' },
      { changes: [{ key: '/kv/w/a', type: 'delete', value: null, previous: 1, revision: 2 }], position: '2' },
    ]);
    await expect.poll(() => interrupted.events(), DEADLINE).toHaveLength(2);
    interrupted.process.kill('SIGINT');
    expect(await interrupted.ended()).toMatchObject({ code: 130, err: '' });
  });

  it('ends without a word when nobody reads it any more', async () => {
    await run('kv', 'put', 'p', 'a', '1');
    const watching = start('watch', '/kv/p', '--json');
    await expect.poll(() => watching.events(), DEADLINE).toHaveLength(1);
    watching.process.stdout?.destroy();
    await run('kv', 'put', 'p', 'a', '2');
    expect(await watching.ended()).toMatchObject({ code: 0, err: '' });
  });
});

describe('webhooks', () => {
  it('are listened to on this machine, signed, by a subscription that goes away with the listener', async () => {
    const listening = start('webhooks', 'listen', '--port', '0', '--key', '/kv/parcels', '--json');
    await expect.poll(() => listening.events(), DEADLINE).toHaveLength(1);
    const [begun] = listening.events() as { listening: string; subscription: string }[];
    await run('kv', 'put', 'parcels', 'a', 'fragile', '--text');
    await expect
      .poll(() => listening.events()[1], DEADLINE)
      .toMatchObject({
        delivery: expect.stringMatching(/^dlv_/),
        verified: true,
        repeated: false,
        status: 204,
        event: { type: 'kv.put', data: { key: '/kv/parcels/a', before: null, after: { $text: 'fragile' } } },
      });
    expect(await run('webhooks', 'update', begun?.subscription ?? '', '--consent')).toMatchObject({
      out: expect.stringMatching(/^consent +granted at .*\nstate +active/m),
    });
    expect(await run('webhooks', 'test', begun?.subscription ?? '')).toMatchObject({ code: 0 });
    const freed = await run('webhooks', 'update', begun?.subscription ?? '', '--clear', 'consent');
    expect(freed).toMatchObject({ code: 0, out: expect.not.stringContaining('consent') });
    const forged = await fetch(begun?.listening ?? '', { method: 'POST', body: '{"type":"kv.put"}' });
    expect(forged.status).toBe(401);
    listening.process.kill('SIGINT');
    expect(await listening.ended()).toMatchObject({ code: 130, err: '' });
    expect(listening.events().slice(2)).toMatchObject([
      { consent: '127.0.0.1' },
      { verified: true, event: { type: 'skerry.test' } },
      { verified: false, reason: expect.stringContaining('webhook-id'), event: { type: 'kv.put' } },
    ]);
    expect((await run('webhooks', 'list', '--json')).json).toMatchObject({ items: [] });
  });

  it('take what a killed listener has left, and answer by what a command makes of the body', async () => {
    const listen = ['webhooks', 'listen', '--key', '/kv/parcels'];
    const killed = start(...listen, '--port', '0', '--json');
    await expect.poll(() => killed.events(), DEADLINE).toHaveLength(1);
    killed.process.kill('SIGKILL');
    await killed.ended();
    const [{ listening: url, subscription: lost } = { listening: '', subscription: '' }] =
      killed.events() as {
        listening: string;
        subscription: string;
      }[];
    const next = start(...listen, '--port', new URL(url).port, '--exec', 'cat; exit 3');
    const said = () => next.output();
    await expect.poll(said, DEADLINE).toContain('-- listening');
    const { items } = (await run('webhooks', 'list', '--json')).json as { items: { id: string }[] };
    expect(items.map(({ id }) => id)).toEqual([expect.not.stringContaining(lost)]);
    await run('kv', 'put', 'parcels', 'b', '7');
    await expect
      .poll(said, DEADLINE)
      .toMatch(/"after":7.*\n*kv\.put {2}\/kv\/parcels\/b @\d+ {2}- -> 7\n.*verified; answered 500/);
    await fetch(url, { method: 'POST', body: '{}' });
    await expect.poll(said, DEADLINE).toContain('without an id, not verified');
    next.process.kill('SIGTERM');
    expect(await next.ended()).toMatchObject({ code: 143 });
  });

  it('are subscribed to, changed, looked into, held and repaired', async () => {
    const endpoint = 'http://127.0.0.1:9/';
    const flags = ['--type', 'put', '--changed', '/a', '--header', 'x-from=skerry', '--json'];
    const created = await run('webhooks', 'create', 'books', '/kv/books', endpoint, ...flags);
    expect(created).toMatchObject({
      code: 0,
      json: { name: 'books', types: ['put'], headers: ['x-from'], secret: expect.stringMatching(/^whsec_/) },
    });
    const { id } = created.json as { readonly id: string };
    const update = ['webhooks', 'update', 'books', '--format', 'cloudevents', '--clear', 'changed'];
    expect(await run(...update)).toMatchObject({ code: 2, err: expect.stringContaining('x-from') });
    const shown = (await run(...update, '--clear', 'headers')).out;
    expect(shown).toMatch(/^format +cloudevents, structured$/m);
    expect(shown).not.toMatch(/changed|headers|whsec_/);
    expect((await run('webhooks', 'rotate-secret', 'books', '--signature', 'v1a')).out).toMatch(
      /^signed by +v1a whpk_\S{44}; v1 until \S+Z$/m,
    );

    await run('kv', 'put', 'books', 'a', '1');
    const dead = async () => (await run('webhooks', 'deliveries', 'books', '--state', 'dead')).out;
    await expect.poll(dead, DEADLINE).toMatch(/\ndlv_\S+ +\S+Z +dead +2 +.*\/kv\/books\/a\n$/);
    const [delivery = ''] = /dlv_\S+/.exec(await dead()) ?? [];
    expect((await run('webhooks', 'deliveries', 'books', delivery)).out).toMatch(
      /state +dead\n(.*\n)*ATTEMPT/,
    );
    expect(await run('webhooks', 'test', 'books')).toMatchObject({ code: 1, err: '' });
    expect(await run('webhooks', 'recover', 'books', 'yesterday')).toMatchObject({ code: 2 });
    expect((await run('webhooks', 'pause', 'books')).out).toContain(`${id} is paused`);
    expect(await run('webhooks', 'retry', 'books', delivery)).toMatchObject({ code: 4 });
    expect(await run('webhooks', 'delete', 'books')).toMatchObject({ code: 0 });
    expect(await run('webhooks', 'get', 'books')).toMatchObject({ code: 3 });
  });
});

describe('environments', () => {
  it('are what the guide to them says', async () => {
    const told = await runGuide('environments.md', skerry.url);
    for (const promised of [
      /^version 1 of shop$/m,
      /^2 to create, 0 to update, 0 to destroy, 0 to keep$/m,
      /^succeeded {2}create {3}shop\.settings {2}config {2}.*\n(.*\n)*succeeded {2}create {3}shop\.door/m,
      /"currency":"SEK"/,
      /^0 to create, 2 to update, 0 to destroy, 0 to keep$/m,
      /^state +Deployed-OK since/m,
      /^forgot north$/m,
      /^environment {2}would create +north$/m,
      /^environment {2}create +north {2}op_/m,
      /^environment {2}nothing +north$/m,
    ]) {
      expect(told).toMatch(promised);
    }
  });

  it('fail with what a step said, and an exit code', async () => {
    const template = {
      name: 'Broken',
      actions: [{ name: 'fail', executor: 'config', maxAttempts: 1, command: { nonsense: true } }],
      resources: [{ id: 'r', actions: { create: 'fail' } }],
    };
    await writeFile(path.join(folder, 'broken.json'), JSON.stringify(template));
    const environment = '{"id":"ruin","name":"A ruin","templates":[{"id":"broken"}]}';
    expect(await runWithInput(environment, 'env', 'create', '-')).toMatchObject({ code: 1, out: '' });
    expect(await run('template', 'push', 'broken.json', '--commit', 'c0ffee')).toMatchObject({ code: 0 });
    const created = await runWithInput(environment, 'env', 'create', '-', '--json');
    expect(created).toMatchObject({ code: 0, json: { type: 'environment.create', session: 'ruin' } });
    const { id } = created.json as { readonly id: string };
    const followed = await runAsProcess('op', 'follow', id);
    expect(followed).toMatchObject({ code: 1, err: '' });
    expect(followed.out).toMatch(/\nfailed {5}create {3}broken\.r {2}config {2}.*nonsense/);
    expect(followed.out).toMatch(
      new RegExp(`\n${id} failed after .*1 of 1 step over: .*\\(step create-broken\\.r\\)\n$`),
    );
    expect((await run('op', 'show', id)).out).toContain(`${id} failed after`);
    expect((await run('op', 'list', '--environment', 'ruin', '--json')).json).toMatchObject({
      items: [{ id }],
    });
    expect(await run('op', 'cancel', id)).toMatchObject({ code: 4 });
    expect((await run('env', 'wait', 'ruin')).out).toMatch(/^state +Deployed-Fail/m);
    expect(await run('env', 'create', 'broken.json')).toMatchObject({ code: 1 });
    for (const words of [
      ['env', 'show', 'x'],
      ['op', 'follow', 'op_0'],
      ['template', 'show', 'x'],
      ['env', 'wait', 'x'],
    ]) {
      expect(await run(...words), words.join(' ')).toMatchObject({ code: 3, out: '' });
    }
  });
});

describe('elections', () => {
  it('have one leader, who resigns by the fencing token', async () => {
    const won = await run('election', 'campaign', 'job', 'host1', '--json');
    expect(won).toMatchObject({ code: 0, json: { candidate: 'host1', token: expect.any(Number) } });
    expect(await run('election', 'campaign', 'job', 'host2')).toMatchObject({ code: 4 });
    expect((await run('election', 'get', 'job')).out).toMatch(/^host1 leads job until /);
    const { token } = won.json as { readonly token: number };
    expect(await run('election', 'resign', 'job', String(token))).toMatchObject({ code: 0 });
    expect(await run('election', 'get', 'job')).toMatchObject({ code: 3 });
  });
});

describe('a server that is not there', () => {
  it('is told in a sentence and by the exit code', async () => {
    const url = 'http://127.0.0.1:9';
    const list = ['app', 'list', '--timeout', '1'];
    for (const command of [list, ['watch', '/app']]) {
      const ended = await run(...command, '--server', url);
      expect(ended).toMatchObject({ code: 5, out: '' });
      expect(ended.err).toMatch(/^skerry: .*127\.0\.0\.1:9.*\n$/);
    }
  });
});
