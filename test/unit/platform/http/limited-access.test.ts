import { beforeEach, expect, it } from 'vitest';
import { SkerryError } from '../../../../shared/platform/errors.ts';
import { addressBlock } from '../../../../shared/platform/http/address-block.ts';
import {
  type AccessControl,
  defineEndpoint,
  json,
  LimitedAccess,
  text,
  unrestricted,
} from '../../../../shared/platform/http/index.ts';
import { type Call, caller, problemOf } from './call.ts';

const endpoint = defineEndpoint<object>();
let looked: string[];

const endpoints = [
  endpoint({
    name: 'read',
    method: 'GET',
    route: 'things',
    summary: 'Reads',
    access: { verb: 'read', keys: '/' },
    responses: {},
    handle: ({ caller: { maker } }) => json(200, maker),
  }),
  endpoint({
    name: 'legacy',
    method: 'GET',
    route: 'legacy',
    summary: 'Reads',
    surface: 'legacy',
    access: { verb: 'read', keys: '/', legacy: true },
    responses: {},
    handle: () => text(200, 'yes'),
  }),
  endpoint({
    name: 'probe',
    method: 'GET',
    route: 'health',
    summary: 'Tells',
    access: 'open',
    responses: {},
    handle: () => text(200, 'well'),
  }),
  endpoint({
    name: 'link',
    method: 'GET',
    route: 'links/{token}',
    summary: 'Tells',
    access: 'open',
    responses: {},
    handle: () => text(200, 'yes'),
  }),
];

/** Knows tokens that begin with `good`, also behind a prefix. */
const access: AccessControl = {
  isOffered: () => true,
  async admit(wanted, { headers, clientAddress }) {
    if (wanted === 'open') return unrestricted('anonymous');
    if (typeof wanted === 'object' && wanted.legacy) return unrestricted(`address:${clientAddress}`);
    const shown = headers.get('authorization') ?? '';
    looked.push(shown);
    if (!/^Bearer (?:skt_|eyJ\.)?good/.test(shown)) throw new SkerryError('unauthorized', 'Who are you?');
    return unrestricted(`token:${shown}`);
  },
};

let now: number;
let call: (
  path: string,
  from?: { token?: string; address?: string },
) => Promise<{
  status: number;
  headers: Readonly<Record<string, string>>;
  text: string;
  logged: readonly unknown[];
}>;

beforeEach(() => {
  now = 1_700_000_000_000;
  looked = [];
  const limitedAccess = new LimitedAccess(access, 10, { now: () => now, sleep: async () => {} });
  const send = caller(endpoints, { access, limitedAccess });
  call = (path, { token, address = '192.0.2.1' } = {}) => {
    const headers: Call['headers'] = {
      'x-forwarded-for': address,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    return send(path.replace(/^links\/.*/, 'links/{token}'), `/${path}`, { headers });
  };
});

async function statuses(count: number, ...[path, from]: Parameters<typeof call>): Promise<number[]> {
  const answers = [];
  for (let sent = 0; sent < count; sent += 1) answers.push((await call(path, from)).status);
  return answers;
}

it('a caller may make requests for two seconds at once, then as many as flow in, wherever they come from', async () => {
  expect(new Set(await statuses(20, 'things', { token: 'good1' }))).toEqual(new Set([200]));
  const refused = await call('things', { token: 'good1', address: '192.0.2.2' });
  expect(refused).toMatchObject({
    status: 429,
    headers: {
      'Retry-After': '1',
      RateLimit: '"caller";r=0;t=1',
      'RateLimit-Policy': '"caller";q=20;w=2',
      'Content-Type': 'application/problem+json',
    },
    logged: [],
  });
  expect(problemOf(refused)).toMatchObject({ status: 429, fix: expect.stringContaining('Retry-After') });
  expect((await call('things', { token: 'good2' })).status).toBe(200);
  now += 100;
  expect(await statuses(2, 'things', { token: 'good1' })).toEqual([200, 429]);
});

it('who has no credentials is limited by address, on legacy surfaces in their form, and after refusals too', async () => {
  await statuses(20, 'legacy');
  const refused = await call('legacy');
  expect(refused).toMatchObject({ status: 429, headers: { 'Retry-After': '1' } });
  expect(refused.headers['Content-Type']).toContain('text/plain');
  expect((await call('legacy', { address: '192.0.2.2' })).status).toBe(200);
  expect((await statuses(21, 'things', { address: '192.0.2.3' })).slice(-2)).toEqual([401, 429]);
  expect((await statuses(21, 'links/x', { address: '192.0.2.4' })).slice(-2)).toEqual([200, 429]);
});

it('probes are always answered', async () => {
  expect(new Set(await statuses(50, 'health'))).toEqual(new Set([200]));
});

it('an address that guesses is soon not listened to, while its neighbours go on', async () => {
  expect((await call('things', { token: 'good1' })).status).toBe(200);
  expect(await statuses(4, 'things', { token: 'bad' })).toEqual([401, 401, 429, 429]);
  looked = [];
  const refused = await call('things', { token: 'good-guess' });
  expect(refused).toMatchObject({ status: 429, headers: { 'RateLimit-Policy': '"signin";q=2;w=2' } });
  expect(looked).toEqual([]);
  expect((await call('things', { token: 'good1' })).status).toBe(200);
  expect((await call('things', { token: 'good-guess', address: '192.0.2.2' })).status).toBe(200);
  now += 1000;
  expect((await call('things', { token: 'good3' })).status).toBe(200);
});

it('who guesses keeps nobody out whose credentials cannot be guessed', async () => {
  const unguessable = `good${'x'.repeat(39)}`;
  expect(await statuses(3, 'things', { token: 'bad' })).toEqual([401, 401, 429]);
  expect((await call('things', { token: `skt_${unguessable}` })).status).toBe(200);
  expect((await call('things', { token: `eyJ.${unguessable}.x` })).status).toBe(200);
  const wrong = { token: `skt_${'x'.repeat(43)}` };
  expect(await statuses(2, 'things', wrong)).toEqual([429, 429]);
});

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['2001:db8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
  ['2001:DB8:0000:1::', '2001:db8:0:1::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['nonsense', 'nonsense'],
])('%s counts as %s', (address, block) => {
  expect(addressBlock(address)).toBe(block);
});
