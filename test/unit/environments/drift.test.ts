import { expect, test } from 'vitest';
import {
  driftOf,
  type EnvironmentState,
  type EnvironmentValue,
  type ResourceValue,
  type TemplateDefinition,
} from '../../../shared/environments/index.ts';

const AT = '2026-01-02T12:00:00.000Z';

const definition: TemplateDefinition = {
  name: 'network',
  tags: [],
  parameters: { nodes: { type: 'integer' }, size: { type: 'string' } },
  actions: [],
  resourceGroups: [],
  resources: [{ id: 'vnet' }, { id: 'node', count: '${parameters.nodes}' }],
  dependsOn: [],
  entrypoints: [],
};
const use = { id: 'network', version: 2, parameters: { nodes: 3, size: 's' } };

function environment(state: EnvironmentState, more: Partial<EnvironmentValue> = {}) {
  return {
    id: 'shop',
    name: 'shop',
    tags: [],
    state,
    stateSince: AT,
    createdOn: AT,
    templates: [use],
    entrypoints: [],
    statusEndpoints: [],
    ...more,
  };
}

function resource(more: Partial<ResourceValue> = {}): ResourceValue {
  return {
    name: 'x',
    tags: [],
    template: use,
    count: 1,
    status: 'ok',
    statusSince: AT,
    links: [],
    statusEndpoints: [],
    dependencies: [],
    ...more,
  };
}

const { template: _, ...byHand } = resource();
const made = { 'network.vnet': resource(), 'network.node': resource({ count: 3 }) };

function drift(resources: Readonly<Record<string, ResourceValue>>, of = environment('Deployed-OK')) {
  return driftOf(of, new Map(Object.entries(resources)), [{ use, definition }]).map(
    ({ resource: id = '-', expected, observed }) => `${id}: ${expected} / ${observed}`,
  );
}

test('what was made as it is wanted, and what was written down by hand, does not differ', () => {
  expect(drift({ ...made, dns: byHand })).toEqual([]);
});

test('what is missing, superfluous, or made from something else differs', () => {
  const older = { id: 'network', version: 1, parameters: { nodes: 3, size: 'm', zone: 1 } };
  expect(
    drift({
      'network.node': resource({ template: older, count: 2 }),
      'network.old': resource(),
      'cache.redis': resource({ template: { ...use, id: 'cache' } }),
    }),
  ).toEqual([
    'cache.redis: gone / made from version 2 of cache',
    'network.node: made from version 2 of network / made from version 1 of network',
    'network.node: size = "s" / size = "m"',
    'network.node: zone = nothing / zone = 1',
    'network.node: count 3 / count 2',
    'network.old: gone / made from version 2 of network',
    'network.vnet: made from version 2 of network / missing',
  ]);
});

test('what failed, is unhealthy or was found by a refresh differs', () => {
  const health = { state: 'unhealthy', since: AT, detail: 'http://a/: HTTP 500' } as const;
  expect(
    drift(
      {
        'network.vnet': resource({ status: 'failed', detail: 'No quota.', drift: 'It has another address.' }),
        'network.node': resource({ count: 3, health }),
      },
      environment('Deployed-Fail', { health }),
    ),
  ).toEqual([
    '-: healthy / http://a/: HTTP 500',
    'network.node: healthy / http://a/: HTTP 500',
    'network.vnet: ok / failed: No quota.',
    'network.vnet: as its template has it / It has another address.',
  ]);
});

test('while it is made, and where the template is gone, nobody can say what differs', () => {
  expect(drift({}, environment('Deploying'))).toEqual([]);
  const resources = new Map([['network.vnet', resource({ count: 7 })]]);
  expect(driftOf(environment('Deployed-OK'), resources, [{ use, definition: undefined }])).toEqual([]);
});
