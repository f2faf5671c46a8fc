import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';

let skerry: Skerry;
let token: string;

beforeAll(async () => {
  skerry = await startSkerry({ traps: 'none', flags: ['--auth'] });
  token = /^ +export SKERRY_TOKEN=(\S+)$/m.exec(skerry.output())?.[1] ?? '';
});

afterAll(async () => {
  await skerry?.stop();
});

it('npm start -- --auth lets in only whom it should, and shows a token once', async () => {
  expect(token).toMatch(/^skt_[\w-]{43}$/);
  expect(skerry.output().split(token)).toHaveLength(2);
  expect(skerry.output()).toContain('closed: asks for a token, such as the one below');
  const shown = /curl -X PUT (\S+) -H "authorization: Bearer \$SKERRY_TOKEN"/.exec(skerry.output())?.[1];
  expect(shown).toBe(`${skerry.url}/api/v1/apps/demo`);
  expect((await connect(skerry.url).put('apps/demo', { config: 1 })).status).toBe(401);
  expect((await connect(skerry.url, token).put('apps/demo', { config: 1 })).status).toBe(201);
});
