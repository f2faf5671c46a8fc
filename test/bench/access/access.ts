import {
  AccessSnapshot,
  Callers,
  createAccessControl,
  EntraTokens,
  LegacyAccess,
} from '../../../shared/access/index.ts';
import { digestOfToken, newTokenText, tokenIdOf } from '../../../shared/access/tokens/token.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import type { Keys, Verb } from '../../../shared/platform/http/index.ts';
import type { StoredRecord } from '../../../shared/records/index.ts';
import { AUDIENCE, startKeyServer, TENANT } from '../../unit/access/key-server.ts';
import { median, percentile, printTable, rounded } from '../statistics.ts';

const ACCESS = { verb: 'read', keys: '/app' } as const;
const RULES = 50;
const CALLS_A_SAMPLE = 1_000;

/** What it takes to know who asks and whether they may, of each request: from memory, as all requests have it but one in five seconds. */
export async function benchAccess(quick: boolean): Promise<void> {
  const issuer = await startKeyServer();
  const [simple, broad] = [newTokenText(), newTokenText()];
  const snapshot = new AccessSnapshot(1, [
    role('many', RULES),
    token(simple, ['viewer']),
    token(broad, ['many']),
  ]);
  const legacy = new LegacyAccess('off');
  const entra = () =>
    new EntraTokens({
      tenant: TENANT,
      audiences: [AUDIENCE],
      authority: issuer.authority,
      clock: systemClock,
    });
  const controlOf = (isOpen: boolean, entraTokens: EntraTokens) => {
    const directory = { current: async () => snapshot };
    const lastUses = { note: () => {} };
    const options = { isOpen, legacy, directory, lastUses, clock: systemClock, bootstrapSha256: undefined };
    return createAccessControl({ isOpen, callers: new Callers(options), legacy, entraTokens });
  };
  const open = controlOf(true, entra());
  const closed = controlOf(false, entra());
  const jwt = await issuer.sign();
  const samples = quick ? 20 : 200;
  const rows: string[][] = [];

  const measure = async (
    name: string,
    control: typeof open,
    authorization: string,
    keys: Keys,
    { calls = CALLS_A_SAMPLE, verb = 'read' as Verb } = {},
  ) => {
    const credentials = {
      headers: { get: (header: string) => (header === 'authorization' ? authorization : null) },
      clientAddress: '192.0.2.1',
    };
    const taken: number[] = [];
    for (let sample = 0; sample < samples; sample += 1) {
      const before = process.cpuUsage();
      for (let call = 0; call < calls; call += 1) {
        const caller = await control.admit(ACCESS, credentials);
        caller.may(verb, 'default', keys);
      }
      // Of the CPU, which a busy machine disturbs least.
      const { user, system } = process.cpuUsage(before);
      taken.push((user + system) / calls);
    }
    const steady = taken.slice(samples / 10);
    rows.push([name, rounded(median(steady), 2), rounded(percentile(steady, 0.99), 2)]);
  };

  await measure('open, as on a laptop', open, '', '/app/dm');
  await measure('a token of one role', closed, `Bearer ${simple}`, '/app/dm');
  await measure(
    `a token of ${RULES} rules, allowed by the first`,
    closed,
    `Bearer ${broad}`,
    '/app/team-0/x',
  );
  await measure(
    `a token of ${RULES} rules, allowed by the last`,
    closed,
    `Bearer ${broad}`,
    `/app/team-${RULES - 1}/x`,
  );
  await measure(`a token of ${RULES} rules, allowed by none`, closed, `Bearer ${broad}`, '/kv/s/deep/in/it');
  await measure(`a token of ${RULES} rules, a range`, closed, `Bearer ${broad}`, {
    beginWith: '/app/team-7/a',
  });
  await measure('an access token that was seen before', closed, `Bearer ${jwt}`, '/app/dm');
  const forged = `${jwt.slice(0, -8)}AAAAAAAA`;
  await measureRefusals('an access token with another signature', closed, forged);
  await measureRefusals('a token that is not known', closed, newTokenText());
  await issuer.stop();
  printTable(
    'Who asks, and whether they may: microseconds of CPU for each request',
    ['', 'median', 'p99'],
    rows,
  );

  async function measureRefusals(name: string, control: typeof open, text: string): Promise<void> {
    const refusing = {
      ...control,
      admit: async (...call: Parameters<typeof control.admit>) =>
        await control.admit(...call).catch(() => ({ maker: { actor: '' }, may: () => false })),
    };
    await measure(name, refusing, `Bearer ${text}`, '/app/dm', { calls: CALLS_A_SAMPLE / 10 });
  }
}

function role(name: string, rules: number): StoredRecord<unknown> {
  const allow = Array.from({ length: rules }, (_, number) => ({
    verbs: ['read', 'list'],
    keys: [`/app/team-${number}`, `/kv/**/team-${number}/*`],
    ns: ['default', 'team-*'],
  }));
  return record(`/access/roles/${name}`, { allow });
}

function token(text: string, roles: string[]): StoredRecord<unknown> {
  const digest = digestOfToken(text);
  const sha256 = digest.toString('hex');
  return record(`/access/tokens/${tokenIdOf(digest)}`, {
    name: 'x',
    roles,
    ns: ['*'],
    sha256,
    createdBy: 'local',
  });
}

function record(key: string, value: object): StoredRecord<unknown> {
  const at = '2026-01-01T00:00:00.000Z';
  return { key, value, revision: 1, createdAt: at, updatedAt: at };
}
