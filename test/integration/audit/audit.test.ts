import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AccessLog, Audit } from '../../../shared/audit/index.ts';
import { unavailable } from '../../../shared/platform/errors.ts';
import { type Caller, nobody, unrestricted } from '../../../shared/platform/http/index.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Api, startApi } from '../api-fixture.ts';

let api: Api;
let audit: Audit;
let ns: string;
let namespaces = 0;

beforeAll(async () => {
  api = await startApi({ partitions: 4, faults: true });
  const { database, clock } = api.services;
  // What was written is settled already, so that no page waits for that.
  const later = { ...clock, now: () => clock.now() + 60_000 };
  audit = new Audit(database.container(COSMOS_CONTAINERS.records.id), later);
});

afterAll(() => api.stop());

beforeEach(() => {
  namespaces += 1;
  ns = `n${namespaces}`;
});

const put = (path: string, body: unknown) => api.call('PUT', `${path}?ns=${ns}`, body);

/** Pages of a filter, all of them. */
async function readAll(filter: object, { limit = 1000, caller = unrestricted('local') as Caller } = {}) {
  const entries = [];
  let after: string | undefined;
  let pages = 0;
  do {
    const page = await audit.page({ ns, ...filter, limit, after }, caller);
    entries.push(...page.entries);
    after = page.next;
    pages += 1;
  } while (after !== undefined);
  return { entries, pages };
}

const keysOf = (entries: readonly { readonly key?: string }[]) => entries.map(({ key }) => key);

describe('the audit', () => {
  it('tells all changes of a namespace in order, page by page as at once', async () => {
    const stores = ['a', 'b', 'c', 'd', 'e'];
    for (let round = 0; round < 4; round += 1) {
      await Promise.all(stores.map((store) => put(`/kv/${store}/k`, round)));
    }
    await put('/apps/shop', { config: { currency: 'EUR' } });
    const { entries } = await readAll({});
    expect(entries).toHaveLength(21);
    expect(entries.at(-1)).toMatchObject({
      kind: 'change',
      key: '/app/shop',
      actor: 'local',
      ns,
      scope: `${ns}:app:`,
      revision: 1,
      type: 'put',
      previous: null,
    });
    for (const store of stores) {
      const own = entries.filter(({ key }) => key === `/kv/${store}/k`);
      expect(own.map((entry) => entry.kind === 'change' && entry.value)).toEqual([0, 1, 2, 3]);
    }
    for (const limit of [3, 21]) {
      const paged = await readAll({}, { limit });
      expect(paged.entries).toEqual(entries);
      expect(paged.pages).toBe(Math.ceil(21 / limit));
    }
  });

  it('goes by actor, keys in whole segments, time and kind, and holds cursors to what they were made for', async () => {
    await put('/kv/s/a', 1);
    await put('/kv/s/a/b', 1);
    await put('/kv/s/ab', 1);
    const { entries } = await readAll({});
    expect(keysOf((await readAll({ key: '/kv/s/a' })).entries)).toEqual(['/kv/s/a', '/kv/s/a/b']);
    expect(keysOf((await readAll({ key: '/kv/s/a/' })).entries)).toEqual(['/kv/s/a/b']);
    expect((await readAll({ key: '/kv' })).entries).toHaveLength(3);
    expect((await readAll({ actor: 'token:other' })).entries).toEqual([]);
    expect((await readAll({ kind: 'denial' })).entries).toEqual([]);
    const second = Date.parse(entries[1]?.at ?? '');
    const before = entries.filter(({ at }) => Date.parse(at) < second);
    expect((await readAll({ until: second })).entries).toEqual(before);
    expect((await readAll({ since: second })).entries).toEqual(entries.slice(before.length));

    const { next } = await audit.page({ ns, limit: 1 }, unrestricted('local'));
    const other = audit.page({ ns, key: '/kv', limit: 1, after: next }, unrestricted('local'));
    await expect(other).rejects.toMatchObject({ kind: 'invalid', field: 'after' });
    const none = audit.page({ ns, limit: 1, after: 'x' }, unrestricted('local'));
    await expect(none).rejects.toMatchObject({ kind: 'invalid', field: 'after' });
  });

  it('shows of private kinds that something happened to those who administer them, and its content to nobody', async () => {
    expect((await put('/retention/app', { minChanges: 54_321, minDays: 1 })).status).toBe(200);
    const all = (await readAll({})).entries;
    expect(keysOf(all)).toEqual(['/retention/app']);
    expect(JSON.stringify(all)).not.toContain('54321');
    const reader: Caller = { maker: { actor: 'r' }, may: (verb) => verb === 'read' };
    await put('/apps/shop', { config: 1 });
    const { entries } = await readAll({}, { caller: reader });
    expect(keysOf(entries)).toEqual(['/app/shop']);
    expect(entries[0]).toHaveProperty('value');
  });

  it('shows no values of keys that the caller may not read, where the whole app is asked for', async () => {
    await put('/kv/mine/k', 'mine');
    await put('/kv/theirs/k', 'theirs');
    const caller: Caller = {
      maker: { actor: 'a' },
      may: (_verb, _ns, keys) => typeof keys === 'string' && /^\/(access|kv\/mine)/.test(keys),
    };
    const entries = (await readAll({ ns: undefined, key: '/kv' }, { caller })).entries.filter(
      (entry) => entry.ns === ns,
    );
    expect(entries).toMatchObject([{ key: '/kv/mine/k', value: 'mine' }, { key: '/kv/theirs/k' }]);
    expect(entries[1]).not.toHaveProperty('value');
  });
});

describe('refusals', () => {
  const denied = (key: string) => ({
    caller: nobody('token:tok_1'),
    clientAddress: '192.0.2.1',
    endpoint: 'getApp',
    verb: 'read' as const,
    ns,
    keys: key,
  });

  it('stand among the changes, for those who administer access', async () => {
    const log = new AccessLog({ records: api.services.records, clock: api.services.clock, later: () => {} });
    await put('/apps/one', { config: 1 });
    log.denied(denied('/app/one'));
    log.denied(denied('/app/one'));
    log.denied(denied('/app/two'));
    log.signInFailed({ clientAddress: '192.0.2.9', endpoint: 'getApp', isFaulty: true });
    await log.flush();
    await put('/apps/two', { config: 1 });
    const { entries } = await readAll({}, { limit: 1 });
    expect(entries.map(({ kind, key }) => [kind, key])).toEqual([
      ['change', '/app/one'],
      ['denial', '/app/one'],
      ['denial', '/app/two'],
      ['change', '/app/two'],
    ]);
    expect(entries[1]).toMatchObject({ actor: 'token:tok_1', address: '192.0.2.1', verb: 'read', count: 2 });
    expect(keysOf((await readAll({ key: '/app/two' })).entries)).toEqual(['/app/two', '/app/two']);
    const failures = { ns: 'default', kind: 'sign-in-failure', actor: 'address:192.0.2.9' };
    expect((await readAll(failures)).entries).toMatchObject([{ isFaulty: true, count: 1 }]);
    expect((await readAll(failures, { caller: nobody('x') })).entries).toEqual([]);
    expect(
      (await readAll({}, { caller: nobody('x') })).entries.filter(({ kind }) => kind !== 'change'),
    ).toEqual([]);
  });
});

describe('secrets that are shown', () => {
  const secretly = { config: { password: { $secret: 'hunter2' } } };

  it('are told before they are, once for each time, without their values', async () => {
    await put('/apps/shop', secretly);
    const ask = (path: string, headers = {}) =>
      api.call('GET', `${path}?ns=${ns}&secrets=true`, undefined, headers);
    expect((await ask('/apps/shop', { 'x-forwarded-for': '192.0.2.7' })).json.config.password).toBe(
      'hunter2',
    );
    await Promise.all(Array.from({ length: 60 }, () => ask('/apps/shop')));
    expect((await ask('/apps/other')).status).toBe(404);
    const { entries } = await readAll({ kind: 'reveal', key: '/app/shop' }, { limit: 10 });
    expect(entries).toHaveLength(61);
    expect(entries[0]).toMatchObject({
      actor: 'local',
      address: '192.0.2.7',
      ns,
      endpoint: 'getApp',
      count: 1,
    });
    expect(JSON.stringify((await readAll({})).entries)).not.toContain('hunter2');
    expect((await readAll({ kind: 'reveal' }, { caller: nobody('x') })).entries).toEqual([]);
  });

  it('are not, where that cannot be written down', async () => {
    await put('/apps/shop', secretly);
    const commit = vi
      .spyOn(api.services.records, 'commit')
      .mockRejectedValue(unavailable('The database is away.'));
    const answer = await api.call('GET', `/apps/shop?ns=${ns}&secrets=true`);
    commit.mockRestore();
    expect(answer.status).toBe(503);
    expect(JSON.stringify(answer)).not.toContain('hunter2');
  });
});

it('tokens and roles come and go in sight of those who administer them, without what they are', async () => {
  const made = await api.call('POST', '/tokens', { name: 'for the audit', roles: ['viewer'] });
  await api.call('DELETE', `/tokens/${made.json.id}`);
  await api.call('PUT', '/roles/audited', { allow: [{ verbs: ['read'], keys: '/app/x' }] });
  await api.call('DELETE', '/roles/audited');
  const { entries } = await readAll({ ns: 'default', key: '/access' });
  expect(entries.map((entry) => entry.kind === 'change' && [entry.type, entry.key])).toEqual([
    ['put', `/access/tokens/${made.json.id}`],
    ['delete', `/access/tokens/${made.json.id}`],
    ['put', '/access/roles/audited'],
    ['delete', '/access/roles/audited'],
  ]);
  expect(JSON.stringify(entries)).not.toMatch(/skt_|sha256|for the audit/);
});

describe('GET /audit', () => {
  it('tells pages as JSON, and everything as lines with an end', async () => {
    await put('/kv/s/a', 1);
    await put('/kv/s/b', 2);
    const page = await api.call('GET', `/audit?ns=${ns}&limit=1`);
    expect(page).toMatchObject({ status: 200, headers: { Vary: 'Accept', 'Cache-Control': 'no-store' } });
    const rest = await api.call('GET', `/audit?ns=${ns}&after=${page.json.next}`);
    expect([...page.json.entries, ...rest.json.entries]).toMatchObject([
      { key: '/kv/s/a' },
      { key: '/kv/s/b' },
    ]);
    expect(rest.json).not.toHaveProperty('next');

    const stream = await api.call('GET', `/audit?ns=${ns}`, undefined, { accept: 'application/x-ndjson' });
    expect(stream.lines.map((line) => JSON.parse(line))).toEqual([
      ...page.json.entries,
      ...rest.json.entries,
      { kind: 'end', entries: 2 },
    ]);
  });

  it.each([
    ['key=kv', 400],
    ['since=yesterday', 400],
    ['since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z', 400],
    ['kind=other', 400],
  ])('refuses %s with %i', async (query, status) => {
    expect((await api.call('GET', `/audit?${query}`)).status).toBe(status);
  });
});

it('passes over no change that is on its way to storage while a page ends beside it', async () => {
  const wholeSecond = () => new Promise((resolve) => setTimeout(resolve, 1_020 - (Date.now() % 1_000)));
  await Promise.all(['late', 'b'].map((store) => put(`/kv/${store}/first`, 0)));
  await wholeSecond();
  const since = Date.now();
  const faults = api.cosmos.server.faultsUrl ?? '';
  const delay = { match: { operation: 'batch' }, action: { kind: 'delay', ms: 400 }, count: 1 };
  await fetch(faults, { method: 'PUT', body: JSON.stringify({ rules: [delay] }) });
  const late = put('/kv/late/k', 1);
  await expect
    .poll(async () => (await fetch(faults)).json(), { interval: 10 })
    .toMatchObject({ rules: [{ fired: 1 }] });
  await put('/kv/b/1', 1);
  await put('/kv/b/2', 1);
  const { entries, next } = await api.services.audit.page({ ns, since, limit: 1 }, unrestricted('local'));
  await late;
  const rest = await api.services.audit.page({ ns, since, limit: 10, after: next }, unrestricted('local'));
  expect(keysOf([...entries, ...rest.entries]).sort()).toEqual(['/kv/b/1', '/kv/b/2', '/kv/late/k']);
});
