import { describe, expect, it } from 'vitest';
import { readDescriptor } from '../../../../client/cli/nightjar/descriptor.ts';
import {
  type Activity,
  createSubject,
  entityAt,
  isWanted,
  pathOf,
} from '../../../../client/cli/nightjar/entity.ts';
import { folderNames } from '../../../../client/cli/nightjar/folder-names.ts';

describe('paths of entities', () => {
  const cases: readonly [Activity, string, Parameters<typeof createSubject>][] = [
    ['template-creation', 'gateway/n1/public/p1', ['namespace', { namespace: 'n1', protection: 'public' }]],
    ['template-creation', 'gateway/__default__/default/p1', ['namespace', {}]],
    ['template-creation', 'service/__default__/__default__/__default__/p1', ['service', {}]],
    ['template-creation', 'service/n/s/__default__/p1', ['service', { namespace: 'n', service: 's' }]],
    [
      'template-creation',
      'service/default/s/c/p1',
      ['service', { namespace: 'default', service: 's', color: 'c' }],
    ],
    ['proxy-configuration', 'gateway/n1/private/p1', ['gateway', { namespace: 'n1', protection: 'private' }]],
    [
      'proxy-configuration',
      'service/n1/id/s/c/p1',
      ['service_id', { namespace: 'n1', service_id: 'id', service: 's', color: 'c' }],
    ],
  ];

  it.each(cases)('%s has %s', (activity, path, [kind, fields]) => {
    const entity = { subject: createSubject(kind, fields), purpose: 'p1' };
    expect(pathOf(entity)).toBe(path);
    expect(entityAt(activity, path)).toEqual(entity);
  });

  it.each([
    ['template-creation', 'gateway/n1/p1'],
    ['template-creation', 'gateway/n1/public/more/p1'],
    ['template-creation', 'gateway/n1/secret/p1'],
    ['template-creation', 'service/n/id/s/c/p1'],
    ['template-creation', 'readme.md'],
    ['template-creation', 'other/n1/public/p1'],
    ['proxy-configuration', 'gateway/n1/default/p1'],
    ['proxy-configuration', 'service/n/s/c/p1'],
  ] as const)('%s has no entity at %s', (activity, path) => {
    expect(entityAt(activity, path)).toBeUndefined();
  });
});

describe('descriptors', () => {
  const read = (content: object) => {
    const subject = readDescriptor('template-creation', JSON.stringify(content));
    return pathOf({ subject, purpose: 'p' });
  };

  it.each([
    [{ type: 'namespace' }, 'gateway/__default__/default/p'],
    [{ type: 'gateway', 'namespace-id': 'n', protection: 'default' }, 'gateway/n/default/p'],
    [{ type: 'gateway', namespace_id: 'n', protection: 'private' }, 'gateway/n/private/p'],
    [{ type: 'namespace', namespace: null, protection: null }, 'gateway/__default__/default/p'],
    [{ type: 'service', namespace: '', service: 's' }, 'service/__default__/s/__default__/p'],
    [{ type: 'service-color', namespace: 'n', service: 's', color: 'c' }, 'service/n/s/c/p'],
    [{ type: 'service_color', service: 's', color: 'c' }, 'service/__default__/s/c/p'],
    [{ type: 'service/color', namespace: 'n' }, 'service/n/__default__/__default__/p'],
  ])('%j is about %s', (content, path) => {
    expect(read(content)).toBe(path);
  });

  it.each([
    [{}, '"type" is one of'],
    [{ type: 'cluster' }, '"cluster"'],
    [{ type: 'namespace', protection: 'secret' }, '"secret"'],
    [{ type: 'namespace', namespace: 5 }, '"namespace" must be a text'],
    [{ type: 'namespace', namespace: 'a/b' }, 'part of a path'],
    [{ type: 'service', service: '..' }, 'part of a path'],
    [[], 'no JSON object'],
    [{ type: 'service', color: 'blue' }, 'without a service'],
  ])('%j is refused', (content, reason) => {
    expect(() => read(content)).toThrow(reason);
  });
});

describe('filters', () => {
  const entity = {
    subject: createSubject('service', { namespace: 'n', service: 's' }),
    purpose: 'cds.yaml',
  };

  it.each([
    [{}, true],
    [{ service: 's' }, true],
    [{ namespace: 'n', purpose: 'cds.yaml' }, true],
    [{ color: '__default__' }, true],
    [{ namespace: 'm' }, false],
    [{ color: 'blue' }, false],
    [{ purpose: 'lds.yaml' }, false],
    [{ protection: 'public' }, false],
  ])('%j: %s', (filter, isThere) => {
    expect(isWanted(entity, filter)).toBe(isThere);
  });
});

describe('names of folders', () => {
  it('are those of Nightjar where these are clear', () => {
    const subjects = [
      createSubject('namespace', { namespace: 'shop', protection: 'public' }),
      createSubject('namespace', {}),
      createSubject('service', { namespace: 'shop', service: 'web-api', color: 'blue' }),
      createSubject('gateway', { namespace: 'shop', protection: 'private' }),
      createSubject('service_id', { namespace: 'shop', service_id: 'srv-1', service: 'web', color: 'blue' }),
    ];
    expect([...folderNames(subjects).values()]).toEqual([
      'namespace-shop-public',
      'namespace-default-default',
      'service-shop-web-api-blue',
      'gateway-shop-private',
      'service_id-shop-srv-1-web-blue',
    ]);
  });

  it('are never shared', () => {
    const subjects = [
      createSubject('service', { namespace: 'a-b', service: 'c', color: 'd' }),
      createSubject('service', { namespace: 'a', service: 'b-c', color: 'd' }),
      createSubject('service', { namespace: 'A-b', service: 'c', color: 'd' }),
      createSubject('service', { namespace: 'default', service: 'x' }),
      createSubject('service', { namespace: null, service: 'x' }),
      createSubject('service', { namespace: 'ä', service: 'x' }),
      createSubject('service', { namespace: 'ö', service: 'x' }),
      createSubject('service', { namespace: 'n'.repeat(250), service: 's'.repeat(250) }),
      createSubject('service', { namespace: 'n'.repeat(250), service: 't'.repeat(250) }),
    ];
    const names = [...folderNames(subjects).values()];
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(subjects.length);
    for (const name of names) expect(name).toMatch(/^service-[\w.~-]{1,240}$/);
  });
});
