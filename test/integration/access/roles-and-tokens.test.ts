import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { composeServices } from '../../../functions/services.ts';
import { AccessDirectory, LastUses } from '../../../shared/access/index.ts';
import type { Caller } from '../../../shared/platform/http/index.ts';
import { type Api, startApi } from '../api-fixture.ts';
import { BOOTSTRAP_TOKEN, GUARDED } from './guarded-api.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi({}, GUARDED);
});

afterAll(async () => {
  await api.stop();
});

async function call(method: string, path: string, body?: unknown, token = BOOTSTRAP_TOKEN, headers = {}) {
  return await api.call(method, path, body, { authorization: `Bearer ${token}`, ...headers });
}

async function newToken(
  roles: unknown,
  more: object = {},
  by = BOOTSTRAP_TOKEN,
): Promise<{ id: string; token: string }> {
  const answer = await call('POST', '/tokens', { name: 'test', roles, ...more }, by);
  expect(answer, JSON.stringify(answer.json)).toMatchObject({ status: 201 });
  return answer.json;
}

describe('a token', () => {
  it('is shown once, works at once, and is worth nothing once it is revoked', async () => {
    const made = await call('POST', '/tokens', { name: 'ci', roles: ['publisher'] });
    expect(made).toMatchObject({
      status: 201,
      headers: { Location: `http://skerry.test/api/v1/tokens/${made.json.id}`, 'Cache-Control': 'no-store' },
      json: { name: 'ci', roles: ['publisher'], ns: ['*'], createdBy: 'token:bootstrap' },
    });
    const { id, token } = made.json;
    expect(token).toMatch(/^skt_[\w-]{43}$/);
    expect(id).toBe(`tok_${createHash('sha256').update(token).digest('hex').slice(0, 16)}`);
    expect((await call('PUT', '/apps/dm', { config: 1 }, token)).status).toBe(201);
    expect(await call('GET', '/whoami', undefined, token)).toMatchObject({
      json: { actor: `token:${id}`, roles: ['publisher'], ns: ['*'] },
    });

    const shown = await call('GET', `/tokens/${id}`);
    const listed = await call('GET', '/tokens?limit=1');
    const stored = JSON.stringify([shown.json, listed.json]);
    expect(shown).toMatchObject({ status: 200, json: { id, name: 'ci' } });
    expect(stored).not.toContain(token);
    expect(stored).not.toContain(createHash('sha256').update(token).digest('hex'));

    expect((await call('DELETE', `/tokens/${id}`)).status).toBe(204);
    expect((await call('GET', '/apps/dm', undefined, token)).status).toBe(401);
    expect((await call('GET', `/tokens/${id}`)).status).toBe(404);
    expect((await call('DELETE', `/tokens/${id}`)).status).toBe(404);
  });

  it('ends when it says', async () => {
    const past = await call('POST', '/tokens', {
      name: 'x',
      roles: ['viewer'],
      expiresAt: '2020-01-01T00:00:00Z',
    });
    expect(past).toMatchObject({ status: 400, json: { field: 'expiresAt' } });
    const end = Date.now() + 3_600_000;
    const expiresAt = new Date(end).toISOString();
    const { id, token } = await newToken(['viewer'], { expiresAt });
    const now = vi.spyOn(api.services.clock, 'now');
    try {
      now.mockReturnValue(end - 1);
      expect((await call('GET', '/whoami', undefined, token)).json).toMatchObject({ expiresAt });
      now.mockReturnValue(end);
      expect((await call('GET', '/whoami', undefined, token)).status).toBe(401);
      expect((await call('GET', `/tokens/${id}`)).status).toBe(404);
    } finally {
      now.mockRestore();
    }
  });

  it('reads on in no audit that it began to read, once it is revoked', async () => {
    const { id, token } = await newToken(['viewer']);
    const page = vi.spyOn(api.services.audit, 'page').mockImplementationOnce(async () => {
      await call('DELETE', `/tokens/${id}`);
      return { entries: [], next: 'the second page' };
    });
    const answer = await call('GET', '/audit', undefined, token, { accept: 'application/x-ndjson' });
    expect(answer.status).toBe(404);
    expect(page).toHaveBeenCalledOnce();
    page.mockRestore();
  });

  it('gets no leadership that it waited for, once it is revoked', async () => {
    const campaign = async (token: string, candidate: string) =>
      await call('POST', '/elections/main/campaign', { candidate, ttl: 60, wait: 100 }, token);
    const leader = await campaign(BOOTSTRAP_TOKEN, 'first');
    const { id, token } = await newToken(['operator']);
    const waiting = campaign(token, 'second');
    await expect.poll(() => api.services.watches.held).toBe(1);
    await call('DELETE', `/tokens/${id}`);
    expect((await call('DELETE', `/elections/main?token=${leader.json.token}`)).status).toBe(204);
    expect((await waiting).status).toBe(404);
    expect((await call('GET', '/elections/main')).status).toBe(404);
  });

  it('needs roles that there are', async () => {
    expect((await call('POST', '/tokens', { name: 'x', roles: ['nothing'] })).status).toBe(422);
    for (const roles of [[], ['a:b:c'], ['a/b'], [''], ['group:g']]) {
      expect((await call('POST', '/tokens', { name: 'x', roles })).status).toBe(400);
    }
  });

  it('shows when it was last used, which no request waits for', async () => {
    const { id, token } = await newToken(['viewer']);
    expect((await call('GET', `/tokens/${id}`)).json).not.toHaveProperty('lastUsedAt');
    const before = Date.now();
    await call('GET', '/whoami', undefined, token);
    await expect
      .poll(async () => Date.parse((await call('GET', `/tokens/${id}`)).json.lastUsedAt))
      .toBeGreaterThanOrEqual(before);
  });

  it('has its use written once in five minutes, by all processes together', async () => {
    let now = Date.now();
    const clock = { now: () => now, sleep: async () => {} };
    const written: number[] = [];
    const { leases } = api.services as unknown as { leases: ConstructorParameters<typeof LastUses>[0] };
    const counted = {
      read: leases.read.bind(leases),
      remove: leases.remove.bind(leases),
      lookAtAll: leases.lookAtAll.bind(leases),
      write: async (...call: Parameters<typeof leases.write>) => {
        const stored = await leases.write(...call);
        written.push(call[1].renewedAt);
        return stored;
      },
    };
    const [one, other] = [new LastUses(counted, clock), new LastUses(counted, clock)];
    one.note('tok_1', undefined);
    one.note('tok_1', undefined);
    await expect.poll(() => written).toEqual([now]);
    other.note('tok_1', undefined);
    now += 5 * 60 * 1000;
    other.note('tok_1', undefined);
    await expect.poll(() => written.length).toBe(2);
    expect(written).toEqual([now - 5 * 60 * 1000, now]);
  });
});

describe('in other processes', () => {
  it('what was granted or revoked counts within five seconds', async () => {
    const other = composeServices(api.settings);
    let now = Date.now();
    const directory = new AccessDirectory({
      records: other.records,
      clock: { now: () => now, sleep: async () => {} },
    });
    const { id } = await newToken(['viewer']);
    expect((await directory.current()).token(id)).toBeDefined();
    await call('DELETE', `/tokens/${id}`);
    now += 5_000;
    expect((await directory.current()).token(id)).toBeUndefined();
    const { id: next } = await newToken(['viewer']);
    now += 5_000;
    const [one, another] = await Promise.all([directory.current(), directory.current()]);
    expect(one.token(next)).toBeDefined();
    expect(another).toBe(one);
    other.database.client.dispose();
  });
});

describe('roles', () => {
  const reads = (keys: string | string[], ns?: string) => ({
    allow: [{ verbs: 'read', keys, ...(ns && { ns }) }],
  });

  it('can be made, changed and removed, with effect on all who have them', async () => {
    const made = await call('PUT', '/roles/team', { description: 'Ours.', ...reads('/app/team') });
    expect(made).toMatchObject({
      status: 201,
      json: { name: 'team', isBuiltIn: false, allow: [{ verbs: ['read'], keys: ['/app/team'], ns: ['*'] }] },
    });
    const { token } = await newToken(['team']);
    const read = async () => (await call('GET', '/apps/team', undefined, token)).status;
    await call('PUT', '/apps/team', { config: 1 });
    expect(await read()).toBe(200);
    const stale = { 'if-match': '"1"' };
    expect((await call('PUT', '/roles/team', reads('/app/other'), BOOTSTRAP_TOKEN, stale)).status).toBe(412);
    expect((await call('PUT', '/roles/team', reads('/app/other'))).status).toBe(200);
    expect(await read()).toBe(404);
    expect((await call('PUT', '/roles/team', reads('/app/t*m'))).status).toBe(200);
    expect(await read()).toBe(200);
    const named = { role: 'team', ...reads('/app/t*m') };
    expect(await call('PUT', '/roles/team', named)).toMatchObject({ status: 200, json: { name: 'team' } });
    const elsewhere = await call('PUT', '/roles/team', { ...named, role: 'other' });
    expect(elsewhere).toMatchObject({ status: 400, json: { field: 'role' } });
    expect((await call('DELETE', '/roles/team')).status).toBe(204);
    expect(await read()).toBe(404);
    expect((await call('GET', '/roles/team')).status).toBe(404);
  });

  it('that are built in stay as they are', async () => {
    expect(await call('GET', '/roles/viewer')).toMatchObject({ status: 200, json: { isBuiltIn: true } });
    expect((await call('PUT', '/roles/viewer', reads('/'))).status).toBe(409);
    expect((await call('DELETE', '/roles/admin')).status).toBe(409);
    const { json } = await call('GET', '/roles');
    expect(json.items.map(({ name }: { name: string }) => name).slice(0, 5)).toEqual([
      'viewer',
      'publisher',
      'agent',
      'operator',
      'admin',
    ]);
  });

  it.each([
    [{ allow: [] }],
    [{ allow: [{ verbs: 'fly', keys: '/' }] }],
    [reads('app')],
    [reads('/app/')],
    [reads('/app//x')],
    [reads('/app', 'a/b')],
    [{ ...reads('/app'), members: ['nobody'] }],
    [{ ...reads('/app'), members: ['address:somewhere'] }],
  ])('that say %j are refused', async (role) => {
    expect((await call('PUT', '/roles/odd', role)).status).toBe(400);
  });

  it('cannot be called as groups are', async () => {
    expect((await call('PUT', '/roles/group', reads('/app'))).status).toBe(400);
  });
});

describe('nobody', () => {
  it('sees roles or tokens, or makes any, who does not administrate them', async () => {
    const { id, token } = await newToken(['operator']);
    for (const [method, path] of [
      ['GET', '/tokens'],
      ['POST', '/tokens'],
      ['GET', `/tokens/${id}`],
      ['DELETE', `/tokens/${id}`],
      ['GET', '/roles'],
      ['PUT', '/roles/mine'],
    ] as const) {
      const body =
        path === '/tokens' ? { name: 'x', roles: ['viewer'] } : { allow: [{ verbs: 'read', keys: '/' }] };
      const sent = method === 'GET' || method === 'DELETE' ? undefined : body;
      expect((await call(method, path, sent, token)).status, `${method} ${path}`).toBe(403);
    }
  });

  it('grants what they do not have', async () => {
    const allow = [
      { verbs: 'admin', keys: '/access' },
      { verbs: ['read', 'list'], keys: ['/app', '/srv/web-*'], ns: ['team-*', 'default'] },
    ];
    await call('PUT', '/roles/deputy', { allow });
    const { token } = await newToken(['deputy']);
    const grant = async (rule: object) =>
      (await call('PUT', '/roles/granted', { allow: [rule] }, token)).status;
    expect(await grant({ verbs: 'read', keys: '/app/dm', ns: 'team-a' })).toBe(201);
    expect(await grant({ verbs: ['list', 'read'], keys: ['/app/*/x', '/srv/web-1'], ns: 'team-*' })).toBe(
      200,
    );
    expect(await grant({ verbs: 'read', keys: '/srv/web*', ns: 'team-*' })).toBe(403);
    expect(await grant({ verbs: 'read', keys: '/srv/${service}', ns: 'team-*' })).toBe(403);
    expect(await grant({ verbs: 'read', keys: '/app', ns: '*' })).toBe(403);
    expect(await grant({ verbs: ['read', 'write'], keys: '/app', ns: 'default' })).toBe(403);

    const give = async (roles: string[], ns?: string[]) =>
      (await call('POST', '/tokens', { name: 'given', roles, ns }, token)).status;
    expect(await give(['granted'])).toBe(201);
    expect(await give(['viewer'])).toBe(403);
    expect(await give(['agent:web-1'], ['default'])).toBe(403);
    await call('PUT', '/roles/apps', { allow: [{ verbs: 'read', keys: '/app' }] });
    expect(await give(['apps'])).toBe(403);
    expect(await give(['apps'], ['team-a', 'default'])).toBe(201);
    expect(await give(['apps'], ['team-a', 'other'])).toBe(403);
  });

  it('is let in by roles of another namespace', async () => {
    await call('PUT', '/roles/elsewhere', { allow: [{ verbs: 'admin', keys: '/access', ns: 'elsewhere' }] });
    const { token } = await newToken(['elsewhere']);
    const answer = await call('GET', '/tokens?ns=elsewhere', undefined, token);
    expect(answer.status).toBe(404);
  });
});

describe('makers', () => {
  it('are asked about anew', async () => {
    const { id } = await newToken(['viewer']);
    const ask = async (): Promise<Caller> => await api.services.callerOf({ actor: `token:${id}` });
    expect((await ask()).may('read', 'default', '/app')).toBe(true);
    await call('DELETE', `/tokens/${id}`);
    expect((await ask()).may('read', 'default', '/app')).toBe(false);
  });
});
