import { sortTopologically } from '../../platform/sort-topologically.ts';
import type { Dependency, ResourceGroupValue, ResourceValue } from '../environment.ts';
import { GROUP_PREFIX } from '../name.ts';

/** What an environment is made of, by ids. */
export interface PartsOfEnvironment {
  readonly resources: ReadonlyMap<string, Pick<ResourceValue, 'dependencies'>>;
  readonly groups: ReadonlyMap<string, Pick<ResourceGroupValue, 'resources' | 'dependencies'>>;
}

/** Of the dependencies, those that name a resource or a group that the environment does not have. */
export function unknownDependencies(
  dependencies: readonly Dependency[],
  { resources, groups }: PartsOfEnvironment,
): readonly string[] {
  return inside(dependencies).filter((name) =>
    name.startsWith(GROUP_PREFIX) ? !groups.has(name.slice(GROUP_PREFIX.length)) : !resources.has(name),
  );
}

/**
 * A circle among what comes before what: its names in order, the first one once more at the end. A resource comes after what it depends on
 * and after what its groups depend on, and what depends on a group comes after all that are in it.
 */
export function findCircle(parts: PartsOfEnvironment): readonly string[] | undefined {
  return sortTopologically(edgesOf(parts)).cycle;
}

function edgesOf({ resources, groups }: PartsOfEnvironment): Map<string, readonly string[]> {
  const edges = new Map<string, string[]>();
  for (const [id, { dependencies }] of resources) {
    edges.set(id, inside(dependencies));
  }
  for (const [id, { resources: members, dependencies }] of groups) {
    edges.set(GROUP_PREFIX + id, [...members]);
    for (const member of members) edges.get(member)?.push(...inside(dependencies));
  }
  return edges;
}

function inside(dependencies: readonly Dependency[]): string[] {
  return dependencies.filter((one) => typeof one === 'string');
}
