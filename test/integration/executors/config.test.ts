import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Channels, Versions } from '../../../shared/bundles/index.ts';
import { Applications } from '../../../shared/config/index.ts';
import { ConfigExecutor, type ConfigStores } from '../../../shared/executors/config.ts';
import { KeyValues } from '../../../shared/kv/index.ts';
import type { StepOutcome, StepRequest } from '../../../shared/operations/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { notFound, unavailable } from '../../../shared/platform/errors.ts';
import type { CallerOf } from '../../../shared/platform/http/index.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Json, Records } from '../../../shared/records/index.ts';
import { anyMaker } from '../any-maker.ts';
import { configSecrets } from '../config/config-secrets-fixture.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { stepRequest } from './executor-fixture.ts';

let cosmos: CosmosFixture;
let records: Records;
let applications: Applications;
let keyValues: KeyValues;
let stores: ConfigStores;
let executor: ConfigExecutor;
/** What stands for bundles, whose rules are tried elsewhere: channels are records all the same. */
let channels: Channels;

const by = { author: { actor: 'somebody' } };

beforeAll(async () => {
  cosmos = await startCosmos();
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  records = new Records({ container, clock: systemClock, random: systemRandom });
  applications = new Applications(records, configSecrets());
  keyValues = new KeyValues(records, systemClock);
  const scope = (ns: string, name: string) => ({ ns, kind: 'bundle', name });
  const key = (name: string, channel: string) => `/bundle/${name}/channels/${channel}`;
  channels = {
    async put(
      { ns, name, channel }: { ns: string; name: string; channel: string },
      { version }: { version: string },
      { author }: typeof by,
    ) {
      if (name === 'none') throw notFound('There is no bundle none.');
      const { revision } = await records.commit<Json>(scope(ns, name), {
        ...{ key: key(name, channel), ...author },
        decide: () => ({ type: 'put', value: { version: Number(version) } }),
      });
      return { channel: { revision } };
    },
    async delete(
      { ns, name, channel }: { ns: string; name: string; channel: string },
      { author }: typeof by,
    ) {
      await records.commit<Json>(scope(ns, name), {
        ...{ key: key(name, channel), ...author },
        decide: () => ({ type: 'delete' }),
      });
    },
  } as unknown as Channels;
  const versions = {
    find: async (_: string, __: string, version: string) => ({ version: Number(version) }),
  } as unknown as Versions;
  stores = { records, applications, keyValues, channels, versions };
  executor = new ConfigExecutor({ stores, callerOf: anyMaker, publicUrl: undefined });
});

afterAll(() => cosmos.stop());

const COMMAND = {
  apps: { web: { color: 'blue' } },
  keys: { 's/a/b': [1, null], 's/c': 'text' },
  channels: { 'site/stable': 3 },
};

/** Does a step in a namespace of the test's own. */
async function start(
  verb: StepRequest['verb'],
  ns: string,
  command: Json,
  outputs: StepRequest['outputs'] = {},
): Promise<Extract<StepOutcome, { state: 'succeeded' }>> {
  const outcome = await executor.start(stepRequest(verb, command, { ns, outputs }));
  if (outcome.state !== 'succeeded') throw new Error(JSON.stringify(outcome));
  return outcome;
}

async function standing(ns: string): Promise<string[]> {
  const keys = ['/app/web', '/kv/s/a/b', '/kv/s/c', '/kv/s/new', '/bundle/site/channels/stable'];
  const found = await Promise.all(
    keys.map(async (key) => {
      const [, kind = '', name = ''] = key.split('/');
      const record = await records.get({ ns, kind, name: kind === 'app' ? '' : name }, key);
      return record === undefined ? [] : [key];
    }),
  );
  return found.flat();
}

describe('the executor of configurations', () => {
  it('writes as whoever sent the command, once, and takes away what it wrote', async () => {
    const ns = 'whole';
    const { outputs } = await start('create', ns, COMMAND);
    expect((await applications.get(ns, 'web'))?.config).toEqual({ color: 'blue' });
    expect((await keyValues.get(ns, 's', 'a/b'))?.value).toEqual([1, null]);
    const [change] = await records.changes({ ns, kind: 'app', name: '' }, { above: 0 });
    expect(change).toMatchObject({
      actor: 'local',
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
    });
    const before = await records.position({ ns, kind: 'kv', name: 's' });
    expect(await start('create', ns, COMMAND)).toMatchObject({ outputs: { written: { '/app/web': 1 } } });
    expect(await records.position({ ns, kind: 'kv', name: 's' })).toBe(before);

    const { log } = await start('destroy', ns, COMMAND, outputs);
    expect(await standing(ns)).toEqual([]);
    expect(log).toEqual([
      expect.stringContaining('/app/web, /kv/s/a/b, /kv/s/c, /bundle/site/channels/stable'),
    ]);
    expect((await start('destroy', ns, COMMAND, outputs)).log).toEqual(['Removed nothing.']);
  });

  it('leaves alone what it did not write, and what somebody has written since', async () => {
    const ns = 'others';
    await keyValues.put(ns, 's', 'new', { value: 1 }, by);
    const { outputs } = await start('create', ns, COMMAND);
    await keyValues.put(ns, 's', 'c', { value: 'mine' }, by);
    await start('destroy', ns, COMMAND, outputs);
    expect(await standing(ns)).toEqual(['/kv/s/c', '/kv/s/new']);
  });

  it('removes by itself no more than carries its trace, whatever the outputs of another executor say that it wrote', async () => {
    const ns = 'planned';
    await start('create', ns, { keys: { 's/new': 1 } });
    const { keyValue } = await keyValues.put(ns, 's', 'c', { value: 'mine' }, by);
    const outputs = { written: { '/kv/s/new': 1, '/kv/s/c': keyValue.revision } };
    const request = stepRequest('destroy', {}, { ns, outputs, actor: 'system:planned-destruction' });
    expect(await executor.start(request)).toMatchObject({ log: ['Removed /kv/s/new.'] });
    expect(await standing(ns)).toEqual(['/kv/s/c']);
  });

  it('knows its own again after a crash in which its outputs were lost, and what stood there before', async () => {
    const ns = 'crash';
    await keyValues.put(ns, 's', 'c', { value: 'text' }, by);
    await start('create', ns, COMMAND);
    await start('destroy', ns, COMMAND);
    expect(await standing(ns)).toEqual(['/kv/s/c']);
  });

  it('takes away what an update no longer names, and what the command of its end does not', async () => {
    const ns = 'update';
    const { outputs } = await start('create', ns, COMMAND);
    const updated = await start('update', ns, { keys: { 's/new': 1 } }, outputs);
    expect(await standing(ns)).toEqual(['/kv/s/new']);
    await start('run', ns, { keys: { 's/c': 1 } }, updated.outputs);
    expect(await standing(ns)).toEqual(['/kv/s/c', '/kv/s/new']);
    await start('destroy', ns, {}, updated.outputs);
    expect(await standing(ns)).toEqual(['/kv/s/c']);
  });

  it('that fails midway tells what stands all the same, for whoever takes it away', async () => {
    const ns = 'midway';
    const { outputs } = await start('create', ns, { keys: { 's/c': 1 } });
    // The refusal comes first, while the others are being written.
    const command = { channels: { 'none/x': 1 }, apps: COMMAND.apps, keys: { 's/a/b': 2, 's/new': 3 } };
    const failed = await executor.start(stepRequest('update', command, { ns, outputs: outputs ?? {} }));
    expect(failed).toMatchObject({ state: 'failed', isPassing: false });
    expect(await standing(ns)).toEqual(['/app/web', '/kv/s/a/b', '/kv/s/c', '/kv/s/new']);
    const left = failed.state === 'failed' ? failed.outputs : undefined;
    await start('destroy', ns, { keys: { 's/c': 1 } }, left);
    expect(await standing(ns)).toEqual([]);
  });

  it('that does not know whether it wrote tells so too, and leaves alone what somebody else wrote', async () => {
    const ns = 'unknown';
    await keyValues.put(ns, 's', 'new', { value: 'of somebody else' }, by);
    const lossy = {
      put: async (...args: Parameters<KeyValues['put']>) => {
        if (args[2] !== 'new') await keyValues.put(...args);
        throw unavailable('Away.');
      },
    } as unknown as KeyValues;
    const stores = { records, applications, keyValues: lossy, channels, versions: {} as Versions };
    const command = { keys: { 's/c': 1, 's/new': 1 } };
    const failed = await new ConfigExecutor({ stores, callerOf: anyMaker, publicUrl: undefined }).start(
      stepRequest('update', command, { ns }),
    );
    expect(failed).toMatchObject({ state: 'failed', isPassing: true });
    expect(await standing(ns)).toEqual(['/kv/s/c', '/kv/s/new']);
    await start('destroy', ns, {}, failed.state === 'failed' ? failed.outputs : undefined);
    expect(await standing(ns)).toEqual(['/kv/s/new']);
  });

  it('tells how it differs from what is there', async () => {
    const ns = 'drift';
    const observe = () => executor.observe(stepRequest('refresh', COMMAND, { ns }));
    expect(await observe()).toMatchObject({ exists: false });
    await start('create', ns, COMMAND);
    expect(await observe()).toEqual({ exists: true });
    await keyValues.put(ns, 's', 'c', { value: 'x' }, by);
    await applications.delete(ns, 'web', by);
    expect(await observe()).toEqual({ exists: true, difference: 'missing: /app/web; changed: /kv/s/c' });
  });

  it.each<[string, Json]>([
    ['another member', { app: {} }],
    ['a key without a store', { keys: { a: 1 } }],
    ['a name that is none', { apps: { 'a b': 1 } }],
    ['a key that is none', { keys: { 's/../x': 1 } }],
    ['no object', 'x'],
  ])('fails for ever with %s', async (_, command) => {
    const outcome = await executor.start(stepRequest('create', command, { ns: 'wrong' }));
    expect(outcome).toMatchObject({ state: 'failed', isPassing: false });
  });

  it('does nothing at all where whoever sent the command may not do all of it, and takes away no more than they may', async () => {
    const ns = 'rights';
    const denied = new Set(['write /kv/s/c']);
    const callerOf: CallerOf = async (maker) => ({
      maker,
      may: (verb, where, key) => where === ns && !denied.has(`${verb} ${key}`),
    });
    const bound = new ConfigExecutor({ stores, callerOf, publicUrl: undefined });
    const attempt = (verb: StepRequest['verb'], command: Json, outputs: StepRequest['outputs'] = {}) =>
      bound.start(stepRequest(verb, command, { ns, outputs }));
    const reason = expect.stringContaining('may not');
    const failed = { state: 'failed', isPassing: false, reason };
    expect(await attempt('create', COMMAND)).toMatchObject(failed);
    expect(await standing(ns)).toEqual([]);
    denied.clear();
    const { outputs = {} } = (await attempt('create', COMMAND)) as { outputs?: StepRequest['outputs'] };
    const all = await standing(ns);
    denied.add('delete /kv/s/a/b').add('read /app/web');
    expect(await attempt('destroy', COMMAND, outputs)).toMatchObject(failed);
    expect(await attempt('update', { apps: { web: {} } }, outputs)).toMatchObject(failed);
    expect(await standing(ns)).toEqual(all);
    expect((await applications.get(ns, 'web'))?.config).toEqual({ color: 'blue' });
    await expect(bound.observe(stepRequest('refresh', COMMAND, { ns }))).rejects.toThrow('may not read');
  });

  it('writes no secret that stands in clear in its command, nor tells whether one is right', async () => {
    const ns = 'secrets';
    const { application } = await applications.put(
      ns,
      'web',
      { config: { a: { $secret: 'hunter2' } }, schema: undefined },
      by,
    );
    const inClear = { apps: { web: { a: { $secret: 'hunter2' } } } };
    const outcome = await executor.start(stepRequest('create', inClear, { ns }));
    expect(outcome).toMatchObject({ state: 'failed', isPassing: false });
    expect(JSON.stringify(outcome)).not.toContain('hunter2');
    await expect(executor.observe(stepRequest('create', inClear, { ns }))).rejects.toThrow('in clear');

    const sealed = { apps: { web: application.config, api: { b: { $ref: 'keyvault://skerry/db' } } } };
    const { outputs = {} } = await start('create', ns, sealed);
    expect(await executor.observe(stepRequest('create', sealed, { ns, outputs }))).toEqual({ exists: true });
  });

  it('says that storage which does not answer may answer later', async () => {
    const away = { put: () => Promise.reject(unavailable('Away.')) } as unknown as KeyValues;
    const stores = { records, applications, keyValues: away, channels, versions: {} as Versions };
    const outcome = await new ConfigExecutor({ stores, callerOf: anyMaker, publicUrl: undefined }).start(
      stepRequest('create', { keys: { 's/a': 1 } }),
    );
    expect(outcome).toMatchObject({
      state: 'failed',
      isPassing: true,
      reason: expect.stringContaining('/kv/s/a: Away.'),
    });
  });
});
