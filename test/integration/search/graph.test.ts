import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  environmentKey,
  environmentScope,
  groupsPrefix,
  resourcesPrefix,
  templateKey,
  templateScope,
  templateVersionKey,
} from '../../../shared/environments/index.ts';
import { systemClock } from '../../../shared/platform/clock.ts';
import type { Json, Records, Scope } from '../../../shared/records/index.ts';
import { type GraphRequest, Graphs } from '../../../shared/search/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { openProcess } from '../records/history-fixture.ts';

let cosmos: CosmosFixture;
let records: Records;
let graphs: Graphs;

beforeAll(async () => {
  cosmos = await startCosmos();
  ({ records } = openProcess(cosmos, systemClock));
  graphs = new Graphs(records);
  await putTemplate('base', []);
  await putTemplate('web', ['base']);
  await putEnvironment('prod', {
    name: 'Production',
    templates: [{ id: 'web', version: 1, parameters: {} }],
  });
  const template = { id: 'web', version: 1, parameters: {} };
  await putAll(environmentScope('default', 'prod'), [
    [
      `${resourcesPrefix('prod')}web.vm`,
      { name: 'vm', template, dependencies: ['web.net', 'group:web.core', { external: 'dns' }] },
    ],
    [`${resourcesPrefix('prod')}web.net`, { name: 'net', template, dependencies: [] }],
    [`${groupsPrefix('prod')}web.core`, { name: 'core', template, resources: ['web.net'], dependencies: [] }],
    ['/env/prod/work', { waiting: [], fence: 0 }],
  ]);
});

afterAll(async () => {
  await cosmos.stop();
});

async function putAll(scope: Scope, values: readonly (readonly [string, Json])[], listed?: string) {
  const writes = values.map(([key, value]) => ({
    key,
    decision: { type: 'put' as const, value, ...(listed !== undefined && { listed }) },
  }));
  for (let start = 0; start < writes.length; start += 49) {
    const some = writes.slice(start, start + 49);
    await records.transact<Json>(scope, {
      keys: some.map(({ key }) => key),
      actor: 'test',
      decide: () => ({ writes: some }),
    });
  }
}

async function putTemplate(id: string, dependsOn: string[]) {
  await putAll(templateScope('default'), [
    [templateKey(id), { name: id.toUpperCase(), tags: [], latest: 2 }],
    [templateVersionKey(id, 1), { name: id, version: 1, dependsOn: ['gone'] }],
    [templateVersionKey(id, 2), { name: id, version: 2, dependsOn }],
  ]);
}

async function putEnvironment(
  id: string,
  value: { name: string; templates: { id: string; version: number; parameters: object }[] },
) {
  await putAll(environmentScope('default', id), [[environmentKey(id), value as unknown as Json]], id);
}

async function linesOf(
  request: Pick<GraphRequest, 'kind' | 'id'> & Partial<GraphRequest>,
): Promise<string[]> {
  const { edges, nodes, root } = await graphs.around('default', {
    direction: 'dependencies',
    depth: 100,
    ...request,
  });
  expect(nodes[0]?.id).toBe(root);
  expect(new Set(edges.flatMap(({ from, to }) => [from, to]))).toEqual(
    new Set(edges.length === 0 ? [] : nodes.map(({ id }) => id)),
  );
  return edges.map(({ from, type, to }) => `${from} ${type} ${to}`).sort();
}

describe('a graph', () => {
  it('leads from an environment to all that it is made of, one step or all of them', async () => {
    const near = [
      'environment/prod contains resource-group/prod/web.core',
      'environment/prod contains resource/prod/web.net',
      'environment/prod contains resource/prod/web.vm',
      'environment/prod made-from template/web',
    ];
    expect(await linesOf({ kind: 'environment', id: 'prod', depth: 1 })).toEqual(near);
    expect(await linesOf({ kind: 'environment', id: 'prod' })).toEqual([
      ...near,
      'resource-group/prod/web.core contains resource/prod/web.net',
      'resource-group/prod/web.core made-from template/web',
      'resource/prod/web.net made-from template/web',
      'resource/prod/web.vm depends-on external/dns',
      'resource/prod/web.vm depends-on resource-group/prod/web.core',
      'resource/prod/web.vm depends-on resource/prod/web.net',
      'resource/prod/web.vm made-from template/web',
      'template/web depends-on template/base',
    ]);
  });

  it('leads back to what would suffer', async () => {
    expect(await linesOf({ kind: 'template', id: 'base', direction: 'dependents', depth: 2 })).toEqual([
      'environment/prod made-from template/web',
      'resource-group/prod/web.core made-from template/web',
      'resource/prod/web.net made-from template/web',
      'resource/prod/web.vm made-from template/web',
      'template/web depends-on template/base',
    ]);
    expect(await linesOf({ kind: 'resource', id: 'prod/web.net', direction: 'dependents' })).toEqual([
      'environment/prod contains resource-group/prod/web.core',
      'environment/prod contains resource/prod/web.net',
      'environment/prod contains resource/prod/web.vm',
      'resource-group/prod/web.core contains resource/prod/web.net',
      'resource/prod/web.vm depends-on resource-group/prod/web.core',
      'resource/prod/web.vm depends-on resource/prod/web.net',
    ]);
  });

  it('goes round no circle twice, and shows what is named and is not there', async () => {
    await putEnvironment('circle', { name: 'Circle', templates: [] });
    await putAll(environmentScope('default', 'circle'), [
      [`${resourcesPrefix('circle')}a`, { name: 'a', dependencies: ['b'] }],
      [`${resourcesPrefix('circle')}b`, { name: 'b', dependencies: ['a', 'b', 'missing'] }],
    ]);
    for (const direction of ['dependencies', 'dependents'] as const) {
      const { nodes } = await graphs.around('default', {
        kind: 'resource',
        id: 'circle/a',
        direction,
        depth: 100,
      });
      expect(nodes.map(({ id }) => id)).toContain('resource/circle/b');
    }
    const { nodes } = await graphs.around('default', {
      kind: 'resource',
      id: 'circle/a',
      direction: 'dependencies',
      depth: 100,
    });
    expect(nodes).toContainEqual({ id: 'resource/circle/missing', kind: 'resource', name: 'circle/missing' });
    for (const id of ['circle/missing', 'circle', 'nowhere/a']) {
      await expect(
        graphs.around('default', { kind: 'resource', id, direction: 'dependencies', depth: 1 }),
      ).rejects.toMatchObject({ kind: 'not-found' });
    }
  });

  it('says so when it has too many nodes', async () => {
    await putEnvironment('large', { name: 'Large', templates: [] });
    const resources = Array.from(
      { length: 20 },
      (_, number) =>
        [`${resourcesPrefix('large')}r${number}`, { name: 'r', dependencies: ['r0'] }] as [string, Json],
    );
    await putAll(environmentScope('default', 'large'), resources);
    const graph = await new Graphs(records, 8).around('default', {
      kind: 'environment',
      id: 'large',
      direction: 'dependencies',
      depth: 100,
    });
    expect(graph).toMatchObject({ truncated: true });
    expect(graph.nodes).toHaveLength(8);
    const shown = new Set(graph.nodes.map(({ id }) => id));
    expect(graph.edges.filter(({ from, to }) => !shown.has(from) || !shown.has(to))).toEqual([]);
  });
});
