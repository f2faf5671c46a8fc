import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandOptions, runInProcess } from './command-line.ts';
import { readGuide } from './guide.ts';
import { type Answer, connect } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';

let skerry: Skerry;
let token: string;

beforeAll(async () => {
  skerry = await startSkerry({
    traps: 'none',
    flags: ['--auth', '--workers', '1'],
    env: {
      SKERRY_RATE_LIMIT: '40',
      SKERRY_WATCH_MAX_HELD_PER_CALLER: '1',
      SKERRY_CORS_ORIGINS: 'https://console.example',
    },
  });
  token = /^ +export SKERRY_TOKEN=(\S+)$/m.exec(skerry.output())?.[1] ?? '';
});

afterAll(async () => {
  await skerry?.stop();
});

function run(words: readonly string[], holder?: string) {
  const env: CommandOptions['env'] = holder === undefined ? {} : { SKERRY_TOKEN: holder };
  return runInProcess(words, { url: skerry.url, folder: tmpdir(), env });
}

it('npm start -- --auth lets in only whom it should, and shows a token once', async () => {
  expect(token).toMatch(/^skt_[\w-]{43}$/);
  expect(skerry.output().split(token)).toHaveLength(2);
  expect(skerry.output()).toContain('closed: asks for a token, such as the one below');
  const shown = /curl -X PUT (\S+) -H "authorization: Bearer \$SKERRY_TOKEN"/.exec(skerry.output())?.[1];
  expect(shown).toBe(`${skerry.url}/api/v1/apps/demo`);
  expect((await connect(skerry.url).put('apps/demo', { config: 1 })).status).toBe(401);
  expect((await connect(skerry.url, token).put('apps/demo', { config: 1 })).status).toBe(201);
});

it('skerry makes roles and tokens, tells what one may do, and takes them back', async () => {
  const role = '{"description":"Keeps the shop","allow":[{"verbs":["read","write"],"keys":"/app/shop"}]}';
  expect(await run(['role', 'put', 'keeper', role], token)).toMatchObject({ code: 0 });
  expect((await run(['role', 'list'], token)).out).toMatch(/^keeper +no +- +Keeps the shop$/m);
  expect((await run(['role', 'get', 'keeper'], token)).out).toContain('may read, write /app/shop');

  const made = await run(['token', 'create', 'shop', '--role', 'keeper', '--days', '1'], token);
  expect(made).toMatchObject({
    code: 0,
    err: expect.stringMatching(/^tok_\w{16} \(keeper in all namespaces\) is shown this once/),
  });
  const held = made.out.trim();
  const [id = ''] = made.err.split(' ');
  expect(await run(['app', 'put', 'shop', '1'], held)).toMatchObject({ code: 0 });
  expect((await run(['whoami'], held)).out).toMatch(
    new RegExp(`^actor +token:${id}\\nroles +keeper\\n(.*\\n)*may read, write /app/shop$`, 'm'),
  );
  // It may read what it may not delete, and hears nothing of anything else.
  expect(await run(['app', 'delete', 'shop'], held)).toMatchObject({
    code: 1,
    err: expect.stringContaining('"skerry whoami" shows who you are'),
  });
  expect(await run(['app', 'get', 'demo'], held)).toMatchObject({ code: 3 });
  expect(await run(['app', 'list'], held)).toMatchObject({
    code: 3,
    err: expect.stringContaining('Or you may not see it: "skerry whoami"'),
  });

  expect((await run(['token', 'list'], token)).out).toContain(`${id}  shop`);
  expect(await run(['token', 'revoke', id], token)).toMatchObject({ code: 0, out: `revoked ${id}\n` });
  expect(await run(['token', 'revoke', id], token)).toMatchObject({ code: 3 });
  for (const nobody of [held, undefined]) {
    expect(await run(['app', 'get', 'shop'], nobody)).toMatchObject({
      code: 1,
      err: expect.stringContaining('Set SKERRY_TOKEN to a token that holds'),
    });
  }
  expect(await run(['role', 'delete', 'keeper'], token)).toMatchObject({ code: 0 });
  expect(await run(['role', 'get', 'keeper'], token)).toMatchObject({ code: 3 });
});

it('docs/access.md has examples that work', async () => {
  const lines = (await readGuide('access.md')).blocks('sh').join('\n');
  const script = `set -e\ncurl() { command curl -sS --fail-with-body "$@"; }\n${lines}`;
  const env = { PATH: process.env.PATH, SKERRY_URL: skerry.url, SKERRY_TOKEN: token };
  const { stdout } = await promisify(execFile)('sh', ['-c', script], { env });
  expect(
    stdout
      .trim()
      .split('\n')
      .map((answer) => JSON.parse(answer)),
  ).toMatchObject([
    { name: 'shop-team', members: [expect.any(String), expect.any(String)] },
    { roles: ['agent:shop'], token: expect.stringMatching(/^skt_/) },
  ]);
});

it('skerry token create --bootstrap needs no server, and names both settings', async () => {
  const { code, json } = await run(['token', 'create', '--bootstrap', '--json']);
  expect({ code, json }).toEqual({
    code: 0,
    json: { token: expect.stringMatching(/^skt_[\w-]{43}$/), sha256: expect.stringMatching(/^[\da-f]{64}$/) },
  });
});

it('says who could not sign in, and who may hear of it', async () => {
  const address = 'address:127.0.0.1';
  expect((await connect(skerry.url, 'skt_wrong').get('apps/demo')).status).toBe(401);
  const audit = connect(skerry.url, token);
  const failures = async () => (await audit.get(`audit?kind=sign-in-failure&actor=${address}`)).body;
  await expect.poll(failures, { interval: 300 }).toMatchObject({
    entries: expect.arrayContaining([
      expect.objectContaining({ endpoint: 'putApp', isFaulty: false }),
      expect.objectContaining({ endpoint: 'getApp', isFaulty: true }),
    ]),
  });
  expect(JSON.stringify(await failures())).not.toContain('skt_wrong');
  expect((await audit.get('audit?kind=change&key=/app/demo')).body).toMatchObject({
    entries: [{ actor: 'token:bootstrap', key: '/app/demo' }],
  });
  expect((await connect(skerry.url).get('audit')).status).toBe(401);
  // As a command that has flags of its own beside those of all.
  const told = await run([
    'audit',
    '--token',
    token,
    '--since',
    '1h',
    '--kind',
    'change',
    '--key',
    '/app/demo',
    '--json',
  ]);
  expect(told).toMatchObject({ code: 0, json: { actor: 'token:bootstrap', key: '/app/demo' } });
});

it('answers pages of the origins that are named, and limits what one caller holds and who guesses', async () => {
  const preflight = await connect(skerry.url).send('OPTIONS', 'apps/demo', {
    headers: { origin: 'https://console.example', 'access-control-request-method': 'PUT' },
  });
  expect(preflight).toMatchObject({
    status: 204,
    headers: { 'access-control-allow-origin': 'https://console.example' },
  });
  const answers: Answer[] = [];
  const watches = [1, 2, 3].map(async () =>
    answers.push(await connect(skerry.url, token).get('watch/kv/quiet?since=0&wait=60')),
  );
  await expect.poll(() => answers.map(({ status }) => status)).toEqual([429, 429]);
  expect(answers[0]?.headers).toMatchObject({
    'retry-after': '5',
    'ratelimit-policy': '"watches";q=1;qu="concurrent-requests"',
    ratelimit: '"watches";r=0',
  });
  expect((await connect(skerry.url, token).put('kv/quiet/a', {})).status).toBe(201);
  await Promise.all(watches);
  expect(answers[2]?.status).toBe(200);
  // More than come back meanwhile, however long they take.
  const guesses = await Promise.all(
    Array.from({ length: 60 }, (_, guess) => connect(skerry.url, `skt_${guess}`).get('apps/demo')),
  );
  const refused = guesses.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]?.headers).toMatchObject({ 'ratelimit-policy': '"signin";q=8;w=2' });
  expect((await connect(skerry.url, token).get('apps/demo')).status).toBe(200);
});
