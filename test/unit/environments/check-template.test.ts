import { describe, expect, it } from 'vitest';
import { templateDefinitionSchema, toDefinition } from '../../../shared/environments/index.ts';
import { checkTemplate } from '../../../shared/environments/templates/check-template.ts';
import { checkOtherTemplates } from '../../../shared/environments/templates/other-templates.ts';
import { fieldPath } from '../../../shared/platform/http/check.ts';

const MAKE = { name: 'make', executor: 'config', command: {} };

function definition(members: object) {
  return toDefinition(templateDefinitionSchema.parse({ name: 'T', ...members }));
}

function faultsOf(members: object): string[] {
  const faults = checkTemplate('t', definition(members), (name) => name === 'config');
  for (const { fix } of faults) expect(fix).toMatch(/^[A-Z].*\.$/);
  return faults.map(({ path, detail }) => `${fieldPath(path)}: ${detail}`);
}

const reference = (text: string) => ({
  actions: [{ ...MAKE, command: { a: [text] } }],
  resources: [{ id: 'r' }],
});

describe('a template', () => {
  it('may refer to all that it has', () => {
    expect(
      faultsOf({
        parameters: {
          nodes: { type: 'integer', default: 2, enum: [1, 2] },
          db: { type: 'object', default: JSON.parse('{"host": "h", "__proto__": {}}') },
          constructor: { type: 'string' },
        },
        actions: [
          {
            ...MAKE,
            app: { url: 'https://${parameters.db.host}/' },
            command: [
              '${resources.a.outputs.x} ${resources.other.b.outputs.x.y} ${resource.id} ${environment.id}',
              '$${anything}',
              '${parameters.constructor}',
            ],
          },
        ],
        resources: [
          { id: 'a' },
          {
            id: 'b',
            count: '${parameters.nodes}',
            dependsOn: ['a', 'other.b', 'group:other.g', { external: 'DNS' }],
            actions: { create: 'make' },
            statusEndpoints: ['https://${resource.id}.example.org/'],
          },
          { id: 'c', dependsOn: ['group:g'] },
        ],
        resourceGroups: [{ id: 'g', resources: ['b'], dependsOn: ['a'] }],
        entrypoints: ['https://${environment.id}.example.org'],
      }),
    ).toEqual([]);
  });

  it.each<[string, object, string]>([
    [
      'an unknown executor',
      { actions: [{ ...MAKE, executor: 'x' }] },
      'actions[0].executor: There is no executor "x".',
    ],
    [
      'two resources of an id',
      { resources: [{ id: 'r' }, { id: 'r' }] },
      'resources[1].id: There are two resources "r".',
    ],
    ['two actions of a name', { actions: [MAKE, MAKE] }, 'actions[1].name: There are two actions "make".'],
    [
      'an unknown action',
      { resources: [{ id: 'r', actions: { destroy: 'x' } }] },
      'resources[0].actions.destroy: The template has no action "x".',
    ],
    [
      'an unknown resource',
      { resources: [{ id: 'r', dependsOn: ['x'] }] },
      'resources[0].dependsOn[0]: The template has no resource "x".',
    ],
    [
      'an unknown group',
      { resources: [{ id: 'r', dependsOn: ['group:x'] }] },
      'resources[0].dependsOn[0]: The template has no resource group "x".',
    ],
    [
      'an unknown member of a group',
      { resourceGroups: [{ id: 'g', resources: ['x'] }] },
      'resourceGroups[0].resources[0]: The template has no resource "x".',
    ],
    [
      'a default of another type',
      { parameters: { p: { type: 'integer', default: 1.5 } } },
      'parameters.p.default: The parameter "p" cannot be 1.5.',
    ],
    [
      'a default beside its choices',
      { parameters: { p: { type: 'string', default: 'c', enum: ['a', 'b'] } } },
      'parameters.p.default: The parameter "p" cannot be "c".',
    ],
    [
      'a choice of another type',
      { parameters: { p: { type: 'string', enum: ['a', 1] } } },
      'parameters.p.enum[1]: The parameter "p" cannot be 1.',
    ],
    [
      'a count that is none',
      { resources: [{ id: 'r', count: 'x' }] },
      'resources[0].count: "x" is no number.',
    ],
    [
      'a link that is none',
      { resources: [{ id: 'r', links: ['x'] }] },
      'resources[0].links[0]: "x" is no http or https URL.',
    ],
    [
      'an unknown parameter',
      reference('${parameters.x}'),
      '"${parameters.x}" names no parameter of the template.',
    ],
    [
      'what every object has',
      reference('${parameters.toString}'),
      '"${parameters.toString}" names no parameter',
    ],
    ['__proto__', reference('${parameters.__proto__}'), '"${parameters.__proto__}" names no parameter'],
    [
      'outputs of nobody',
      reference('${resources.x.outputs.y}'),
      '"${resources.x.outputs.y}" names no resource',
    ],
    ['what there is not', reference('${env.HOME}'), 'There is nothing that "${env.HOME}" stands for.'],
    ['what is not closed', reference('${parameters.x'), 'A "${" is not closed'],
    [
      'outputs where no step runs',
      { resources: [{ id: 'r' }], entrypoints: ['https://${resources.r.outputs.host}'] },
      'entrypoints[0]: "${resources.r.outputs.host}" is known only when a step runs.',
    ],
    [
      'too many parameters',
      {
        parameters: Object.fromEntries(
          Array.from({ length: 201 }, (_, index) => [`p${index}`, { type: 'string' }]),
        ),
      },
      'parameters: The template has 201 parameters; 200 are the most.',
    ],
    [
      'too many resources',
      { resources: Array.from({ length: 2_001 }, (_, index) => ({ id: `r${index}` })) },
      'resources: The template has 2001 resources; 2000 are the most.',
    ],
    [
      'a circle',
      {
        resources: [
          { id: 'a', dependsOn: ['b'] },
          { id: 'b', dependsOn: ['t.a'] },
        ],
      },
      'resources: What depends on what goes in a circle: a -> b -> a.',
    ],
    ['a resource that waits for itself', { resources: [{ id: 'a', dependsOn: ['a'] }] }, 'circle: a -> a.'],
    [
      'a circle through a group',
      { resources: [{ id: 'a', dependsOn: ['group:g'] }], resourceGroups: [{ id: 'g', resources: ['a'] }] },
      'circle: a -> group:g -> a.',
    ],
    [
      'a circle through outputs',
      {
        actions: [{ ...MAKE, command: '${resources.b.outputs.x}' }],
        resources: [
          { id: 'a', actions: { create: 'make' } },
          { id: 'b', dependsOn: ['a'] },
        ],
      },
      'circle: a -> b -> a.',
    ],
    [
      'a secret in clear, which everybody would see in it',
      {
        actions: [
          { ...MAKE, command: { apps: { a: { b: { $secret: 'x' } }, c: { $ref: 'keyvault://v00/n' } } } },
        ],
      },
      'actions[0].command.apps.a: There is a secret in clear.',
    ],
    ['itself', { dependsOn: ['t'] }, 'dependsOn[0]: The template depends on itself: t -> t.'],
  ])('is refused for %s', (_, members, expected) => {
    const faults = faultsOf(members);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(expected);
  });

  it('is told all that is wrong at once', () => {
    expect(
      faultsOf({
        actions: [{ ...MAKE, executor: 'x', command: '${a}' }],
        resources: [{ id: 'r', dependsOn: ['x'] }],
      }),
    ).toHaveLength(3);
  });
});

describe('what a template says of others', () => {
  const others = new Map([
    ['net', definition({ resources: [{ id: 'vnet' }], dependsOn: ['base'] })],
    ['base', definition({ dependsOn: ['t'] })],
  ]);
  const faults = async (members: object) =>
    (await checkOtherTemplates('t', definition(members), async (id) => others.get(id))).map(
      ({ path, detail }) => `${fieldPath(path)}: ${detail}`,
    );

  it('has to be so', async () => {
    expect(await faults({ resources: [{ id: 'r', dependsOn: ['net.vnet', 'r2', 'group:g'] }] })).toEqual([]);
    expect(await faults({ dependsOn: ['none'] })).toEqual(['dependsOn[0]: There is no template "none".']);
    expect(await faults({ resources: [{ id: 'r', dependsOn: ['net.x', 'group:net.x'] }] })).toEqual([
      'resources[0].dependsOn: The newest version of the template "net" has no resource "x".',
      'resources[0].dependsOn: The newest version of the template "net" has no resource group "x".',
    ]);
    expect(await faults({ actions: [{ ...MAKE, command: '${resources.none.r.outputs.x}' }] })).toEqual([
      'actions[0]: There is no template "none".',
    ]);
  });

  it('leads in no circle', async () => {
    expect(await faults({ dependsOn: ['net'] })).toEqual([
      'dependsOn: What depends on what goes in a circle: t -> net -> base -> t.',
    ]);
  });
});
