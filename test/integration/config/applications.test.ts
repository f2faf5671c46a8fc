import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Applications } from '../../../shared/config/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { Records } from '../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { configSecrets } from './config-secrets-fixture.ts';

let cosmos: CosmosFixture;
let records: Records;
let applications: Applications;

const by = { author: { actor: 'test' } };

beforeAll(async () => {
  cosmos = await startCosmos();
  records = openRecords();
  applications = new Applications(records, configSecrets());
});

afterAll(() => cosmos.stop());

function openRecords(): Records {
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  return new Records({ container, clock: systemClock, random: systemRandom });
}

describe('putting an application', () => {
  it('creates it, then replaces it, each with a revision of its own', async () => {
    const first = await applications.put('put', 'dm', { config: { a: 1 }, schema: undefined }, by);
    expect(first).toMatchObject({
      created: true,
      application: { name: 'dm', config: { a: 1 }, revision: 1 },
    });
    const second = await applications.put('put', 'dm', { config: { a: 2 }, schema: undefined }, by);
    expect(second).toMatchObject({ created: false, application: { config: { a: 2 }, revision: 2 } });
    expect(second.application.createdAt).toBe(first.application.createdAt);
    expect(await applications.get('put', 'dm')).toEqual(second.application);
  });

  it('changes nothing when it stands there already, whatever the order of its members', async () => {
    const input = {
      config: { a: 1, b: { c: [1, 2], d: null } },
      schema: { type: 'object', required: ['a'] },
    };
    const first = await applications.put('equal', 'dm', input, by);
    const again = await applications.put(
      'equal',
      'dm',
      {
        config: { b: { d: null, c: [1, 2] }, a: 1 },
        schema: { required: ['a'], type: 'object' },
      },
      by,
    );
    expect(again).toEqual({ created: false, application: first.application });
    expect((await applications.list('equal')).revision).toBe(1);
  });

  it('removes a schema that is left out, and obeys one that is kept', async () => {
    const schema = { type: 'object', required: ['host'] };
    await applications.put('schema', 'dm', { config: { host: 'a' }, schema }, by);
    const kept = await applications.put('schema', 'dm', { config: { host: 'b' }, schema: 'keep' }, by);
    expect(kept.application.schema).toEqual(schema);
    const fresh = new Applications(openRecords(), configSecrets());
    await expect(fresh.put('schema', 'dm', { config: {}, schema: 'keep' }, by)).rejects.toMatchObject({
      kind: 'unprocessable',
      field: 'config.host',
    });
    const free = await applications.put('schema', 'dm', { config: {}, schema: undefined }, by);
    expect(free.application).not.toHaveProperty('schema');
  });

  it('writes nothing that its schema refuses', async () => {
    const refused = applications.put('refused', 'dm', { config: 3, schema: { type: 'string' } }, by);
    await expect(refused).rejects.toMatchObject({ kind: 'unprocessable', field: 'config' });
    expect(await applications.get('refused', 'dm')).toBeUndefined();
    expect((await applications.list('refused')).revision).toBe(0);
  });

  it('keeps the extra fields of another surface unless it brings its own', async () => {
    await applications.put('extra', 'dm', { config: 1, schema: 'keep', extra: { owner: 'us' } }, by);
    const kept = await applications.put('extra', 'dm', { config: 2, schema: undefined }, by);
    expect(kept.application).toMatchObject({ config: 2, extra: { owner: 'us' } });
    const same = await applications.put('extra', 'dm', { config: 2, schema: undefined }, by);
    expect(same.application.revision).toBe(kept.application.revision);
    const cleared = await applications.put('extra', 'dm', { config: 2, schema: undefined, extra: {} }, by);
    expect(cleared.application).not.toHaveProperty('extra');
  });

  it('keeps any JSON value as it is', async () => {
    for (const config of [
      null,
      false,
      0,
      '',
      [],
      {},
      [null],
      { constructor: { prototype: 1 } },
      'ü\u0000🚢',
    ]) {
      await applications.put('json', 'dm', { config, schema: undefined }, by);
      expect((await applications.get('json', 'dm'))?.config).toEqual(config);
    }
  });

  it('refuses a configuration over 256 KiB', async () => {
    const config = 'x'.repeat(256 * 1024 - 1);
    await expect(applications.put('large', 'dm', { config, schema: undefined }, by)).rejects.toMatchObject({
      kind: 'too-large',
      field: 'config',
    });
  });
});

describe('preconditions', () => {
  it('hold at most one of two writers that saw the same revision', async () => {
    const { application } = await applications.put('race', 'dm', { config: 0, schema: undefined }, by);
    const precondition = { ifMatch: [`"${application.revision}"`] };
    const rivals = [applications, new Applications(openRecords(), configSecrets())].map((store, index) =>
      store.put('race', 'dm', { config: index + 1, schema: undefined }, { ...by, precondition }),
    );
    const outcomes = await Promise.allSettled(rivals);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes).toContainEqual({
      status: 'rejected',
      reason: expect.objectContaining({ kind: 'precondition-failed' }),
    });
  });

  it('let exactly one of many creators through', async () => {
    const options = { ...by, precondition: { ifNoneMatch: '*' as const } };
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        applications.put('create', 'dm', { config: index, schema: undefined }, options),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await applications.list('create')).revision).toBe(1);
  });

  it('are looked at before an equal value is kept', async () => {
    await applications.put('stale', 'dm', { config: 1, schema: undefined }, by);
    const put = applications.put(
      'stale',
      'dm',
      { config: 1, schema: undefined },
      { ...by, precondition: { ifMatch: ['"99"'] } },
    );
    await expect(put).rejects.toMatchObject({ kind: 'precondition-failed' });
  });
});

describe('deleting an application', () => {
  it('removes it with a revision of its own, once', async () => {
    await applications.put('delete', 'dm', { config: 1, schema: undefined }, by);
    expect(await applications.delete('delete', 'dm', by)).toBe(2);
    expect(await applications.get('delete', 'dm')).toBeUndefined();
    await expect(applications.delete('delete', 'dm', by)).rejects.toMatchObject({ kind: 'not-found' });
    const reborn = await applications.put('delete', 'dm', { config: 1, schema: undefined }, by);
    expect(reborn).toMatchObject({ created: true, application: { revision: 3 } });
  });

  it('of what never existed is not found, whatever the precondition', async () => {
    const options = { ...by, precondition: { ifMatch: '*' as const } };
    await expect(applications.delete('delete', 'never', options)).rejects.toMatchObject({
      kind: 'not-found',
    });
  });

  it('heeds If-Match', async () => {
    await applications.put('guarded', 'dm', { config: 1, schema: undefined }, by);
    const options = { ...by, precondition: { ifMatch: ['"7"'] } };
    await expect(applications.delete('guarded', 'dm', options)).rejects.toMatchObject({
      kind: 'precondition-failed',
    });
    expect(await applications.get('guarded', 'dm')).toBeDefined();
  });
});

describe('listing applications', () => {
  it('shows one namespace, by name, in pages', async () => {
    for (const name of ['b', 'a', 'c.1']) {
      await applications.put('list', name, { config: name, schema: undefined }, by);
    }
    await applications.put('elsewhere', 'x', { config: 0, schema: undefined }, by);
    const first = await applications.list('list', { limit: 2 });
    expect(first.applications.map(({ name }) => name)).toEqual(['a', 'b']);
    const second = await applications.list('list', { limit: 2, after: first.next });
    expect(second.applications.map(({ name }) => name)).toEqual(['c.1']);
    expect(second).toMatchObject({ revision: 3 });
    expect(second.next).toBeUndefined();
  });

  it('shows what another process wrote just now', async () => {
    const other = new Applications(openRecords(), configSecrets());
    await applications.list('shared');
    await other.put('shared', 'dm', { config: 1, schema: undefined }, by);
    expect((await applications.list('shared')).applications).toHaveLength(1);
  });
});
