import fc from 'fast-check';
import { type CryptoKey, exportSPKI } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AccessSnapshot,
  Callers,
  createAccessControl,
  EntraTokens,
  LegacyAccess,
} from '../../../shared/access/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { SkerryError } from '../../../shared/platform/errors.ts';
import type { Caller } from '../../../shared/platform/http/index.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';
import { APP, AUDIENCE, type KeyServer, OID, startKeyServer, TENANT } from './key-server.ts';

const OTHER = '99999999-2222-3333-4444-555555555555';
const READ = { verb: 'read', keys: '/app' } as const;
const seed = printedSeed('entra');
/** Headers are texts of bytes. */
const headerTexts = fc.array(fc.nat(255), { maxLength: 200 }).map((codes) => String.fromCharCode(...codes));

let issuer: KeyServer;

beforeAll(async () => {
  issuer = await startKeyServer();
});

afterAll(async () => {
  await issuer.stop();
});

function controlOver({ easyAuth = false, tokens = true, clock = systemClock } = {}) {
  const legacy = new LegacyAccess('off');
  const directory = { current: async () => new AccessSnapshot(0, []) };
  const callers = new Callers({
    directory,
    clock,
    isOpen: false,
    bootstrapSha256: undefined,
    legacy,
    lastUses: { note: () => {} },
  });
  const entra = { tenant: TENANT, audiences: ['another', AUDIENCE], authority: issuer.authority, clock };
  const access = createAccessControl({
    isOpen: false,
    callers,
    legacy,
    entraTokens: tokens ? new EntraTokens(entra) : undefined,
    easyAuthTenant: easyAuth ? TENANT : undefined,
  });
  return async (headers: Readonly<Record<string, string>>): Promise<Caller> =>
    await access.admit(READ, {
      headers: { get: (name) => headers[name.toLowerCase()] ?? null },
      clientAddress: '192.0.2.1',
    });
}

type Admit = ReturnType<typeof controlOver>;

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function refusalOf(admit: Admit, headers: Readonly<Record<string, string>>): Promise<SkerryError> {
  const outcome = await admit(headers).catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(SkerryError);
  return outcome as SkerryError;
}

async function expectRefused(admit: Admit, headers: Readonly<Record<string, string>>): Promise<void> {
  const { kind, message, fix, field, headers: sent } = await refusalOf(admit, headers);
  expect({ kind, message, fix, field, sent }).toEqual({
    kind: 'unauthorized',
    message: 'This call needs a token that is known here.',
    fix: 'Send "Authorization: Bearer <token>".',
    field: 'Authorization',
    sent: { 'WWW-Authenticate': 'Bearer error="invalid_token"' },
  });
}

describe('an access token', () => {
  it.each(['RS256', 'PS256', 'ES256'])('that is signed by %s tells who asks', async (alg) => {
    // A key of the kind RSA is good for both of its algorithms.
    const key = alg === 'ES256' ? issuer.keys.elliptic.privateKey : await rsaKeyFor(alg);
    const caller = await controlOver()(bearer(await issuer.sign({}, { alg, key })));
    expect(caller.maker).toEqual({ actor: `user:${OID}`, roles: ['viewer'] });
    expect(caller.may('read', 'default', '/app')).toBe(true);
    expect(caller.may('write', 'default', '/app')).toBe(false);
  });

  it('of a program, and of version 1, is as good', async () => {
    const admit = controlOver();
    const program = { scp: undefined, roles: ['agent:web', 'of/another'] };
    const newer = await admit(bearer(await issuer.sign({ ...program, azp: APP })));
    const iss = `https://sts.windows.net/${TENANT}/`;
    const older = await admit(bearer(await issuer.sign({ ...program, iss, appid: APP.toUpperCase() })));
    for (const { maker, may } of [newer, older]) {
      expect(maker).toEqual({ actor: `app:${APP}`, roles: ['agent:web'] });
      expect(may('write', 'default', '/srv/web/1')).toBe(true);
    }
  });

  it('is checked once while it is good', async () => {
    let now = Date.now();
    const admit = controlOver({ clock: { now: () => now, sleep: async () => {} } });
    const token = await issuer.sign({ exp: Math.floor(now / 1000) + 600 });
    const asked = issuer.state.asked.length;
    await admit(bearer(token));
    const { asked: paths } = issuer.state;
    expect(paths.slice(asked)).toEqual([`/${TENANT}/discovery/v2.0/keys`]);
    await admit(bearer(token));
    expect(paths).toHaveLength(asked + 1);
    now += 659_000;
    await admit(bearer(token));
    now += 2_000;
    await expectRefused(admit, bearer(token));
  });

  it('that is not good is refused in the same words, whatever is wrong with it', async () => {
    const now = Math.floor(Date.now() / 1000);
    const admit = controlOver({ clock: { now: () => now * 1000, sleep: async () => {} } });
    const good = await issuer.sign({ nbf: now, exp: now + 600 });
    const [header = '', payload = '', signature = ''] = good.split('.');
    const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const publicKey = await exportSPKI(issuer.keys.rsa.publicKey);
    const secret = new TextEncoder().encode(publicKey);
    const faulty = [
      ...(await Promise.all([
        issuer.sign({ exp: now - 61 }),
        issuer.sign({ nbf: now + 70 }),
        issuer.sign({ exp: undefined }),
        issuer.sign({ exp: 'tomorrow' }),
        issuer.sign({ aud: 'api://other' }),
        issuer.sign({ aud: undefined }),
        issuer.sign({ aud: [] }),
        issuer.sign({ iss: `${issuer.authority}/${OTHER}/v2.0` }),
        issuer.sign({ iss: `https://sts.windows.net/${OTHER}/` }),
        issuer.sign({ iss: undefined }),
        issuer.sign({ tid: OTHER }),
        issuer.sign({ tid: undefined }),
        issuer.sign({ oid: undefined }),
        issuer.sign({ oid: { toString: OID } }),
        issuer.sign({ oid: 'x'.repeat(36) }),
        // As a person's browser has it, which is no access token.
        issuer.sign({ scp: undefined }),
        issuer.sign({ scp: undefined, azp: 7 }),
        issuer.sign({}, { kid: 'other' }),
        issuer.sign({}, { kid: '' }),
        issuer.sign({}, { kid: 'elliptic' }),
        issuer.sign({}, { key: issuer.keys.unknown.privateKey }),
        issuer.sign({}, { alg: 'HS256', key: secret }),
        issuer.sign({}, { alg: 'HS256', key: Buffer.from(JSON.stringify(issuer.publicKeys[0])) }),
        issuer.sign({}, { alg: 'RS512', key: await rsaKeyFor('RS512') }),
        issuer.sign({}, { header: { b64: false, crit: ['b64'] } }).catch(() => 'eyJh.e30.x'),
      ])),
      `${encode({ alg: 'none', kid: 'rsa' })}.${payload}.`,
      `${encode({ alg: 'none' })}.${payload}.${signature}`,
      `${encode({ alg: 'nOnE', kid: 'rsa' })}.${payload}.${signature}`,
      `${encode({ alg: 'RS256', kid: 'rsa', jwk: issuer.publicKeys[0] })}.${payload}.${signature}`,
      `${encode({ alg: 'RS256', kid: ['rsa'] })}.${payload}.${signature}`,
      `${encode({ alg: 'RS256', kid: '../../rsa' })}.${payload}.${signature}`,
      `${header}.${encode({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), roles: ['admin'] })}.${signature}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}..${signature}`,
      `${good}.x.y`,
      `${good}x`,
      `eyJ${'a'.repeat(100_000)}.${payload}.${signature}`,
      `${encode('text')}.${payload}.${signature}`,
      'eyJ.eyJ.eyJ',
      'null',
      'undefined',
      '"',
      'skt_',
      `skt_${'a'.repeat(43)}`,
    ];
    for (const token of faulty) await expectRefused(admit, bearer(token));
    expect((await admit(bearer(good))).maker.actor).toBe(`user:${OID}`);
  });

  it('is not good any more once a character of it has changed', async () => {
    const admit = controlOver();
    const good = await issuer.sign();
    const lastOfPart = new Set([...good.matchAll(/\.|$/g)].map(({ index }) => index - 1));
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.constantFrom(...'AZaz09-_.='), async (at, character) => {
        // The last character of a part may say the same by bits that nobody reads.
        fc.pre(good[at] !== character && !lastOfPart.has(at));
        await expectRefused(admit, bearer(good.slice(0, at) + character + good.slice(at + 1)));
      }),
      { seed, numRuns: runs(100, 10_000) },
    );
  });

  it('may be any text at all without harm', async () => {
    const admit = controlOver({ easyAuth: true });
    await fc.assert(
      fc.asyncProperty(headerTexts, fc.boolean(), async (text, isBearer) => {
        fc.pre(text !== '' || isBearer);
        const { kind } = await refusalOf(admit, { authorization: `${isBearer ? 'Bearer ' : ''}${text}` });
        expect(kind).toBe('unauthorized');
      }),
      { seed, numRuns: runs(100, 10_000) },
    );
  });
});

describe('without an answer from who publishes the keys', () => {
  const outages: [what: string, answer: KeyServer['state']['answer']][] = [
    ['500', (response) => response.writeHead(500).end()],
    ['a redirect', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    ['no JSON', (response) => response.end('{')],
    ['something else', (response) => response.end('{"keys":"none"}')],
    ['null', (response) => response.end('null')],
    [
      'more than there can be',
      (response) => response.end(JSON.stringify({ keys: [], rest: 'x'.repeat(600_000) })),
    ],
    ['the end of the connection', (response) => response.destroy()],
  ];

  it.each(outages)('but %s, tokens are neither accepted nor refused', async (_, answer) => {
    const usual = issuer.state.answer;
    const token = await issuer.sign();
    let now = Date.now();
    const admit = controlOver({ clock: { now: () => now, sleep: async () => {} } });
    issuer.state.answer = answer;
    try {
      expect(await refusalOf(admit, bearer(token))).toMatchObject({ kind: 'unavailable' });
      const asked = issuer.state.asked.length;
      expect(await refusalOf(admit, bearer(token))).toMatchObject({ kind: 'unavailable' });
      expect(issuer.state.asked).toHaveLength(asked);
    } finally {
      issuer.state.answer = usual;
    }
    now += 5_000;
    expect((await admit(bearer(token))).maker.actor).toBe(`user:${OID}`);
  });

  it.each<[what: string, answer: KeyServer['state']['answer']]>([
    ['answers nothing', () => {}],
    ['stops in the midst', (response) => response.write('{"keys":[')],
  ])('nobody waits for a source that %s', async (_, answer) => {
    const { KeySetFetch } = await import('../../../shared/access/entra/key-set-fetch.ts');
    const usual = issuer.state.answer;
    issuer.state.answer = answer;
    try {
      const asking = new KeySetFetch(systemClock).fetch(issuer.authority, options(50));
      await expect(asking).rejects.toMatchObject({ kind: 'unavailable' });
    } finally {
      issuer.state.answer = usual;
    }
  });

  it('keys that were published before serve on', async () => {
    const { KeySetFetch } = await import('../../../shared/access/entra/key-set-fetch.ts');
    const usual = issuer.state.answer;
    let now = Date.now();
    const { fetch } = new KeySetFetch({ now: () => now, sleep: async () => {} });
    const ask = async () => await fetch(issuer.authority, options(45_000));
    const text = await (await ask()).text();
    issuer.state.answer = (response) => response.destroy();
    try {
      now += 3_600_000;
      expect(await (await ask()).text()).toBe(text);
      now += 24 * 3_600_000;
      await expect(ask()).rejects.toMatchObject({ kind: 'unavailable' });
    } finally {
      issuer.state.answer = usual;
    }
  });
});

describe('whom the platform signed in', () => {
  const principal = (claims: Record<string, string | string[]>, more: object = {}) => ({
    'x-ms-client-principal-idp': 'aad',
    'x-ms-client-principal': Buffer.from(
      JSON.stringify({
        auth_typ: 'aad',
        role_typ: 'http://schemas.microsoft.com/ws/2008/06/identity/claims/role',
        claims: Object.entries(claims).flatMap(([typ, values]) =>
          [values].flat().map((val) => ({ typ, val })),
        ),
        ...more,
      }),
    ).toString('base64'),
  });
  const person = {
    'http://schemas.microsoft.com/identity/claims/objectidentifier': OID,
    'http://schemas.microsoft.com/identity/claims/tenantid': TENANT,
    'http://schemas.microsoft.com/ws/2008/06/identity/claims/role': ['viewer', 'agent:web'],
  };

  it('is known', async () => {
    const admit = controlOver({ easyAuth: true, tokens: false });
    expect((await admit(principal(person))).maker).toEqual({
      actor: `user:${OID}`,
      roles: ['viewer', 'agent:web'],
    });
    const program = await admit(principal({ tid: TENANT, appid: APP, roles: ['operator'] }));
    expect(program.maker).toEqual({ actor: `app:${APP}`, roles: ['operator'] });
    // Easy Auth looked at the token, and told what is in it.
    const withToken = { ...principal(person), ...bearer(await issuer.sign()) };
    expect((await admit(withToken)).maker.actor).toBe(`user:${OID}`);
  });

  it('counts for nothing beside a token that is not good', async () => {
    const admit = controlOver({ easyAuth: true });
    await expectRefused(admit, { ...principal(person), ...bearer(await issuer.sign({ aud: 'other' })) });
    await expectRefused(admit, { ...principal(person), ...bearer(`skt_${'a'.repeat(43)}`) });
  });

  it('is anybody’s word where the platform signs nobody in', async () => {
    const admit = controlOver();
    const { kind, headers } = await refusalOf(admit, principal(person));
    expect({ kind, headers }).toEqual({ kind: 'unauthorized', headers: { 'WWW-Authenticate': 'Bearer' } });
  });

  it('has to be of the tenant, by its own provider, and well-formed', async () => {
    const admit = controlOver({ easyAuth: true });
    const good = principal(person);
    for (const headers of [
      principal({ ...person, 'http://schemas.microsoft.com/identity/claims/tenantid': OTHER }),
      principal({ oid: OID }),
      principal({ tid: TENANT }),
      principal({ tid: TENANT, oid: 'me' }),
      principal(person, { auth_typ: 'github' }),
      principal(person, { claims: 'none' }),
      principal(person, { claims: [null, 7, { typ: 'oid' }, []] }),
      { ...good, 'x-ms-client-principal-idp': 'github' },
      { 'x-ms-client-principal': good['x-ms-client-principal'] },
      { ...good, 'x-ms-client-principal': 'not base64' },
      { ...good, 'x-ms-client-principal': '' },
      { ...good, 'x-ms-client-principal': Buffer.from('null').toString('base64') },
      { ...good, 'x-ms-client-principal': Buffer.from('x'.repeat(100_000)).toString('base64') },
    ]) {
      await expectRefused(admit, headers);
    }
  });
});

/** The RSA key of the issuer, as another algorithm wants it. */
async function rsaKeyFor(alg: string): Promise<CryptoKey> {
  const { exportPKCS8, importPKCS8 } = await import('jose');
  return await importPKCS8(await exportPKCS8(issuer.keys.rsa.privateKey), alg);
}

/** As the library asks. */
function options(milliseconds: number) {
  const signal = AbortSignal.timeout(milliseconds);
  return { method: 'GET', redirect: 'manual', headers: new Headers(), signal } as const;
}
