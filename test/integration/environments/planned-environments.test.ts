import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Versions } from '../../../shared/bundles/index.ts';
import {
  type CreateData,
  EnvironmentPlanner,
  Environments,
  type EnvironmentValue,
  environmentKey,
  environmentLaneKey,
  environmentRules,
  environmentScope,
  type ResourceValue,
  resourceKey,
  Templates,
  templateDefinitionSchema,
  toDefinition,
} from '../../../shared/environments/index.ts';
import type { CommandRule, Current, Operation, StepValue, Writes } from '../../../shared/operations/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import { SkerryError } from '../../../shared/platform/errors.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { type Json, Records, type StoredRecord } from '../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';

const NS = 'default';
const by = { author: { actor: 'test' } };

let cosmos: CosmosFixture;
let records: Records;
let templates: Templates;
let planner: EnvironmentPlanner;
let rules: ReadonlyMap<string, CommandRule>;

beforeAll(async () => {
  cosmos = await startCosmos();
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  records = new Records({ container, clock: systemClock, random: systemRandom });
  templates = new Templates({ records, isExecutor: (name) => name === 'config' });
  planner = new EnvironmentPlanner({ records, templates });
  rules = rulesWith(planner);
});

function rulesWith(environmentPlanner: EnvironmentPlanner): ReadonlyMap<string, CommandRule> {
  const parts = { records, templates, environmentPlanner, clock: systemClock, versions: {} as Versions };
  return new Map(environmentRules(parts).map((rule) => [rule.type, rule]));
}

afterAll(() => cosmos.stop());

function definition(members: object) {
  return toDefinition(templateDefinitionSchema.parse({ name: 'T', ...members }));
}

const put = (id: string, members: object, ns = NS) => templates.put(ns, id, definition(members), by);

async function errorOf(work: Promise<unknown>): Promise<SkerryError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SkerryError)) throw error;
  return error;
}

const ACTION = {
  name: 'make',
  executor: 'config',
  command: { apps: { '${resource.id}': '${parameters.size}' } },
};
const NET = {
  parameters: { size: { type: 'integer', default: 3 } },
  actions: [ACTION],
  resources: [
    { id: 'vnet', actions: { create: 'make', destroy: 'make' } },
    { id: 'gw', dependsOn: ['vnet'], actions: { create: 'make', destroy: 'make' } },
  ],
  resourceGroups: [{ id: 'all', resources: ['vnet', 'gw'] }],
  entrypoints: ['https://${environment.id}.example.org/'],
};

describe('templates', () => {
  it('have versions, of which equal ones are none', async () => {
    const ns = 'versions';
    const first = await put('t', {}, ns);
    expect(first).toMatchObject({
      created: true,
      template: { id: 't', version: 1, name: 'T', resources: [] },
    });
    expect(await put('t', {}, ns)).toEqual({ template: first.template, created: false });
    expect((await put('t', { commit: 'c1' }, ns)).template.version).toBe(2);
    expect((await put('t', {}, ns)).template.version).toBe(3);
    expect(await templates.get(ns, 't')).toMatchObject({ version: 3 });
    expect(await templates.version(ns, 't', 2)).toMatchObject({ version: 2, commit: 'c1' });
    expect((await templates.versions(ns, 't', { limit: 2 })).items.map(({ version }) => version)).toEqual([
      3, 2,
    ]);
  });

  it('that are put at a time all get a number of their own', async () => {
    const puts = Array.from({ length: 8 }, (_, index) => put('t', { commit: `c${index}` }, 'racing'));
    const versions = (await Promise.all(puts)).map(({ template }) => template.version);
    expect(versions.sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('are listed by their ids, page by page, without their versions', async () => {
    const ns = 'listing';
    for (const id of ['b', 'a', 'a-b', 'a_b', 'c']) await put(id, {}, ns);
    await put('a', { commit: 'c' }, ns);
    const listed = async () => {
      const ids: string[] = [];
      let after: string | undefined;
      do {
        const page = await templates.list(ns, { limit: 2, after });
        ids.push(...page.items.map(({ id, version }) => `${id}@${version}`));
        after = page.next;
      } while (after !== undefined);
      return ids;
    };
    expect(await listed()).toEqual(['a@2', 'a-b@1', 'a_b@1', 'b@1', 'c@1']);
    await templates.delete(ns, 'a-b', by);
    expect(await listed()).toEqual(['a@2', 'a_b@1', 'b@1', 'c@1']);
    await put('a-b', {}, ns);
    expect(await listed()).toEqual(['a@2', 'a-b@2', 'a_b@1', 'b@1', 'c@1']);
  });

  it('do not number a version again when they are deleted and put again', async () => {
    const ns = 'deleting';
    await put('t', {}, ns);
    await templates.delete(ns, 't', by);
    expect(await templates.get(ns, 't')).toBeUndefined();
    expect(await templates.version(ns, 't', 1)).toMatchObject({ version: 1 });
    expect(await put('t', {}, ns)).toMatchObject({ created: true, template: { version: 2 } });
    expect((await errorOf(templates.delete(ns, 'none', by))).kind).toBe('not-found');
  });

  it('of more than 256 KiB are refused', async () => {
    const large = put('t', { actions: [{ ...ACTION, command: 'x'.repeat(256 * 1024) }] }, 'large');
    expect((await errorOf(large)).kind).toBe('too-large');
  });
});

/** Has an operation become the active one. */
async function begin(type: string, data: object) {
  const rule = rules.get(type);
  if (rule === undefined) throw new Error(type);
  await rule.check(NS, data as Json);
  const id = `op_${systemRandom.id()}`;
  const operation = { id, ns: NS, type, data: data as Json, actor: 'test' } as Operation;
  const { scope, key: laneKey } = rule.lane(NS, data as Json);
  const transact = (keys: readonly string[], decide: (current: Current) => Writes) =>
    records.transact<Json>(scope, {
      keys: [...keys, laneKey],
      actor: 'test',
      decide: (current) => ({ writes: decide(current) }),
    });
  await records.commit<Json>(scope, {
    ...{ key: laneKey, actor: 'test' },
    decide: () => ({ type: 'put', value: { active: { operation: id, fence: 1 }, waiting: [], fence: 1 } }),
  });
  await transact(rule.keys(operation), (current) => rule.begin(operation, current, systemClock.now()));
  return { rule, operation, transact };
}

/** Does with an operation what the engine does, all of it at once. */
async function perform(type: string, data: object, fails?: string): Promise<StepValue[]> {
  const { rule, operation, transact } = await begin(type, data);
  const ended: StepValue[] = [];
  for (const planned of await rule.plan(operation)) {
    const filledIn =
      planned.action &&
      (await rule.fillIn?.(operation, { ...planned, state: 'running', attempts: 1, log: [] }));
    const isFailure = planned.id === fails;
    const step: StepValue = {
      ...planned,
      ...(filledIn !== undefined && { action: filledIn.action }),
      ...{ state: isFailure ? 'failed' : 'succeeded', attempts: 1, log: [] },
      ...(isFailure ? { error: 'It broke.' } : { outputs: { of: planned.resource ?? '' } }),
    };
    await transact(rule.stepKeys(operation, step), (current) =>
      rule.stepEnded(operation, step, current, systemClock.now()),
    );
    ended.push(step);
    if (isFailure) break;
  }
  const outcome = ended.some(({ state }) => state === 'failed') ? 'failed' : 'succeeded';
  const end = { outcome, ...(outcome === 'failed' && { error: { reason: 'It broke.' } }) } as const;
  await transact(rule.keys(operation), (current) =>
    rule.conclude(operation, end, current, systemClock.now()),
  );
  return ended;
}

async function environment(id: string): Promise<EnvironmentValue | undefined> {
  return (await records.get<EnvironmentValue>(environmentScope(NS, id), environmentKey(id)))?.value;
}

const create = (id: string, members: Partial<CreateData['environment']> = {}) => ({
  environment: { id, name: 'E', templates: [{ id: 'net' }], ...members },
});

describe('an environment', () => {
  beforeAll(async () => {
    await put('net', NET);
  });

  it('is planned without a change, made, changed and destroyed', async () => {
    const input = create('whole', { entrypoints: ['https://own.example.org/'] });
    const dry = await planner.plan(NS, input.environment);
    expect(dry.create).toEqual(['net.vnet', 'net.gw', 'group:net.all']);
    expect(dry.templates).toEqual([{ id: 'net', version: 1, parameters: { size: 3 } }]);
    expect(await environment('whole')).toBeUndefined();

    const steps = await perform('environment.create', input);
    expect(steps.map(({ id, action }) => [id, action?.command])).toEqual([
      ['create-net.vnet', { apps: { 'net.vnet': 3 } }],
      ['create-net.gw', { apps: { 'net.gw': 3 } }],
      ['create-group.net.all', undefined],
    ]);
    expect(await environment('whole')).toMatchObject({
      state: 'Deployed-Validating',
      templates: dry.templates,
      entrypoints: ['https://own.example.org/', 'https://whole.example.org/'],
    });
    expect((await planner.plan(NS, { id: 'whole' })).keep).toEqual(['net.vnet', 'net.gw', 'group:net.all']);

    await put('net', { ...NET, resources: NET.resources.slice(0, 1), resourceGroups: [] });
    expect(await planner.plan(NS, { id: 'whole' })).toMatchObject({ steps: [] });
    const change = { environment: { id: 'whole', templates: [{ id: 'net', parameters: { size: 5 } }] } };
    expect((await perform('environment.update', change)).map(({ id, dependsOn }) => [id, dependsOn])).toEqual(
      [
        ['update-net.vnet', []],
        ['destroy-group.net.all', []],
        ['destroy-net.gw', ['destroy-group.net.all']],
      ],
    );
    expect(await environment('whole')).toMatchObject({
      name: 'E',
      templates: [{ version: 2, parameters: { size: 5 } }],
    });

    expect((await perform('environment.destroy', { environment: 'whole' })).map(({ id }) => id)).toEqual([
      'destroy-net.vnet',
    ]);
    expect(await environment('whole')).toMatchObject({ state: 'Destroyed' });
    expect((await records.list(environmentScope(NS, 'whole'))).records.map(({ key }) => key)).toEqual([
      environmentKey('whole'),
      environmentLaneKey('whole'),
    ]);
    const again = await errorOf(perform('environment.update', { environment: { id: 'whole' } }));
    expect([again.kind, again.fix]).toEqual(['conflict', expect.stringContaining('forget=true')]);
  });

  it.each([
    ['2001-01-01T00:00:00+02:00', 'is over'],
    ['9999-12-31T23:59:59-12:00', 'after the year 9999'],
  ])(
    'is not planned to be destroyed on %s, also where nobody asked before its turn came',
    async (destructionPlannedOn, word) => {
      for (const type of ['environment.create', 'environment.update']) {
        const rule = rules.get(type);
        const data = { environment: { id: 'dated', name: 'D', destructionPlannedOn } };
        const operation = { id: 'op_1', ns: NS, type, data, actor: 'test' } as unknown as Operation;
        const value = { state: 'Deployed-OK' };
        const standing = new Map([[environmentKey('dated'), { value }]]) as unknown as Current;
        const current = type === 'environment.create' ? new Map() : standing;
        expect(() => rule?.begin(operation, current, systemClock.now())).toThrow(word);
      }
    },
  );

  it('is planned in one version of its templates, whoever plans it and whichever comes meanwhile', async () => {
    await put('moving', NET);
    const input = create('raced', { templates: [{ id: 'moving' }] });
    const { rule, operation, transact } = await begin('environment.create', input);
    const sizesOf = async (one: CommandRule | undefined) =>
      (await one?.plan(operation))?.map(({ action }) => action?.command);
    let others: unknown;
    class SlowPlanner extends EnvironmentPlanner {
      override async plan(...given: Parameters<EnvironmentPlanner['plan']>) {
        const plan = await super.plan(...given);
        if (others === undefined) {
          await put('moving', { ...NET, parameters: { size: { type: 'integer', default: 4 } } });
          others = await sizesOf(rule);
        }
        return plan;
      }
    }
    const slow = rulesWith(new SlowPlanner({ records, templates })).get('environment.create');
    const own = await sizesOf(slow);
    expect(others).toEqual([{ apps: { 'moving.vnet': 4 } }, { apps: { 'moving.gw': 4 } }, undefined]);
    expect(own).toEqual(others);

    await put('moving', NET);
    expect(await sizesOf(rule)).toEqual(others);
    expect((await environment('raced'))?.templates).toMatchObject([{ id: 'moving', version: 2 }]);

    await transact(rule.keys(operation), (current) =>
      rule.conclude(operation, { outcome: 'succeeded' }, current, systemClock.now()),
    );
    const next = await begin('environment.update', {
      environment: { id: 'raced', templates: [{ id: 'net' }] },
    });
    expect((await rule.plan(next.operation)).length).toBeGreaterThan(0);
    expect((await environment('raced'))?.templates).toMatchObject([{ id: 'net' }]);
  });

  it('that fails on the way is made whole by an update, which makes what was never made', async () => {
    await put('shop', {
      actions: [ACTION].map((action) => ({
        ...action,
        command: { keys: { 'a/b': '${resources.db.outputs.of}' } },
      })),
      resources: [
        { id: 'db' },
        { id: 'web', actions: { create: 'make', destroy: 'make' } },
        { id: 'dns', dependsOn: ['web'] },
      ],
    });
    const input = create('broken', { templates: [{ id: 'shop' }] });
    await perform('environment.create', input, 'create-shop.web');
    expect(await environment('broken')).toMatchObject({ state: 'Deployed-Fail', reason: 'It broke.' });
    const { create: made, keep } = await planner.plan(NS, { id: 'broken' });
    expect([made, keep]).toEqual([['shop.web', 'shop.dns'], ['shop.db']]);

    const steps = await perform('environment.update', { environment: { id: 'broken' } });
    expect(steps[0]?.action?.command).toEqual({ keys: { 'a/b': 'shop.db' } });
    expect(await environment('broken')).toMatchObject({ state: 'Deployed-Validating' });

    const [run] = await perform('action.run', {
      environment: 'broken',
      action: 'shop.make',
      resource: 'shop.web',
    });
    expect(run).toMatchObject({ id: 'run-shop.make', action: { command: { keys: { 'a/b': 'shop.db' } } } });
    const refresh = await perform('resource.refresh', { environment: 'broken' });
    expect(refresh.map(({ id }) => id)).toEqual(['refresh-shop.web']);

    await records.commit<ResourceValue>(environmentScope(NS, 'broken'), {
      ...{ key: resourceKey('broken', 'shop.web'), actor: 'test' },
      decide: (current) => ({
        type: 'put',
        value: { ...(current as StoredRecord<ResourceValue>).value, drift: 'It is not there.' },
      }),
    });
    expect(await planner.plan(NS, { id: 'broken' })).toMatchObject({
      update: ['shop.web'],
      keep: ['shop.db', 'shop.dns'],
    });

    const inUse = await errorOf(templates.delete(NS, 'shop', by));
    expect([inUse.kind, inUse.extensions]).toEqual(['conflict', { environments: ['broken'] }]);
  });

  it('tells all that is wrong with it at once', async () => {
    const parameters = JSON.parse('{"size": "x", "__proto__": 1, "constructor": 2}') as Record<string, Json>;
    const asked = [{ id: 'net', parameters }, { id: 'none' }, { id: 'net', version: 9 }];
    const error = await errorOf(perform('environment.create', create('faulty', { templates: asked })));
    expect(error.kind).toBe('unprocessable');
    expect((error.extensions.faults as { field: string }[]).map(({ field }) => field)).toEqual([
      'templates[0].parameters.__proto__',
      'templates[0].parameters.constructor',
      'templates[0].parameters.size',
      'templates[1].id',
      'templates[2].id',
    ]);
    expect(await environment('faulty')).toBeUndefined();
  });

  it('has no more commands than can be kept', async () => {
    await put('large', {
      actions: [{ ...ACTION, command: 'x'.repeat(200_000) }],
      resources: Array.from({ length: 200 }, (_, index) => ({
        id: `r${index}`,
        actions: { create: 'make' },
      })),
    });
    const input = create('large', { templates: [{ id: 'large' }] }).environment;
    expect((await errorOf(planner.plan(NS, input))).message).toContain('come to more than 8 MiB');
  });

  it.each<[string, string, object, string]>([
    ['a second time', 'environment.create', create('there'), 'There is an environment "there" already.'],
    [
      'that is not there',
      'environment.update',
      { environment: { id: 'none' } },
      'There is no environment "none".',
    ],
    ['that is not there', 'environment.destroy', { environment: 'none' }, 'There is no environment "none".'],
    [
      'for a time that is over',
      'environment.create',
      create('late', { destructionPlannedOn: '2020-01-01T00:00:00Z' }),
      '2020-01-01T00:00:00Z is over.',
    ],
    ['an unknown action', 'action.run', { environment: 'there', action: 'net.x' }, 'has no action "x".'],
    [
      'of another template',
      'action.run',
      { environment: 'there', action: 'x.x' },
      'is not made from a template "x".',
    ],
    [
      'for a resource that is none',
      'action.run',
      { environment: 'there', action: 'net.make', resource: 'net.x' },
      'has no resource "net.x".',
    ],
    [
      'what needs a resource',
      'action.run',
      { environment: 'there', action: 'net.make' },
      'There is nothing that "${resource.id}" stands for.',
    ],
    [
      'what is not there',
      'resource.refresh',
      { environment: 'there', resource: 'net.x' },
      'has no resource "net.x".',
    ],
  ])('is refused %s: %s', async (_, type, data, message) => {
    if ((await environment('there')) === undefined) await perform('environment.create', create('there'));
    expect((await errorOf(perform(type, data))).message).toContain(message);
  });

  it('depends on no template that it does not have, and on none in a circle', async () => {
    await put('base', { resources: [{ id: 'r' }] });
    await put('top', { resources: [{ id: 'r', dependsOn: ['base.r'] }] });
    const alone = await errorOf(planner.plan(NS, create('x', { templates: [{ id: 'top' }] }).environment));
    expect(alone.message).toBe('"top.r" depends on "base.r", which the environment does not have.');
    // Each was right when it was put; together they are not.
    await put('base', { resources: [{ id: 'r', dependsOn: ['top.r'] }] });
    const both = create('x', { templates: [{ id: 'top' }, { id: 'base' }] }).environment;
    expect((await errorOf(planner.plan(NS, both))).message).toBe(
      'What depends on what goes in a circle: top.r -> base.r -> top.r.',
    );
  });

  it('has another entity tag when something changed that is told of it or is going to change it, and only then', async () => {
    if ((await environment('tagged')) === undefined) await perform('environment.create', create('tagged'));
    const environments = new Environments({ records, templates });
    const tag = async () => (await environments.get(NS, 'tagged'))?.tag;
    const put = async (key: string, value: object) =>
      await records.commit(environmentScope(NS, 'tagged'), {
        key,
        actor: 'test',
        decide: () => ({ type: 'put', value: value as Json }),
      });
    const laneKey = environmentLaneKey('tagged');
    const active = { operation: 'op_1', fence: 1 };
    const before = await tag();
    await put(laneKey, { waiting: [], fence: 1, active });
    const working = await tag();
    expect(working).not.toBe(before);
    await put(laneKey, { waiting: ['op_2'], fence: 1, active });
    // Who knows the tag of before does not know of an update that is accepted already.
    expect(await tag()).not.toBe(working);
    await put(laneKey, { waiting: [], fence: 1, active: { ...active, outcome: 'succeeded' } });
    const over = await tag();
    await put(laneKey, { waiting: [], fence: 1 });
    expect(await tag()).toBe(over);
    await put(`${environmentKey('tagged')}/resources/by-hand`, { name: 'R' });
    expect(await tag()).not.toBe(over);
  });
});
