import { afterAll, beforeAll, expect, it } from 'vitest';
import { Applications, type JsonSchema } from '../../../shared/config/index.ts';
import { restore } from '../../../shared/history/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Json, Records } from '../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { configSecrets, NEW_KEY, OLD_KEY } from './config-secrets-fixture.ts';

let cosmos: CosmosFixture;
let records: Records;
let applications: Applications;

const by = { author: { actor: 'test' } };

beforeAll(async () => {
  cosmos = await startCosmos();
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  records = new Records({ container, clock: systemClock, random: systemRandom });
  applications = new Applications(records, configSecrets());
});

afterAll(() => cosmos.stop());

async function put(ns: string, config: Json, schema?: JsonSchema | 'keep') {
  return (await applications.put(ns, 'shop', { config, schema }, by)).application;
}

async function revealed(ns: string): Promise<Json | undefined> {
  const application = await applications.get(ns, 'shop');
  return application && (await applications.reveal(ns, application)).config;
}

it('stores secrets sealed, and changes nothing where the same is put again in either form', async () => {
  const config = { db: { password: { $secret: 'hunter2' } }, port: 1 };
  const first = await put('equal', config);
  expect(JSON.stringify(first)).not.toContain('hunter2');
  for (const again of [config, first.config]) {
    expect(await put('equal', again)).toEqual(first);
  }
  const changed = await put('equal', { ...(first.config as object), port: 2 });
  expect(changed).toMatchObject({ revision: 2, config: { db: (first.config as { db: Json }).db } });
  expect(await revealed('equal')).toEqual({ db: { password: 'hunter2' }, port: 2 });
});

it('holds the schema against secrets that come in clear, and against those that are kept in no way that tells of them', async () => {
  const schema = (rule: JsonSchema) => ({ properties: { pin: rule } });
  const numeric = schema({ type: 'string', pattern: '^[0-9]+$' });
  await expect(put('oracle', { pin: { $secret: 'x1' } }, numeric)).rejects.toMatchObject({
    kind: 'unprocessable',
    field: 'config.pin',
    message: expect.not.stringContaining('x1'),
  });
  const { config } = await put('oracle', { pin: { $secret: '4711' } }, numeric);
  for (const guess of [schema({ const: '4711' }), schema({ const: '1' }), schema(false)]) {
    expect((await put('oracle', config, guess)).config).toEqual(config);
    expect((await put('oracle', config, 'keep')).config).toEqual(config);
  }
  expect(await revealed('oracle')).toEqual({ pin: '4711' });
});

it('takes back no secret of another application, and none anywhere but in the configuration', async () => {
  const { config } = await put('source', { a: { $secret: 'x' } });
  await expect(put('target', config)).rejects.toMatchObject({ kind: 'unprocessable', field: 'config.a' });
  const other = applications.put('source', 'other', { config, schema: undefined }, by);
  await expect(other).rejects.toMatchObject({ kind: 'unprocessable', field: 'config.a' });
  for (const rest of [{ extra: { b: [{ $secret: 1 }] } }, { extra: { b: { $secret: 1, c: 2 } } }]) {
    const misplaced = applications.put('source', 'shop', { config: 1, schema: undefined, ...rest }, by);
    await expect(misplaced).rejects.toMatchObject({ kind: 'unprocessable' });
  }
  await expect(put('source', 1, { default: { $secret: 1 } })).rejects.toMatchObject({
    field: 'schema.default',
  });
});

it('counts the room that secrets take once they are sealed', async () => {
  const letters = 'x'.repeat(220_000);
  await expect(put('size', { $secret: letters })).rejects.toMatchObject({ kind: 'too-large' });
  expect(await revealed('size')).toBeUndefined();
});

it('brings secrets back with what is restored, also of an application that was deleted', async () => {
  const { revision } = await put('past', { a: { $secret: 'old' } });
  await put('past', { a: { $secret: 'new' } });
  await applications.delete('past', 'shop', by);
  const request = { key: '/app/shop', revision, prefix: false };
  await restore({ records, clock: systemClock }, 'past', request, by.author);
  expect(await revealed('past')).toEqual({ a: 'old' });
});

it('puts secrets under the newest key with the next write', async () => {
  const { config } = await put('rotation', { a: { $secret: 'x' } });
  const rotated = new Applications(records, configSecrets([NEW_KEY, OLD_KEY]));
  const again = await rotated.put('rotation', 'shop', { config, schema: 'keep' }, by);
  expect(again.application.revision).toBe(2);
  const done = new Applications(records, configSecrets([NEW_KEY]));
  expect(await done.reveal('rotation', again.application)).toMatchObject({ config: { a: 'x' } });
});
