import type { Dependency, ResourceGroupValue, ResourceValue } from '../environment.ts';

const GROUP = 'group:';

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
    name.startsWith(GROUP) ? !groups.has(name.slice(GROUP.length)) : !resources.has(name),
  );
}

/**
 * A circle among what comes before what: its names in order, the first one once more at the end. A resource comes after what it depends on
 * and after what its groups depend on, and what depends on a group comes after all that are in it.
 */
export function findCircle(parts: PartsOfEnvironment): readonly string[] | undefined {
  const before = edgesOf(parts);
  const done = new Set<string>();
  for (const start of before.keys()) {
    // By a list rather than by recursion: a chain may be as long as there are resources.
    const path = [{ name: start, next: 0 }];
    const onPath = new Set([start]);
    for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
      const name = done.has(at.name) ? undefined : before.get(at.name)?.[at.next];
      if (name === undefined) {
        done.add(at.name);
        onPath.delete(at.name);
        path.pop();
      } else if (onPath.has(name)) {
        const names = path.map((step) => step.name);
        return [...names.slice(names.indexOf(name)), name];
      } else {
        at.next += 1;
        onPath.add(name);
        path.push({ name, next: 0 });
      }
    }
  }
  return undefined;
}

function edgesOf({ resources, groups }: PartsOfEnvironment): Map<string, readonly string[]> {
  const edges = new Map<string, string[]>();
  for (const [id, { dependencies }] of resources) {
    edges.set(id, inside(dependencies));
  }
  for (const [id, { resources: members, dependencies }] of groups) {
    edges.set(GROUP + id, [...members]);
    for (const member of members) edges.get(member)?.push(...inside(dependencies));
  }
  return edges;
}

function inside(dependencies: readonly Dependency[]): string[] {
  return dependencies.filter((one) => typeof one === 'string');
}
