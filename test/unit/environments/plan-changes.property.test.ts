import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stepChanges } from '../../../shared/environments/commands/step-changes.ts';
import {
  type EnvironmentValue,
  environmentKey,
  groupsPrefix,
  type ResourceGroupValue,
  type ResourceValue,
  resourcesPrefix,
  type TemplateDefinition,
  type TemplateUse,
} from '../../../shared/environments/index.ts';
import { circleIn, dependencyGraph } from '../../../shared/environments/planning/dependency-graph.ts';
import { expandTemplate } from '../../../shared/environments/planning/expand-template.ts';
import {
  NOTHING_WANTED,
  type Plan,
  planChanges,
  type Recorded,
  type Wanted,
} from '../../../shared/environments/planning/plan-changes.ts';
import type { PlannedStep, StepValue } from '../../../shared/operations/index.ts';
import type { Json, StoredRecord } from '../../../shared/records/index.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const TEMPLATES = ['a', 'b', 'c'];
const RESOURCES = ['r0', 'r1', 'r2', 'r3'];

interface Version {
  readonly version: number;
  readonly definition: TemplateDefinition;
}

/** A dependency leads to what comes earlier by name, so that there is no circle; with `anyway` it may lead anywhere. */
function definitions(template: number, anyway: boolean) {
  const id = TEMPLATES[template] ?? '';
  const earlier = (index: number) => [
    ...TEMPLATES.slice(0, anyway ? TEMPLATES.length : template).flatMap((other) =>
      RESOURCES.map((one) => `${other}.${one}`),
    ),
    ...RESOURCES.slice(0, anyway ? RESOURCES.length : index),
  ];
  const some = (names: readonly string[]) =>
    names.length === 0
      ? fc.constant<string[]>([])
      : fc.uniqueArray(fc.constantFrom(...names), { maxLength: 2 });
  return fc
    .record({
      version: fc.integer({ min: 1, max: 2 }),
      present: fc.subarray([0, 1, 2, 3]),
      counts: fc.array(fc.constantFrom(0, 1, 1, 1), { minLength: 4, maxLength: 4 }),
      dependencies: fc.tuple(...RESOURCES.map((_, index) => some(earlier(index)))),
      // The group holds the last two, and comes behind what is before all of them.
      groupAfter: some(earlier(2)),
      hasGroup: fc.boolean(),
      dependsOn: fc.subarray(
        anyway ? TEMPLATES.filter((other) => other !== id) : TEMPLATES.slice(0, template),
      ),
    })
    .map(({ version, present, counts, dependencies, groupAfter, hasGroup, dependsOn }): Version => {
      const names = present.map((index) => RESOURCES[index] ?? '');
      return {
        version,
        definition: {
          name: id,
          tags: [],
          parameters: {},
          actions: [{ name: 'do', executor: 'config', command: { of: '${resource.id}' } }],
          resources: present.map((index) => ({
            id: RESOURCES[index] ?? '',
            count: counts[index] ?? 1,
            dependsOn: dependencies[index] ?? [],
            actions: { create: 'do', destroy: 'do' },
          })),
          resourceGroups: hasGroup
            ? [
                {
                  id: 'g',
                  resources: names.filter((name) => name === 'r2' || name === 'r3'),
                  dependsOn: groupAfter,
                },
              ]
            : [],
          dependsOn,
          entrypoints: [],
        },
      };
    });
}

function environments(anyway = false) {
  return fc
    .tuple(fc.subarray([0, 1, 2]), ...TEMPLATES.map((_, index) => definitions(index, anyway)))
    .map(([used, ...versions]) => {
      const uses = new Map<string, Version>();
      for (const index of used) {
        const version = versions[index] as Version | undefined;
        if (version !== undefined) uses.set(TEMPLATES[index] ?? '', version);
      }
      return toWanted(uses);
    });
}

function toWanted(uses: ReadonlyMap<string, Version>): Wanted {
  const expansions = [...uses].map(([id, { version, definition }]) =>
    expandTemplate({ id, version, parameters: {} }, definition, 'e', [], []),
  );
  return {
    templates: expansions.map(({ use, dependsOn }) => ({ ...use, dependsOn })),
    resources: expansions.flatMap(({ resources }) => resources),
    groups: expansions.flatMap(({ groups }) => groups),
  };
}

function templatesBefore(templates: Wanted['templates'], id: string): Set<string> {
  const found = new Set(templates.find((one) => one.id === id)?.dependsOn);
  for (const one of found) {
    for (const further of templates.find(({ id: other }) => other === one)?.dependsOn ?? [])
      found.add(further);
  }
  return found;
}

/** Which resources come before a resource, by what the words mean, and not by how the graph is made. */
function before({ templates, resources, groups }: Wanted): Map<string, Set<string>> {
  const known = new Set(resources.map(({ id }) => id));
  const behindName = (name: string): string[] => {
    const group = groups.find(({ id }) => name === `group:${id}`);
    return group === undefined
      ? [name].filter((one) => known.has(one))
      : [...group.resources, ...group.after.flatMap(behindName)];
  };
  const direct = new Map(
    resources.map(({ id, template, after }) => {
      const others = templatesBefore(templates, template);
      return [
        id,
        new Set([
          ...after.flatMap(behindName),
          ...groups
            .filter((group) => group.resources.includes(id))
            .flatMap((group) => group.after.flatMap(behindName)),
          ...resources.filter((one) => others.has(one.template)).map((one) => one.id),
        ]),
      ] as const;
    }),
  );
  const all = new Map(direct);
  for (let round = 0; round < resources.length; round += 1) {
    for (const [id, some] of all) {
      all.set(id, new Set([...some].flatMap((one) => [one, ...(all.get(one) ?? [])])));
    }
  }
  return all;
}

/** For each step all those that it waits for. */
function waits(steps: readonly PlannedStep[]): Map<string, Set<string>> {
  const all = new Map<string, Set<string>>();
  for (const { id, dependsOn } of steps) {
    for (const other of dependsOn) expect(all.has(other)).toBe(true);
    all.set(id, new Set(dependsOn.flatMap((other) => [other, ...(all.get(other) ?? [])])));
  }
  return all;
}

/** The records of an environment, as the engine would have them written. */
class State {
  readonly records = new Map<string, StoredRecord<Json>>();
  past: Recorded['templates'] = [];
  expanded: Wanted = NOTHING_WANTED;

  apply({ steps }: Plan, wanted: Wanted, fails: (step: PlannedStep) => boolean = () => false): void {
    const uses = wanted.templates.map(({ id, version, parameters }) => ({ id, version, parameters }));
    this.#put(environmentKey('e'), { templates: uses } as unknown as Json);
    for (const planned of steps) {
      const isFailure = fails(planned);
      const step: StepValue = {
        ...planned,
        state: isFailure ? 'failed' : 'succeeded',
        attempts: 1,
        log: [],
        ...(isFailure && { error: 'It failed.' }),
      };
      for (const repeat of [true, false]) {
        const writes = stepChanges('e', step, this.records, NOW + (repeat ? 0 : 1));
        if (!repeat) expect(writes).toEqual([]);
        for (const { key, decision } of writes) {
          if (decision.type === 'put') this.#put(key, decision.value);
          else this.records.delete(key);
        }
      }
    }
    this.expanded = wanted;
  }

  #put(key: string, value: Json): void {
    this.records.set(key, { key, value, revision: 1, createdAt: '', updatedAt: '' });
  }

  #under<Value>(prefix: string): { id: string; value: Value }[] {
    return [...this.records.values()]
      .filter(({ key }) => key.startsWith(prefix))
      .map(({ key, value }) => ({ id: key.slice(prefix.length), value: value as unknown as Value }));
  }

  recorded(definitionsOf: Wanted): Recorded {
    return {
      templates: definitionsOf.templates,
      resources: this.#under<ResourceValue & { template: TemplateUse }>(resourcesPrefix('e')).map((one) => {
        const expanded = definitionsOf.resources.find(({ id }) => id === one.id);
        return { ...one, after: expanded?.after ?? [], actions: expanded?.actions ?? {} };
      }),
      groups: this.#under<ResourceGroupValue & { template: TemplateUse }>(groupsPrefix('e')).map((one) => ({
        ...one,
        after: definitionsOf.groups.find(({ id }) => id === one.id)?.after ?? [],
      })),
    };
  }

  resources(): string[] {
    return this.#under(resourcesPrefix('e'))
      .map(({ id }) => id)
      .sort();
  }

  environment(): EnvironmentValue | undefined {
    return this.records.get(environmentKey('e'))?.value as unknown as EnvironmentValue | undefined;
  }
}

const idsOf = (wanted: Wanted) =>
  wanted.resources
    .filter(({ facts }) => facts.count > 0)
    .map(({ id }) => id)
    .sort();

const parameters = { seed: printedSeed('plan-changes.property'), numRuns: runs(60, 20_000) };

describe('a plan', () => {
  it('makes everything in the order of what depends on what, leaves nothing to do, and is undone in reverse', () => {
    fc.assert(
      fc.property(environments(), (wanted) => {
        const state = new State();
        const creation = planChanges(wanted, state.recorded(NOTHING_WANTED));
        expect(creation.create.filter((id) => !id.includes(':')).sort()).toEqual(idsOf(wanted));
        const order = before(wanted);
        const waited = waits(creation.steps);
        for (const id of idsOf(wanted)) {
          for (const one of idsOf(wanted)) {
            const isBehind = waited.get(`create-${id}`)?.has(`create-${one}`) === true;
            if (order.get(id)?.has(one)) expect(isBehind).toBe(true);
            else if (wanted.groups.length === 0) expect(isBehind).toBe(false);
          }
        }
        state.apply(creation, wanted);
        expect(state.resources()).toEqual(idsOf(wanted));

        const again = planChanges(wanted, state.recorded(wanted));
        expect(again).toMatchObject({ steps: [], create: [], update: [], destroy: [] });

        const destruction = planChanges(NOTHING_WANTED, state.recorded(wanted));
        const waitedBack = waits(destruction.steps);
        for (const id of idsOf(wanted)) {
          for (const one of idsOf(wanted)) {
            const isBehind = waitedBack.get(`destroy-${one}`)?.has(`destroy-${id}`) === true;
            // What was never made has no say in the end.
            const isThere = [id, one].every((each) => idsOf(wanted).includes(each));
            if (isThere && order.get(id)?.has(one) && allMade(wanted)) expect(isBehind).toBe(true);
          }
        }
        state.apply(destruction, NOTHING_WANTED);
        expect([...state.records.keys()]).toEqual([environmentKey('e')]);
      }),
      parameters,
    );
  });

  it('leads from any state to any other, also where steps fail on the way', () => {
    fc.assert(
      fc.property(environments(), environments(), fc.nat(7), (first, second, modulus) => {
        const state = new State();
        let index = 0;
        const creation = planChanges(first, state.recorded(NOTHING_WANTED));
        state.apply(creation, first, () => {
          index += 1;
          return modulus > 0 && index % modulus === 0;
        });
        const change = planChanges(second, state.recorded(first));
        waits(change.steps);
        const changed = new Set([...change.create, ...change.update].filter((id) => !id.includes(':')));
        if (modulus % 2 === 1) {
          state.apply(change, second, ({ verb, resource }) => verb !== 'destroy' && resource !== undefined);
          const again = planChanges(second, state.recorded(second));
          expect(new Set([...again.create, ...again.update])).toEqual(changed);
        }
        expect(new Set([...change.create, ...change.update, ...change.keep]).size).toBe(
          change.create.length + change.update.length + change.keep.length,
        );
        state.apply(change, second);
        expect(state.resources()).toEqual(idsOf(second));
        expect(planChanges(second, state.recorded(second)).steps).toEqual([]);
      }),
      parameters,
    );
  });

  it('destroys only what nothing depends on any more, and does again what failed', () => {
    const version = (number: number, resources: TemplateDefinition['resources']): Wanted => {
      const lists = { tags: [], actions: [], resourceGroups: [], dependsOn: [], entrypoints: [] };
      const definition = { name: 'a', parameters: {}, resources, ...lists };
      return toWanted(new Map([['a', { version: number, definition }]]));
    };
    const first = version(1, [{ id: 'x' }, { id: 'm', dependsOn: ['x'] }, { id: 'y', dependsOn: ['m'] }]);
    const second = version(2, [{ id: 'y' }, { id: 'z' }]);
    const state = new State();
    state.apply(planChanges(first, state.recorded(NOTHING_WANTED)), first);
    const change = planChanges(second, state.recorded(first));
    expect(change.steps.map(({ id, dependsOn }) => [id, dependsOn])).toEqual([
      ['update-a.y', []],
      ['create-a.z', []],
      ['destroy-a.m', ['update-a.y']],
      ['destroy-a.x', ['destroy-a.m']],
    ]);
    state.apply(change, second, ({ id }) => id === 'update-a.y' || id === 'create-a.z');
    // What failed to be changed is as it was by its record alone.
    const back = planChanges(first, state.recorded(first));
    expect([back.create, back.update, back.destroy]).toEqual([['a.x', 'a.m'], ['a.y'], ['a.z']]);
    const forth = planChanges(second, state.recorded(second));
    expect([forth.create, forth.update]).toEqual([['a.z'], ['a.y']]);
  });

  it('names a circle where there is one, and it is one', () => {
    fc.assert(
      fc.property(environments(true), (wanted) => {
        const circle = circleIn(dependencyGraph(wanted))?.split(' -> ');
        const order = before(wanted);
        const isCircular = [...order].some(([id, some]) => some.has(id));
        if (isCircular) expect(circle).toBeDefined();
        if (circle === undefined) return;
        expect(circle.length).toBeGreaterThan(1);
        expect(circle.at(-1)).toBe(circle[0]);
        for (const [index, name] of circle.slice(0, -1).entries()) {
          expect(isEdge(wanted, name, circle[index + 1] ?? ''), circle.join(' -> ')).toBe(true);
        }
      }),
      parameters,
    );
  });

  it('has few edges where many come behind many', () => {
    const many = (id: string, dependsOn: string[]): [string, Version] => [
      id,
      {
        version: 1,
        definition: {
          name: id,
          tags: [],
          parameters: {},
          actions: [],
          resources: Array.from({ length: 1_000 }, (_, index) => ({ id: `r${index}` })),
          resourceGroups: [],
          dependsOn,
          entrypoints: [],
        },
      },
    ];
    const wanted = toWanted(new Map([many('a', []), many('b', ['a'])]));
    const { steps } = planChanges(wanted, new State().recorded(NOTHING_WANTED));
    expect(steps.length).toBe(2_001);
    expect(steps.reduce((sum, { dependsOn }) => sum + dependsOn.length, 0)).toBe(2_000);
    expect(waits(steps).get('create-b.r7')?.has('create-a.r999')).toBe(true);
  });
});

function allMade({ resources }: Wanted): boolean {
  return resources.every(({ facts }) => facts.count > 0);
}

function isEdge({ templates, resources, groups }: Wanted, from: string, to: string): boolean {
  const resource = resources.find(({ id }) => id === from);
  const group = groups.find(({ id }) => `group:${id}` === from);
  const one = resource ?? group;
  if (from.startsWith('template:')) {
    const id = from.slice('template:'.length);
    return (
      templates.find((template) => template.id === id)?.dependsOn.includes(to.replace('template:', '')) ===
        true ||
      [...resources, ...groups].some(
        (part) => part.template === id && (part.id === to || `group:${part.id}` === to),
      )
    );
  }
  return (
    one?.after.includes(to) === true ||
    group?.resources.includes(to) === true ||
    groups.some(({ id, resources: members }) => `group:${id}` === to && members.includes(from)) ||
    to === `template:${one?.template}`
  );
}
