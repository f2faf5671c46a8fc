import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { AccessSnapshot, Callers, LegacyAccess } from '../../../shared/access/index.ts';
import { newTokenText, tokenIdOf } from '../../../shared/access/tokens/token.ts';
import type { StoredRecord } from '../../../shared/records/index.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const SECRET = 'bootstrap';

const hash = (text: string) => createHash('sha256').update(text).digest();

function record(key: string, value: object, expiresAt?: number): StoredRecord<unknown> {
  const at = '2026-01-01T00:00:00.000Z';
  return { key, value, revision: 1, createdAt: at, updatedAt: at, ...(expiresAt && { expiresAt }) };
}

function role(name: string, keys: string[], members?: string[]) {
  return record(`/access/roles/${name}`, { allow: [{ verbs: ['read'], keys, ns: ['*'] }], members });
}

function token(
  text: string,
  roles: string[],
  { ns = ['*'], expiresAt }: { ns?: string[]; expiresAt?: number } = {},
) {
  const value = { name: 'ci', roles, ns, sha256: hash(text).toString('hex'), createdBy: 'local' };
  return record(`/access/tokens/${tokenIdOf(hash(text))}`, value, expiresAt);
}

function callersOf(
  records: StoredRecord<unknown>[],
  options: { legacy?: 'off' | 'open' | string[]; isOpen?: boolean; bootstrap?: boolean } = {},
) {
  return new Callers({
    directory: { current: async () => new AccessSnapshot(1, records) },
    clock: { now: () => NOW, sleep: async () => {} },
    isOpen: options.isOpen ?? false,
    bootstrapSha256: options.bootstrap === false ? undefined : hash(SECRET).toString('hex'),
    legacy: new LegacyAccess(options.legacy ?? 'off'),
    lastUses: { note: () => {} },
  });
}

describe('a token', () => {
  const text = newTokenText();

  it('may do what its roles allow, in its namespaces, also later and for the service that it names', async () => {
    const callers = callersOf([token(text, ['agent:web', 'unknown', 'viewer'], { ns: ['team-*'] })]);
    const caller = await callers.byToken(text);
    const later = await callers.of({ actor: `token:${tokenIdOf(hash(text))}` });
    for (const one of [caller, later]) {
      expect(one?.maker.actor).toBe(`token:${tokenIdOf(hash(text))}`);
      expect(one?.may('write', 'team-a', '/srv/web/1')).toBe(true);
      expect(one?.may('write', 'team-a', '/srv/web2/1')).toBe(false);
      expect(one?.may('write', 'default', '/srv/web/1')).toBe(false);
      expect(one?.may('read', 'team-a', '/')).toBe(true);
      expect(one?.may('reveal', 'team-a', '/app')).toBe(false);
    }
  });

  it('is nobody once it is over or gone', async () => {
    const over = callersOf([token(text, ['admin'], { expiresAt: NOW })]);
    const lasting = callersOf([token(text, ['admin'], { expiresAt: NOW + 1 })]);
    const maker = { actor: `token:${tokenIdOf(hash(text))}` };
    expect(await over.byToken(text)).toBeUndefined();
    expect((await over.of(maker)).may('read', 'default', '/app')).toBe(false);
    expect(await callersOf([]).byToken(text)).toBeUndefined();
    expect((await callersOf([]).of(maker)).may('read', 'default', '/app')).toBe(false);
    expect((await lasting.byToken(text))?.may('read', 'default', '/app')).toBe(true);
  });

  it('has to be right to the last digit of its hash', async () => {
    const { value, ...rest } = token(text, ['admin']);
    const other = {
      ...(value as object),
      sha256: `${hash(text).toString('hex').slice(0, 16)}${'0'.repeat(48)}`,
    };
    expect(await callersOf([{ ...rest, value: other }]).byToken(text)).toBeUndefined();
  });

  it('for an agent sees which services there are, and of all else what belongs to its own', async () => {
    const caller = await callersOf([token(text, ['agent:web'])]).byToken(text);
    for (const verb of ['read', 'list', 'watch'] as const) {
      for (const keys of ['/srv/', '/srv/db/1', '/app/web', '/bundle/web/', '/election/web', '/kv/web/a']) {
        expect(caller?.may(verb, 'default', keys), `${verb} ${keys}`).toBe(true);
      }
      for (const keys of [
        '/app/',
        '/app/web2',
        '/bundle/db',
        '/election/',
        '/kv/db',
        '/env/web',
        '/hook',
        '/',
      ]) {
        expect(caller?.may(verb, 'default', keys), `${verb} ${keys}`).toBe(false);
      }
    }
    expect(caller?.may('write', 'default', '/srv/web/1')).toBe(true);
    for (const keys of ['/srv/db/1', '/app/web', '/bundle/web', '/election/web', '/kv/web']) {
      expect(caller?.may('write', 'default', keys), keys).toBe(false);
    }
  });

  it('for an agent of no service registers none', async () => {
    const caller = await callersOf([token(text, ['agent'])]).byToken(text);
    expect(caller?.may('read', 'default', '/srv')).toBe(true);
    for (const keys of ['/srv', '/srv/web', '/srv/${service}', '/']) {
      expect(caller?.may('write', 'default', keys)).toBe(false);
    }
    for (const keys of ['/app', '/kv/web', '/bundle/${service}', '/election', '/']) {
      expect(caller?.may('read', 'default', keys)).toBe(false);
    }
  });
});

describe('the bootstrap token', () => {
  it('may do everything while it is set', async () => {
    expect((await callersOf([]).byToken(SECRET))?.may('admin', 'default', '/')).toBe(true);
    const unset = callersOf([], { bootstrap: false });
    expect(await unset.byToken(SECRET)).toBeUndefined();
    expect((await unset.of({ actor: 'token:bootstrap' })).may('read', 'default', '/app')).toBe(false);
  });
});

describe('claims', () => {
  const records = [
    role('team', ['/app/team'], ['group:g1', 'user:u1', 'bus:ci', 'address:192.0.2.0/24']),
    role('viewer', ['/nothing']),
  ];
  const callers = callersOf(records);
  const byClaims = (roles: string[], groups: string[]) =>
    callers.byClaims({ actor: 'user:u2', roles, groups });

  it('give the roles that they name, and those whose members they are', async () => {
    expect((await byClaims(['agent:web'], [])).may('write', 'default', '/srv/web')).toBe(true);
    const member = await byClaims(['theirs:x', 'of/another'], ['g0', 'g1']);
    expect(member.maker).toEqual({ actor: 'user:u2', roles: ['theirs:x', 'group:g1'] });
    expect(member.may('read', 'default', '/app/team')).toBe(true);
    expect(member.may('read', 'default', '/app')).toBe(false);
    expect((await callers.of(member.maker)).may('read', 'default', '/app/team/x')).toBe(true);
    expect((await callersOf([]).of(member.maker)).may('read', 'default', '/app/team')).toBe(false);
  });

  it.each(['user:u1', 'bus:ci', 'address:192.0.2.9'])(
    'cannot make their holder a member by the name %s',
    async (claim) => {
      const { maker } = await byClaims([claim], []);
      expect((await callers.of(maker)).may('read', 'default', '/app/team')).toBe(false);
    },
  );

  it('cannot pass a role for a group, nor change a role that is built in', async () => {
    const forger = await byClaims(['group:g1'], []);
    expect(forger.may('read', 'default', '/app/team')).toBe(false);
    expect((await byClaims(['viewer'], [])).may('read', 'default', '/app')).toBe(true);
  });

  it.each(['user:u1', 'bus:ci', 'address:192.0.2.9', 'address:::ffff:192.0.2.9'])(
    'are not needed by the member %s',
    async (actor) => {
      expect((await callers.of({ actor })).may('read', 'default', '/app/team')).toBe(true);
    },
  );

  it.each(['user:u2', 'bus:cd', 'address:192.0.3.9', 'anonymous', 'local'])(
    'are what %s lacks',
    async (actor) => {
      expect((await callers.of({ actor })).may('read', 'default', '/app/team')).toBe(false);
    },
  );
});

describe('makers on the surfaces of replaced systems', () => {
  const can = async (legacy: 'off' | 'open' | string[], actor: string, ns = 'default') =>
    (await callersOf([], { legacy }).of({ actor })).may('read', ns, '/app/dm');

  it('may go on with those for as long as they are let in', async () => {
    expect(await can('open', 'address:192.0.2.1')).toBe(true);
    expect(await can('open', 'anonymous')).toBe(true);
    expect(await can(['192.0.2.0/24'], 'address:192.0.2.1')).toBe(true);
    expect(await can(['192.0.2.0/24'], 'address:192.0.3.1')).toBe(false);
    expect(await can(['192.0.2.0/24'], 'anonymous')).toBe(false);
    expect(await can('off', 'address:192.0.2.1')).toBe(false);
    expect(await can('open', 'address:192.0.2.1', 'other')).toBe(false);
    expect(await can('open', 'user:u1')).toBe(false);
    expect(await can('open', 'token:tok_1')).toBe(false);
  });
});

it('Skerry itself may go on with whatever is planned, and nobody by an actor that only looks so', async () => {
  const callers = callersOf([]);
  const can = async (actor: string) => (await callers.of({ actor })).may('delete', 'any', '/env/prod');
  expect(await can('system:planned-destruction')).toBe(true);
  expect(await can('bus:system:planned-destruction')).toBe(false);
});
