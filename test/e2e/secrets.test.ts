import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { runInProcess } from './command-line.ts';
import { type HookReceiver, startHookReceiver } from './hook-receiver.ts';
import { type Answer, connect, type HttpClient } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';

/** What is searched for in everything that comes out of Skerry, or stays in it. */
const CORE = `s3cr3t${randomBytes(15).toString('hex')}`;
const SECRET = `"<${CORE}>\\\n&é`;
/** Stands beside each secret, to show that it would have been found. */
const PLAIN = `pl41n${randomBytes(15).toString('hex')}`;

let folder: string;
let skerry: Skerry;
let hooks: HookReceiver;
let api: HttpClient;
/** Texts that came out, each with where it was from; but for those that are to hold the secret. */
const seen: { from: string; text: string }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'skerry-secrets-'));
  [skerry, hooks] = await Promise.all([
    startSkerry({
      dataFolder: path.join(folder, 'data'),
      traps: 'strict',
      env: { SKERRY_WEBHOOK_ALLOW_PRIVATE: 'true' },
    }),
    startHookReceiver(),
  ]);
  const client = connect(skerry.url);
  api = {
    ...client,
    async send(...call) {
      const answer = await client.send(...call);
      seen.push({
        from: `${call[0]} ${call[1].replaceAll(CORE, '…')}`,
        text: `${JSON.stringify(answer.headers)} ${answer.text}`,
      });
      return answer;
    },
    get: (at, headers = {}) => api.send('GET', at, { headers }),
    put: (at, body, headers = {}) => api.send('PUT', at, { body, headers }),
    post: (at, body) => api.send('POST', at, { body }),
    delete: (at, headers = {}) => api.send('DELETE', at, { headers }),
  };
});

afterAll(async () => {
  await Promise.all([skerry?.stop(), hooks?.stop()]);
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** Each way in which a text could lie in others. */
function formsOf(text: string): string[] {
  const bytes = Buffer.from(text);
  const base64 = ['', 'x', 'xx'].map((before) =>
    // Without what the characters before and behind have part in.
    Buffer.from(before + text)
      .toString('base64')
      .slice(before === '' ? 0 : 4)
      .replace(/=+$/, '')
      .slice(0, -2),
  );
  const hex = bytes.toString('hex');
  return [text, ...base64, hex, hex.toUpperCase(), [...text].reverse().join(''), bytes.toString('utf16le')];
}

function isIn(text: string, marker: string): boolean {
  return formsOf(marker).some((form) => text.includes(form));
}

async function skerryCommand(input: string | undefined, ...words: string[]) {
  const ended = await runInProcess(words, { url: skerry.url, folder, ...(input !== undefined && { input }) });
  if (!words.includes('--secrets'))
    seen.push({ from: words.slice(0, 2).join(' '), text: ended.out + ended.err });
  return ended;
}

function refused(answer: Answer): void {
  expect([400, 422], answer.text).toContain(answer.status);
}

const config = (secret: unknown) => ({ plain: PLAIN, db: [{ password: { $secret: secret } }] });

it('a secret is in nothing that comes out of Skerry or stays in it, but for who may see it', async () => {
  const hook = { name: 'all', endpoint: `${hooks.url}/all`, key: '/app' };
  expect((await api.post('subscriptions', hook)).status).toBe(201);

  const stored = await api.put('apps/shop', { config: config(SECRET) });
  expect(stored.status).toBe(201);
  expect((await api.put('apps/shop', { config: config(SECRET) })).body).toEqual(stored.body);
  expect(
    (await api.put('/app/legacy', { name: 'legacy', config: config(SECRET), other: PLAIN })).status,
  ).toBe(200);

  const schema = {
    properties: { db: { items: { properties: { password: { type: 'object', required: ['a'] } } } } },
  };
  for (const rule of [
    'maxLength',
    'minimum',
    'const',
    'enum',
    'pattern',
    'additionalProperties',
    'propertyNames',
  ]) {
    const value = {
      maxLength: 1,
      minimum: 1,
      const: 1,
      enum: [1],
      pattern: '^$',
      additionalProperties: false,
      propertyNames: false,
    }[rule];
    for (const secret of [SECRET, { [CORE]: CORE }, [CORE]]) {
      const password = { type: typeof secret === 'string' ? 'string' : 'object', [rule]: value };
      const strict = { properties: { db: { items: { properties: { password } } } } };
      const answer = await api.put('apps/faulty', { config: config(secret), schema: strict });
      expect([201, 200, 422]).toContain(answer.status);
    }
  }
  expect((await api.put('apps/strict', { config: config({ a: 1 }), schema })).status).toBe(201);
  refused(await api.put('/app/strict', { name: 'strict', config: config(SECRET) }));
  refused(await api.put('apps/bad', { config: { a: { $secret: SECRET, other: SECRET } } }));
  refused(await api.put('apps/bad', { config: { a: { $secret: { b: { $secret: SECRET } } } } }));
  refused(await api.put('apps/bad', { config: 1, extra: { a: { $secret: SECRET } } }));
  refused(await api.put('/app/bad', { name: 'bad', config: 1, password: { $secret: SECRET } }));
  refused(await api.put('apps/other', { config: (stored.body as { config: unknown }).config }));
  const broken = `{"config": {"a": {"$secret": "${CORE}"}`;
  expect((await api.send('PUT', 'apps/bad', { body: broken })).status).toBe(400);
  expect((await api.send('PUT', 'apps/bad', { body: { conf: { $secret: SECRET } } })).status).toBe(400);
  const action = { name: 'write', executor: 'config', command: { apps: { shop: config(SECRET) } } };
  refused(await api.put('templates/t', { name: 'T', actions: [action], resources: [] }));

  expect(await skerryCommand(`${CORE}2\n`, 'app', 'set-secret', 'shop', '/db/0/password')).toMatchObject({
    code: 0,
  });
  expect(
    await skerryCommand(undefined, 'app', 'put', 'argument', JSON.stringify(config(SECRET))),
  ).toMatchObject({
    code: 0,
    err: expect.stringContaining('set-secret'),
  });
  for (const words of [
    ['app', 'get', 'shop'],
    ['app', 'list'],
    ['app', 'reseal'],
    ['history', 'app/shop'],
    ['search', CORE],
  ]) {
    await skerryCommand(undefined, ...words);
  }
  const shown = await skerryCommand(undefined, 'app', 'get', 'shop', '--secrets');
  expect(shown.json).toEqual({ plain: PLAIN, db: [{ password: `${CORE}2` }] });
  expect(await api.post('restore', { key: '/app/shop', revision: 1 })).toMatchObject({ status: 200 });
  const revealed = await connect(skerry.url).get('apps/shop?secrets=true');
  expect(revealed).toMatchObject({
    headers: { 'cache-control': 'no-store' },
    body: { config: { db: [{ password: SECRET }] } },
  });

  for (const at of [
    'apps',
    'apps/shop',
    '/app',
    '/app/legacy',
    'watch/app',
    'watch/app?since=0&wait=0',
    'history/app',
    'subscriptions',
  ]) {
    expect((await api.get(at)).status, at).toBe(200);
  }
  const found = await api.get(`search?q=${CORE}`);
  expect(found.body).toMatchObject({ items: [] });
  await vi.waitUntil(() => hooks.received('/all').length >= 6, { timeout: 45_000, interval: 50 });
  seen.push({ from: 'webhooks', text: JSON.stringify(hooks.received('/all')) });

  await skerry.stop();
  seen.push({ from: 'the output of the process', text: skerry.output() });
  for (const file of await readdir(path.join(folder, 'data'), { recursive: true, withFileTypes: true })) {
    if (!file.isFile()) continue;
    seen.push({ from: file.name, text: await readFile(path.join(file.parentPath, file.name), 'latin1') });
  }
  expect(seen.filter(({ text }) => isIn(text, CORE)).map(({ from }) => from)).toEqual([]);
  const withPlain = new Set(seen.filter(({ text }) => isIn(text, PLAIN)).map(({ from }) => from));
  expect([...withPlain]).toEqual(
    expect.arrayContaining(
      [
        'PUT apps/shop',
        'PUT /app/legacy',
        'app get',
        'app list',
        'history app/shop',
        'GET apps',
        'GET /app',
      ].concat(['GET watch/app', 'GET watch/app?since=0&wait=0', 'GET history/app', 'webhooks', 'data.mdb']),
    ),
  );
});
