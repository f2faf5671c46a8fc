import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SkerryClient } from 'skerry/client';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Ended, type Running, startCommand } from './command-line.ts';
import { openLine } from './interrupted-line.ts';
import { shareSkerry } from './share-skerry.ts';

const NS = 'file-sync';
const DEADLINE = { timeout: 60_000, interval: 30 };

let skerry: { readonly url: string };
let client: SkerryClient;
let folder: string;
/** A store of its own for each test; labels are `${store}`. */
let store: string;
let tests = 0;
const started = new Set<Running>();

beforeAll(async () => {
  skerry = await shareSkerry('swept');
  client = new SkerryClient({ url: skerry.url, ns: NS });
});

beforeEach(async () => {
  tests += 1;
  store = `agent${tests}`;
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-sync-'));
  await mkdir(path.join(folder, 'db'));
});

afterEach(async () => {
  for (const running of started) running.process.kill('SIGKILL');
  started.clear();
  await rm(folder, { recursive: true, force: true });
});

const at = (...names: string[]) => path.join(folder, ...names);

function start(words: readonly string[], url = skerry.url): Running {
  const running = startCommand(['sync', ...words, '--json'], { url, ns: NS, folder });
  started.add(running);
  return running;
}

async function sync(...words: string[]): Promise<Ended & { readonly events: readonly unknown[] }> {
  const running = start(words);
  const ended = await running.ended();
  return { ...ended, events: running.events() };
}

/** Writes a file as editors do: under another name, then renamed. */
async function write(name: string, values: Record<string, unknown>, label = store): Promise<void> {
  const data = Object.entries(values).map(([key, value]) => ({ key: `/vnf-agent/${label}/${key}`, value }));
  await mkdir(path.dirname(at('db', name)), { recursive: true });
  await writeFile(at('db/.draft'), JSON.stringify({ data }));
  await rename(at('db/.draft'), at('db', name));
}

async function held(name = store): Promise<Record<string, unknown>> {
  const content: Record<string, unknown> = {};
  for await (const { key, value } of client.store(name).list()) content[key] = value;
  return content;
}

/** The first so many changes of the store of this test. */
async function changes(count: number) {
  const all = [];
  for await (const event of client.watch(`/kv/${store}`, { position: '0' })) {
    if (event.kind === 'resync') throw new Error('The store has forgotten its changes.');
    all.push(
      ...event.changes.map(({ key, ...change }) => ({ ...change, key: key.slice(`/kv/${store}/`.length) })),
    );
    if (all.length >= count) break;
  }
  return all;
}

describe('skerry sync', () => {
  it('brings the whole content once, then nothing but differences, and deletes only what it has put', async () => {
    await client.store(store).put('others', 'by hand');
    await write('if.json', { if1: { mtu: 1 }, if2: { mtu: 2 } });
    await writeFile(
      at('db/deep.yaml'),
      `data: [{key: /vnf-agent/${store}/if3, value: 3}, {key: plain, value: 4}]`,
    );
    const first = await sync('db', '--store', `${store}-own`);
    expect(first, first.err).toMatchObject({ code: 0, err: '' });
    expect(first.events).toMatchObject([
      { event: 'applied', store, put: ['if3', 'if1', 'if2'], deleted: [], batches: 1 },
      { event: 'applied', store: `${store}-own`, put: ['plain'], deleted: [], batches: 1 },
      { event: 'in-step', stores: 2 },
    ]);
    expect(await held()).toEqual({ others: 'by hand', if1: { mtu: 1 }, if2: { mtu: 2 }, if3: 3 });

    expect((await sync('db', '--store', `${store}-own`)).events).toEqual([{ event: 'in-step', stores: 2 }]);

    await rm(at('db/deep.yaml'));
    await write('if.json', { if1: { mtu: 1 }, if2: 'changed' });
    await client.store(store).put('if9', 'by hand');
    expect((await sync('db', '--store', `${store}-own`)).events).toMatchObject([
      { store, put: ['if2'], deleted: ['if3'] },
      { store: `${store}-own`, put: [], deleted: ['plain'] },
      { event: 'in-step' },
    ]);
    expect(await held()).toEqual({ others: 'by hand', if1: { mtu: 1 }, if2: 'changed', if9: 'by hand' });
    expect(await held(`${store}-own`)).toEqual({});
    const both = expect.objectContaining({ first: 6 });
    expect((await changes(7)).slice(-3)).toMatchObject([
      { key: 'if9' },
      { key: 'if3', type: 'delete', value: null, previous: 3, transaction: both },
      { key: 'if2', type: 'put', value: 'changed', previous: { mtu: 2 }, transaction: both },
    ]);
  });

  it('applies nothing at all where one of the files is wrong at the start', async () => {
    await write('a.json', { a: 1 });
    await writeFile(
      at('db/b.json'),
      '{"data": [{"key": "/vnf-agent/x/a", "value": 1}, {"key": "no-label", "value": 1}]}',
    );
    const ended = await sync('db');
    expect(ended).toMatchObject({ code: 1, out: '' });
    expect(JSON.parse(ended.err)).toMatchObject({
      detail: expect.stringMatching(/b\.json: data\[1\] .*--store/),
    });
    expect(await held()).toEqual({});
    expect((await sync('none')).code).toBe(1);
  });

  it('takes several transactions for more than 49 writes, each whole, and says of repeated keys which counts', async () => {
    const values = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`k${index}`, index]));
    await write('many.json', values);
    await write('more.json', { k7: 'seven' });
    await write('large.json', {
      large1: 'x'.repeat(262_000),
      large2: 'y'.repeat(262_000),
      large3: '"'.repeat(131_000),
    });
    const { events } = await sync('db');
    expect(events).toMatchObject([
      { event: 'repeated', store, key: 'k7', files: [at('db/many.json'), at('db/more.json')] },
      { event: 'applied', batches: 4 },
      { event: 'in-step' },
    ]);
    expect(await held()).toMatchObject({ ...values, k7: 'seven', large3: '"'.repeat(131_000) });
  });

  it('follows the files: created, changed, wrong, moved and removed, at any depth', async () => {
    await write('if.json', { if1: 1, if2: 2 });
    const running = start(['db', '--watch']);
    await expect.poll(() => running.events(), DEADLINE).toContainEqual({ event: 'in-step', stores: 1 });

    await write('new/deep/more.json', { if3: 3 });
    await expect.poll(() => held(), DEADLINE).toEqual({ if1: 1, if2: 2, if3: 3 });
    await write('if.json', { if1: 'changed', if2: 2 });
    await expect.poll(() => held(), DEADLINE).toEqual({ if1: 'changed', if2: 2, if3: 3 });

    await writeFile(at('db/if.json'), '{"data": [');
    await expect
      .poll(() => running.events(), DEADLINE)
      .toContainEqual({
        event: 'skipped',
        reason: expect.stringMatching(/if\.json: it cannot be decoded/),
      });
    await rename(at('db/new'), at('db/moved'));
    await write('other.json', { b: 1 }, `${store}-b`);
    await expect.poll(() => held(`${store}-b`), DEADLINE).toEqual({ b: 1 });
    await write('if.json', { if2: 2 });
    await expect.poll(() => held(), DEADLINE).toEqual({ if2: 2, if3: 3 });
    await rm(at('db/moved'), { recursive: true });
    await rm(at('db/if.json'));
    await expect.poll(() => held(), DEADLINE).toEqual({});
    expect(await changes(7)).toMatchObject([
      { key: 'if1', value: 1, previous: null },
      { key: 'if2', value: 2, previous: null },
      { key: 'if3', value: 3, previous: null },
      { key: 'if1', value: 'changed', previous: 1 },
      { key: 'if1', type: 'delete', value: null, previous: 'changed' },
      ...['if2', 'if3'].map((key) => ({ key, type: 'delete', value: null })),
    ]);
    running.process.kill('SIGINT');
    expect(await running.ended()).toMatchObject({ code: 130 });
  });

  it('gets over an outage of Skerry and catches up', async () => {
    const way = await openLine(skerry.url);
    try {
      await write('a.json', { a: 1, b: 1 });
      const running = start(['db', '--watch', '--timeout', '5'], way.url);
      await expect.poll(() => held(), DEADLINE).toEqual({ a: 1, b: 1 });
      way.cut();
      await write('a.json', { a: 2, c: 2 });
      await expect
        .poll(() => running.events(), DEADLINE)
        .toContainEqual(expect.objectContaining({ event: 'failed', store }));
      await client.store(store).put('a', 'by hand');
      way.mend();
      await expect.poll(() => held(), DEADLINE).toEqual({ a: 2, c: 2 });
    } finally {
      way.close();
    }
  });

  it('never loses sight of a key, whoever else runs under its name', async () => {
    await write('a.json', { a: 1 });
    const running = start(['db', '--watch', '--name', `${store}-name`]);
    await expect.poll(() => held(), DEADLINE).toEqual({ a: 1 });
    await mkdir(at('other'));
    await writeFile(at('other/b.json'), JSON.stringify({ data: [{ key: 'b', value: 1 }] }));
    expect((await sync('other', '--store', store, '--name', `${store}-name`)).code).toBe(0);
    expect(await held()).toEqual({ b: 1 });
    await write('a.json', { a: 1, c: 1 });
    await expect.poll(() => held(), DEADLINE).toEqual({ a: 1, c: 1 });
    await expect
      .poll(async () => (await client.store('skerry-sync').get(`${store}-name/${store}`))?.value, DEADLINE)
      .toEqual({ keys: ['a', 'c'] });
    await expect
      .poll(() => running.events(), DEADLINE)
      .toContainEqual(expect.objectContaining({ event: 'applied', deleted: ['b'] }));
    const noticed = { event: 'failed', reason: expect.stringContaining('another sync named') };
    expect(running.events()).toContainEqual(expect.objectContaining(noticed));
  });

  it('keeps the status of agents in a file', async () => {
    const key = 'check/status/v1/agent';
    await client.store(store).put(key, { state: 1 });
    await write('a.json', { a: 1 });
    const statusOf = async (file: string) => parse(await readFile(at(file), 'utf8').catch(() => ''));
    expect(await sync('db', '--status-path', 'db/status.json')).toMatchObject({ code: 0 });
    const whole = `/vnf-agent/${store}/${key}`;
    expect(await statusOf('db/status.json')).toEqual({ data: [{ key: whole, value: { state: 1 } }] });

    await rm(at('db/status.json'));
    start(['db', '--watch', '--status-path', 'status.yaml']);
    await expect
      .poll(() => statusOf('status.yaml'), DEADLINE)
      .toEqual({ data: [{ key: whole, value: { state: 1 } }] });
    await client.store(store).put(`check/status/v1/plugin/p`, { state: 2 });
    await client.store(store).delete(key);
    await expect
      .poll(() => statusOf('status.yaml'), DEADLINE)
      .toEqual({ data: [{ key: `/vnf-agent/${store}/check/status/v1/plugin/p`, value: { state: 2 } }] });
  });

  it.each([
    ['a folder', 'db', /names a folder/],
    ['another extension', 'status.txt', /ends in \.json, \.yaml, \.yml/],
    ['a folder that is not there', 'none/status.json', /there is no folder/],
  ])('refuses %s for the status', async (_, file, message) => {
    const ended = await sync('db', '--status-path', file);
    expect(ended).toMatchObject({ code: 2, out: '', err: expect.stringMatching(message) });
  });
});
