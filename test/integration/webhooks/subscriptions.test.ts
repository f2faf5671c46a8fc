import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Json, Records } from '../../../shared/records/index.ts';
import {
  NesoiHooks,
  type SubscriptionInput,
  Subscriptions,
  withState,
} from '../../../shared/webhooks/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { testSealer } from './test-sealer.ts';

const author = { actor: 'test' };
const input = { name: 'dm', key: '/app/dm', endpoint: 'https://example.com/hook' };
const hook = { name: 'h', endpoint: 'https://example.com/h', baseUrl: 'http://skerry.example' };

let cosmos: CosmosFixture;
let records: Records;
let subscriptions: Subscriptions;
let hooks: NesoiHooks;
let ns: string;
let namespaces = 0;

beforeAll(async () => {
  cosmos = await startCosmos();
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  records = new Records({ container, clock: systemClock, random: systemRandom });
  const endpointPolicy = { allowPrivate: false, ports: [443] };
  subscriptions = new Subscriptions({
    records,
    clock: systemClock,
    random: systemRandom,
    sealer: testSealer,
    endpointPolicy,
  });
  hooks = new NesoiHooks({ subscriptions, endpointPolicy });
});

afterAll(async () => {
  await cosmos.stop();
});

beforeEach(() => {
  namespaces += 1;
  ns = `ns${namespaces}`;
});

test('a subscription is stored under an id of its own and read back as it was given', async () => {
  const { secret: _, ...created } = await subscriptions.create(ns, input, author);
  expect(created).toMatchObject({ ...input, format: 'standard', state: 'active', revision: 1 });
  expect(created.id).toMatch(/^sub_[0-9a-z]{26}$/);
  expect(await subscriptions.get(ns, created.id)).toEqual(created);
  const other = await subscriptions.create(ns, input, author);
  expect(other.id).not.toBe(created.id);
  const listing = await subscriptions.list(ns);
  expect(listing.revision).toBe(2);
  expect(listing.subscriptions).toHaveLength(2);
});

test.each([
  ['a key that cannot be watched', { ...input, key: '/apps' }, 'key'],
  ['a pattern that covers nothing', { ...input, key: '/app/*/x' }, 'key'],
  ['a mode without CloudEvents', { ...input, mode: 'binary' as const }, 'mode'],
  ['no JSON Pointer', { ...input, changed: ['/a', 'b'] }, 'changed[1]'],
  ['half an escape', { ...input, fields: ['/a~2'] }, 'fields[0]'],
  ['a header of the request’s own', { ...input, headers: { 'Webhook-Id': 'x' } }, 'headers.webhook-id'],
  ['an endpoint on a private address', { ...input, endpoint: 'https://10.0.0.1' }, 'endpoint'],
])('%s is refused and nothing is written', async (_, faulty, field) => {
  await expect(subscriptions.create(ns, faulty, author)).rejects.toMatchObject({ kind: 'invalid', field });
  expect((await subscriptions.list(ns)).revision).toBe(0);
});

test('where a subscription begins is the revision of its scope, whoever wrote it', async () => {
  const elsewhere = new Records({
    container: cosmos.connect().container(COSMOS_CONTAINERS.records.id),
    clock: systemClock,
    random: systemRandom,
  });
  const write = (config: number) =>
    elsewhere.commit<Json>(
      { ns, kind: 'app', name: '' },
      { key: '/app/dm', ...author, decide: () => ({ type: 'put', value: config }) },
    );
  await write(1);
  expect((await subscriptions.create(ns, input, author)).since).toEqual({ scope: `${ns}:app:`, revision: 1 });
  await write(2);
  expect((await subscriptions.create(ns, input, author)).since).toEqual({ scope: `${ns}:app:`, revision: 2 });
  const below = await subscriptions.create(ns, { ...input, key: '/app/d*' }, author);
  expect(below.since).toEqual({ scope: `${ns}:app:`, revision: 2 });
  for (const key of ['/srv', '/srv/*', '/kv/a*/x']) {
    const wide = await subscriptions.create(ns, { ...input, key }, author);
    expect(wide.since).toEqual({ at: expect.any(String) });
  }
});

describe('replacing a subscription', () => {
  test('keeps where it begins unless the key changes', async () => {
    const created = await subscriptions.create(ns, input, author);
    await records.commit<Json>(
      { ns, kind: 'app', name: '' },
      { key: '/app/dm', ...author, decide: () => ({ type: 'put', value: 1 }) },
    );
    const renamed = await subscriptions.replace(ns, created.id, { ...input, name: 'other' }, author);
    expect(renamed).toMatchObject({ name: 'other', revision: 2, since: created.since });
    const moved = await subscriptions.replace(ns, created.id, { ...input, key: '/app' }, author);
    expect(moved).toMatchObject({ name: 'dm', revision: 3, since: { scope: `${ns}:app:`, revision: 1 } });
    expect(moved.createdAt).toBe(created.createdAt);
  });

  test('by an equal one changes nothing', async () => {
    const said: SubscriptionInput = {
      ...input,
      format: 'cloudevents',
      types: ['put'],
      changed: ['/a'],
      fields: ['/a'],
      ordered: true,
      headers: { Authorization: 'Bearer x' },
    };
    const { secret: _, ...created } = await subscriptions.create(ns, said, author);
    const again = {
      ...said,
      mode: 'structured',
      signature: 'v1',
      headers: { authorization: 'Bearer x' },
    } as const;
    expect(await subscriptions.replace(ns, created.id, again, author)).toEqual(created);
  });

  test('removes what is left out, and leaves keys and state', async () => {
    const said = {
      ...input,
      format: 'cloudevents',
      ordered: true,
      fields: ['/a'],
      headers: { 'x-a': 'b' },
    } as const;
    const created = await subscriptions.create(ns, said, author);
    await subscriptions.update(ns, created.id, author, (value) => withState(value, 'paused', 0, 'because'));
    const replaced = await subscriptions.replace(ns, created.id, input, author);
    expect(replaced).toMatchObject({ format: 'standard', state: 'paused', reason: 'because' });
    expect(replaced.signing).toEqual(created.signing);
    for (const member of ['mode', 'ordered', 'fields', 'headers']) {
      expect(replaced).not.toHaveProperty(member);
    }
  });

  test('does not change how it is signed', async () => {
    const { id } = await subscriptions.create(ns, input, author);
    const other = { ...input, signature: 'v1a' } as const;
    await expect(subscriptions.replace(ns, id, other, author)).rejects.toMatchObject({
      kind: 'conflict',
      field: 'signature',
      fix: expect.stringContaining('rotate-secret'),
    });
  });

  test('heeds the precondition, and needs something to replace', async () => {
    const created = await subscriptions.create(ns, input, author);
    await expect(
      subscriptions.replace(ns, created.id, { ...input, name: 'x' }, author, { ifMatch: ['"7"'] }),
    ).rejects.toMatchObject({ kind: 'precondition-failed' });
    await expect(subscriptions.replace(ns, 'sub_none', input, author)).rejects.toMatchObject({
      kind: 'not-found',
    });
  });
});

test('a removed subscription is gone', async () => {
  const { id } = await subscriptions.create(ns, input, author);
  await expect(subscriptions.remove(ns, id, author, { ifMatch: ['"9"'] })).rejects.toMatchObject({
    kind: 'precondition-failed',
  });
  expect(await subscriptions.remove(ns, id, author, { ifMatch: ['"1"'] })).toBe(2);
  await expect(subscriptions.get(ns, id)).rejects.toMatchObject({ kind: 'not-found' });
  await expect(subscriptions.remove(ns, id, author)).rejects.toMatchObject({ kind: 'not-found' });
});

describe('Nesoi’s hooks', () => {
  test('are addressed by resource and name, of which there is one', async () => {
    const created = await hooks.create(ns, '/app/dm', hook, author);
    expect(created).toMatchObject({ name: 'h', key: '/app/dm', format: 'nesoi', baseUrl: hook.baseUrl });
    await expect(hooks.create(ns, '/app/dm', hook, author)).rejects.toMatchObject({
      kind: 'conflict',
    });
    await hooks.create(ns, '/app/dm2', hook, author);
    await hooks.create(ns, '/app/dm', { ...hook, name: 'a' }, author);
    const listed = await hooks.list(ns, '/app/dm');
    expect(listed.map(({ name }) => name)).toEqual(['a', 'h']);
    expect(await hooks.get(ns, '/app/dm', 'h')).toEqual(created);
    expect(await subscriptions.get(ns, created.id)).toEqual(created);
  });

  test('are replaced and removed by name, and free to be registered again', async () => {
    await hooks.create(ns, '/srv/web', hook, author);
    const endpoint = 'https://example.com/other';
    const replaced = await hooks.replace(ns, '/srv/web', { ...hook, endpoint }, author);
    expect(replaced).toMatchObject({ endpoint, key: '/srv/web' });
    await hooks.remove(ns, '/srv/web', 'h', author);
    for (const gone of [
      hooks.get(ns, '/srv/web', 'h'),
      hooks.replace(ns, '/srv/web', hook, author),
      hooks.remove(ns, '/srv/web', 'h', author),
    ]) {
      await expect(gone).rejects.toMatchObject({ kind: 'not-found' });
    }
    await hooks.create(ns, '/srv/web', hook, author);
  });

  test('keep name and key on the canonical surface, by which Nesoi addresses them', async () => {
    const { id } = await hooks.create(ns, '/app/dm', hook, author);
    const kept = { name: 'h', key: '/app/dm', endpoint: 'https://example.com/new' };
    expect(await subscriptions.replace(ns, id, kept, author)).toMatchObject({ ...kept, format: 'nesoi' });
    for (const [field, other] of Object.entries({
      name: 'x',
      key: '/app',
      ordered: true,
      headers: {},
      consent: true,
    })) {
      await expect(subscriptions.replace(ns, id, { ...kept, [field]: other }, author)).rejects.toMatchObject({
        kind: 'conflict',
        field,
      });
    }
    expect(await subscriptions.get(ns, id)).not.toHaveProperty('signing');
  });
});
