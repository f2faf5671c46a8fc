import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connect, expectProblem, type HttpClient } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';

const MAX_HELD = 12;

interface Page {
  readonly resync: {
    readonly items: { key: string; value: unknown; revision: number }[];
    readonly next?: string;
  };
  readonly revision?: number;
  readonly cursor?: string;
}

interface Changes {
  readonly changes: {
    revision: number;
    key: string;
    type: string;
    value: unknown;
    previous: unknown;
    create: boolean;
    scope?: string;
  }[];
  readonly revision?: number;
  readonly cursor?: string;
}

let folder: string;
let skerry: Skerry;
/** Connections that the supervisor has given to the workers by turns. */
let clients: HttpClient[];

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-watch-'));
  await start();
});

afterAll(async () => {
  await skerry?.stop();
  await rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
});

async function start(): Promise<void> {
  skerry = await startSkerry({
    dataFolder: folder,
    flags: ['--workers', '2', '--stale', '200', '--partitions', '4'],
    env: { SKERRY_WATCH_MAX_HELD: String(MAX_HELD) },
  });
  clients = [];
  for (let count = 0; count < 4; count += 1) {
    const client = connect(skerry.url);
    await client.get('apps');
    clients.push(client);
  }
}

describe('a long poll', () => {
  it('begins with a resync and goes on with every change, whichever worker it is asked of and written to', async () => {
    await putApp(0, 'shop', 1);
    const resync = await read<Page>(1, 'watch/app');
    expect(resync.resync.items).toMatchObject([{ key: '/app/shop', value: { config: 1 } }]);

    let revision = resync.revision ?? -1;
    for (let round = 0; round < 6; round += 1) {
      const told = clients.map((_, client) => read<Changes>(client, `watch/app?since=${revision}`));
      await putApp(round, 'shop', `round ${round}`);
      for (const answer of await Promise.all(told)) {
        expect(answer).toMatchObject({
          changes: [{ key: '/app/shop', type: 'put', create: false, revision: revision + 1 }],
          revision: revision + 1,
        });
        expect(answer.changes[0]).toMatchObject({ value: { config: `round ${round}` } });
      }
      revision += 1;
    }
  });

  it('of several scopes goes on from a cursor, whichever worker it is asked of', async () => {
    await register(0, 'web', 'one');
    const resync = await read<Page>(1, 'watch/srv');
    expect(resync.resync.items.map(({ key }) => key)).toEqual(['/srv/web/one']);
    let { cursor } = resync;
    for (let round = 0; round < 4; round += 1) {
      const told = read<Changes>(round, `watch/srv?cursor=${cursor}`);
      await register(round + 1, `other${round}`, 'one');
      const answer = await told;
      expect(answer).toMatchObject({
        changes: [
          { key: `/srv/other${round}/one`, create: true, previous: null, scope: `default:srv:other${round}` },
        ],
      });
      cursor = answer.cursor;
    }
    const all = await read<Changes>(2, `watch?cursor=${resync.cursor}&wait=0`);
    expect(all.changes.map(({ key }) => key).sort()).toEqual(
      [0, 1, 2, 3].map((round) => `/srv/other${round}/one`),
    );
  });

  it('is not woken by neighbours, and says at the end how far it is', async () => {
    await putApp(0, 'quiet', 1);
    const { revision } = await read<Page>(0, 'watch/app/quiet');
    const { cursor } = await read<Page>(0, 'watch/srv');
    const startedAt = Date.now();
    const silent = [
      read<Changes>(0, `watch/app/quiet?since=${revision}&wait=1`),
      read<Changes>(1, `watch/app?since=${revision}&wait=1&type=delete`),
      read<Changes>(2, `watch/srv?cursor=${cursor}&wait=1`),
    ];
    await putApp(3, 'quieter', 1);
    for (const answer of await Promise.all(silent)) {
      expect(answer.changes).toEqual([]);
    }
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1000);
    expect((await silent[0])?.revision).toBe((revision ?? 0) + 1);
  });

  it('pages through a resync, after which nothing is missing and nothing comes twice', async () => {
    for (let count = 0; count < 5; count += 1) {
      await clients[count % 4]?.put(`apps/paged${count}?ns=pages`, { config: 0 });
    }
    const keys: string[] = [];
    let next: string | undefined;
    let revision: number | undefined;
    do {
      const page: Page = await read<Page>(
        0,
        `watch/app?ns=pages&limit=2${next === undefined ? '' : `&after=${next}`}`,
      );
      keys.push(...page.resync.items.map(({ key }) => key));
      await clients[1]?.put(`apps/paged${keys.length % 5}?ns=pages`, { config: keys.length });
      next = page.resync.next;
      revision = page.revision;
    } while (next !== undefined);
    expect(keys).toEqual([0, 1, 2, 3, 4].map((count) => `/app/paged${count}`));
    const { changes } = await read<Changes>(1, `watch/app?ns=pages&since=${revision}`);
    expect(changes.map((change) => change.revision)).toEqual([6, 7, 8]);
  });

  it('refuses what makes no sense, and shows nothing that is not to be seen', async () => {
    const { cursor } = await read<Page>(0, 'watch?ns=pages');
    expectProblem(await get('watch/app?since=1000000'), 400, { field: 'since' });
    expectProblem(await get('watch/srv?since=1'), 400, { field: 'since', fix: expect.any(String) });
    expectProblem(await get('watch/app?since=1&cursor=1'), 400, { field: 'cursor' });
    expectProblem(await get('watch/app?cursor=abc'), 400, { field: 'cursor' });
    expectProblem(await get('watch/app?wait=201&since=0'), 400, { field: 'wait' });
    expectProblem(await get('watch/srv/web/one/two'), 400);
    for (const forged of [
      'abc',
      '~',
      `${cursor}x`,
      forge(cursor, (parts) => [...parts, 1]),
      forge(cursor, wrongToken),
    ]) {
      expectProblem(await get(`watch/srv?cursor=${encodeURIComponent(forged)}&wait=0`), 400, {
        field: 'cursor',
      });
    }
    expectProblem(await get(`watch?cursor=${forge(cursor, otherContainer)}&wait=0`), 410);
    const within = (start: string) => `watch?ns=pages&after=${encode([start, '', ''])}`;
    expectProblem(await get(within(forge(cursor, wrongToken))), 400);
    expectProblem(await get(within(forge(cursor, otherContainer))), 410);
    await clients[0]?.post('subscriptions', { name: 'x', key: '/app', endpoint: 'https://example.org' });
    const [hook, nothing] = [await get('watch/hook'), await get('watch/soup')];
    expectProblem(hook, 404);
    expect(hook.text.replaceAll('hook', '?').replace(/req_\w+/, '')).toBe(
      nothing.text.replaceAll('soup', '?').replace(/req_\w+/, ''),
    );
    const everything = await read<Changes>(0, `watch?cursor=${forge(cursor, fromBeginning)}&wait=0`);
    expect(everything.changes.length).toBeGreaterThan(5);
    expect(
      everything.changes.filter(({ key }) => key.startsWith('/hook') || key.startsWith('/app/paged')),
    ).toEqual([]);
  });

  it('holds only so many, and refuses others with 429', async () => {
    const { revision } = await read<Page>(0, 'watch/app');
    const held = Array.from({ length: 2 * MAX_HELD + 4 }, () =>
      connect(skerry.url).get(`watch/app?since=${revision}&wait=3`),
    );
    const first = await Promise.race(held);
    expectProblem(first, 429);
    expect(Number(first.headers['retry-after'])).toBeGreaterThan(0);
    await putApp(0, 'enough', 1);
    const statuses = (await Promise.all(held)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
  });

  it('goes on after everything was killed', async () => {
    const { revision } = await read<Page>(0, 'watch/app');
    const { cursor } = await read<Page>(0, 'watch');
    await putApp(1, 'survivor', 1);
    const cut = get(`watch/app?since=${(revision ?? 0) + 1}`).catch(() => 'cut off');
    await skerry.kill();
    expect(await cut).toBe('cut off');
    await start();
    await putApp(1, 'survivor', 2);
    const expected = [{ value: { config: 1 } }, { value: { config: 2 }, previous: { config: 1 } }];
    expect(await readTwo('watch/app?since=', revision)).toMatchObject(expected);
    expect(await readTwo('watch?cursor=', cursor)).toMatchObject(expected);
  });
});

/** Two changes, which may come one after the other. */
async function readTwo(target: string, from: string | number | undefined): Promise<Changes['changes']> {
  const first = await read<Changes>(2, `${target}${from}`);
  if (first.changes.length > 1) {
    return first.changes;
  }
  const second = await read<Changes>(3, `${target}${first.revision ?? first.cursor}`);
  return [...first.changes, ...second.changes];
}

describe('an event stream', () => {
  it('begins with a resync, goes on with changes, and ends by itself', async () => {
    await putApp(0, 'streamed', 1);
    const stream = await openStream('watch/app/streamed?wait=2');
    expect(await stream.next()).toMatchObject({
      event: 'resync',
      data: { resync: { items: [{ key: '/app/streamed', value: { config: 1 } }] } },
    });
    await putApp(1, 'streamed', 2);
    await putApp(2, 'other', 2);
    const changes = await stream.next();
    expect(changes).toMatchObject({ event: 'changes', data: { changes: [{ value: { config: 2 } }] } });
    expect(changes?.id).toBe(String(changes?.data.revision));
    expect(await stream.next()).toMatchObject({ event: 'bookmark', id: String(Number(changes?.id) + 1) });
    expect(await stream.next()).toBeUndefined();
    expect(stream.text()).toMatch(/^retry: 1000$/m);
  });

  it('goes on from the last event, in any worker and whatever the query says', async () => {
    const first = await openStream('watch?wait=1');
    const resync = await first.next();
    await putApp(1, 'resumed', 1);
    for (let round = 0; round < 2; round += 1) {
      const stream = await openStream('watch?cursor=nonsense&wait=2', { 'last-event-id': resync?.id ?? '' });
      let event = await stream.next();
      while (event?.event === 'bookmark') {
        event = await stream.next();
      }
      const changes = event?.data.changes;
      expect(changes).toMatchObject([{ key: '/app/resumed', create: true }]);
      stream.close();
    }
    first.close();
  });

  it('pages through a resync, and goes on within it', async () => {
    const keys: string[] = [];
    let id = '';
    for (let round = 0; round < 5; round += 1) {
      const stream = await openStream(
        'watch/app?ns=pages&limit=1&wait=1',
        id === '' ? {} : { 'last-event-id': id },
      );
      const page = await stream.next();
      keys.push(...(page?.data.resync?.items ?? []).map(({ key }) => key));
      id = page?.id ?? '';
      stream.close();
    }
    expect(keys).toEqual([0, 1, 2, 3, 4].map((count) => `/app/paged${count}`));
    expect(id).toMatch(/^\d+$/);
  });

  it('says when history is gone, and other faults before it begins', async () => {
    for (let count = 0; count < 3; count += 1) {
      await clients[0]?.put('kv/past/a', count);
    }
    const compaction = await clients[0]?.post('kv-compact/past', { revision: 2 });
    expect(compaction?.status, compaction?.text).toBe(200);
    const gone = { status: 410, compactedTo: 2, resyncFrom: 3 };
    expectProblem(await get('watch/kv/past?since=0'), 410, gone);
    expect((await read<Changes>(0, 'watch/kv/past?since=2')).changes).toHaveLength(1);
    const stream = await openStream('watch/kv/past?since=0');
    expect(await stream.next()).toMatchObject({ event: 'compacted', data: gone });
    expect(await stream.next()).toBeUndefined();
    const answer = await clients[0]?.get('watch/app?since=100000', { accept: 'text/event-stream' });
    expect(answer?.status).toBe(400);
  });

  it('leaves nothing behind when its client goes away', async () => {
    const streams = await Promise.all(
      Array.from({ length: 3 * MAX_HELD }, () => openStream('watch/app/quiet?wait=2').catch(() => undefined)),
    );
    expect(streams.filter((stream) => stream !== undefined).length).toBeLessThanOrEqual(2 * MAX_HELD);
    for (const stream of streams) {
      stream?.close();
    }
    await vi.waitFor(
      async () => {
        const others = Array.from({ length: MAX_HELD }, () => openStream('watch/app/quiet?wait=0'));
        for (const other of await Promise.allSettled(others)) {
          expect(other.status).toBe('fulfilled');
        }
      },
      { timeout: 45_000, interval: 500 },
    );
  });
});

describe('the end of the process', () => {
  it('ends what is held, so that nobody waits for it', async () => {
    const { revision } = await read<Page>(0, 'watch/app/quiet');
    const held = clients.map((client) => client.get(`watch/app/quiet?since=${revision}&wait=60`));
    const stream = await openStream('watch?wait=60');
    await stream.next();
    const startedAt = Date.now();
    await skerry.stop();
    expect(Date.now() - startedAt).toBeLessThan(9_000);
    for (const answer of await Promise.all(held)) {
      expect(answer.body).toEqual({ changes: [], revision });
    }
    while ((await stream.next()) !== undefined) {}
  });
});

interface Event {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Partial<Page> & Partial<Changes>;
}

/** @throws Error for an answer that is no stream. */
async function openStream(target: string, headers: Record<string, string> = {}) {
  const connection = new AbortController();
  const response = await fetch(`${skerry.url}/api/v1/${target}`, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: connection.signal,
  });
  if (response.status !== 200 || response.body === null) {
    connection.abort();
    throw new Error(`There is no stream, but ${response.status}.`);
  }
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  let read = 0;
  const chunks = response.body.pipeThrough(new TextDecoderStream()).getReader();
  return {
    text: () => text,
    close: () => connection.abort(),
    /** The next event; undefined at the end of the stream. */
    async next(): Promise<Event | undefined> {
      for (;;) {
        const end = text.indexOf('\n\n', read);
        if (end === -1) {
          const { done, value } = await chunks.read();
          if (done) {
            return undefined;
          }
          text += value;
          continue;
        }
        const lines = text.slice(read, end).split('\n');
        read = end + 2;
        const field = (name: string) =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        const event = field('event');
        if (event !== undefined) {
          return { event, id: field('id'), data: JSON.parse(field('data') ?? '') };
        }
      }
    },
  };
}

async function get(target: string) {
  return await (clients[0] as HttpClient).get(target);
}

async function read<Body>(client: number, target: string): Promise<Body> {
  const answer = await (clients[client % clients.length] as HttpClient).get(target);
  expect(answer.status, answer.text).toBe(200);
  return answer.body as Body;
}

async function putApp(client: number, name: string, config: unknown): Promise<void> {
  const answer = await clients[client % clients.length]?.put(`apps/${name}`, { config });
  expect(answer?.status, answer?.text).toBeLessThan(300);
}

async function register(client: number, service: string, id: string): Promise<void> {
  const instance = { endpoints: { http: 'http://127.0.0.1:1' } };
  const answer = await clients[client % clients.length]?.put(`services/${service}/instances/${id}`, instance);
  expect(answer?.status, answer?.text).toBeLessThan(300);
}

function forge(cursor: string | undefined, change: (parts: unknown[]) => unknown): string {
  const parts = JSON.parse(Buffer.from(cursor ?? '', 'base64url').toString()) as unknown[];
  return encode(change(parts));
}

function encode(parts: unknown): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function wrongToken(parts: unknown[]): unknown {
  return withTokens(parts, 'abc');
}

function fromBeginning(parts: unknown[]): unknown {
  return withTokens(parts, '"0"');
}

function withTokens([version, container, time, ranges]: unknown[], token: string): unknown {
  const forged = (ranges as string[]).map((part, index) => (index % 2 === 1 ? token : part));
  return [version, container, time, forged];
}

function otherContainer([version, _, ...others]: unknown[]): unknown {
  return [version, 'AQAAAIAAAAX=', ...others];
}
