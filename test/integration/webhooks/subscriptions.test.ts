import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Json, Records } from '../../../shared/records/index.ts';
import { Subscriptions } from '../../../shared/webhooks/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';

const author = { actor: 'test' };
const input = { name: 'dm', key: '/app/dm', endpoint: 'https://example.com/hook' };
const hook = { name: 'h', endpoint: 'https://example.com/h', baseUrl: 'http://skerry.example' };

let cosmos: CosmosFixture;
let records: Records;
let subscriptions: Subscriptions;
let ns: string;
let namespaces = 0;

beforeAll(async () => {
  cosmos = await startCosmos();
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  records = new Records({ container, clock: systemClock, random: systemRandom });
  subscriptions = new Subscriptions({
    records,
    clock: systemClock,
    random: systemRandom,
    endpointPolicy: { allowPrivate: false, ports: [443] },
  });
});

afterAll(async () => {
  await cosmos.stop();
});

beforeEach(() => {
  namespaces += 1;
  ns = `ns${namespaces}`;
});

test('a subscription is stored under an id of its own and read back as it was given', async () => {
  const created = await subscriptions.create(ns, input, author);
  expect(created).toMatchObject({ ...input, format: 'standard', revision: 1 });
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
  const wide = await subscriptions.create(ns, { ...input, key: '/srv' }, author);
  expect(wide.since).toEqual({ at: expect.any(String) });
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
    const created = await subscriptions.create(ns, input, author);
    expect(await subscriptions.replace(ns, created.id, input, author)).toEqual(created);
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
    const created = await subscriptions.createHook(ns, '/app/dm', hook, author);
    expect(created).toMatchObject({ name: 'h', key: '/app/dm', format: 'nesoi', baseUrl: hook.baseUrl });
    await expect(subscriptions.createHook(ns, '/app/dm', hook, author)).rejects.toMatchObject({
      kind: 'conflict',
    });
    await subscriptions.createHook(ns, '/app/dm2', hook, author);
    await subscriptions.createHook(ns, '/app/dm', { ...hook, name: 'a' }, author);
    const listed = await subscriptions.listHooks(ns, '/app/dm');
    expect(listed.map(({ name }) => name)).toEqual(['a', 'h']);
    expect(await subscriptions.getHook(ns, '/app/dm', 'h')).toEqual(created);
    expect(await subscriptions.get(ns, created.id)).toEqual(created);
  });

  test('are replaced and removed by name, and free to be registered again', async () => {
    await subscriptions.createHook(ns, '/srv/web', hook, author);
    const endpoint = 'https://example.com/other';
    const replaced = await subscriptions.replaceHook(ns, '/srv/web', { ...hook, endpoint }, author);
    expect(replaced).toMatchObject({ endpoint, key: '/srv/web' });
    await subscriptions.removeHook(ns, '/srv/web', 'h', author);
    for (const gone of [
      subscriptions.getHook(ns, '/srv/web', 'h'),
      subscriptions.replaceHook(ns, '/srv/web', hook, author),
      subscriptions.removeHook(ns, '/srv/web', 'h', author),
    ]) {
      await expect(gone).rejects.toMatchObject({ kind: 'not-found' });
    }
    await subscriptions.createHook(ns, '/srv/web', hook, author);
  });

  test('keep name and key on the canonical surface, by which Nesoi addresses them', async () => {
    const { id } = await subscriptions.createHook(ns, '/app/dm', hook, author);
    const kept = { name: 'h', key: '/app/dm', endpoint: 'https://example.com/new' };
    expect(await subscriptions.replace(ns, id, kept, author)).toMatchObject({ ...kept, format: 'nesoi' });
    await expect(subscriptions.replace(ns, id, { ...kept, key: '/app' }, author)).rejects.toMatchObject({
      kind: 'conflict',
      field: 'key',
    });
  });
});
