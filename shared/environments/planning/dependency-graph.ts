import { type Graph, sortTopologically } from '../../platform/sort-topologically.ts';
import { GROUP_PREFIX } from '../name.ts';

/** What there is to order. Ids are those of an environment: `TEMPLATE.ID`. */
export interface GraphParts {
  readonly resources: readonly {
    readonly id: string;
    readonly template: string;
    /** Resources, and `group:GROUP`. */
    readonly after: readonly string[];
  }[];
  readonly groups: readonly {
    readonly id: string;
    readonly template: string;
    readonly resources: readonly string[];
    /** What comes before all of it. */
    readonly after: readonly string[];
  }[];
  readonly templates: readonly { readonly id: string; readonly dependsOn: readonly string[] }[];
}

/**
 * The graph of resources and groups. A group is behind its resources. Nodes that stand for nothing make the edges few where many come
 * before many: `before:GROUP` is before a group's resources, `start:TEMPLATE` before those of a template, `template:TEMPLATE` behind them.
 */
export function dependencyGraph({ resources, groups, templates }: GraphParts): Graph {
  const graph = new Map<string, string[]>();
  for (const { id, dependsOn } of templates) {
    graph.set(startOf(id), dependsOn.map(endOf));
  }
  for (const { id, template, after } of resources) {
    graph.set(id, [startOf(template), ...after]);
  }
  for (const { id, template, resources: members, after } of groups) {
    graph.set(groupNode(id), [beforeOf(id), ...members]);
    graph.set(beforeOf(id), [startOf(template), ...after]);
    for (const member of members) graph.get(member)?.push(beforeOf(id));
  }
  for (const { id } of templates) {
    const nodes = [
      ...resources.filter(({ template }) => template === id).map((one) => one.id),
      ...groups.filter(({ template }) => template === id).map((one) => groupNode(one.id)),
    ];
    const inner = new Set(nodes.flatMap((node) => graph.get(node) ?? []));
    graph.set(endOf(id), [startOf(id), ...nodes.filter((node) => !inner.has(node))]);
  }
  return graph;
}

/**
 * The circle in what comes before what, as people read it; undefined where there is none.
 *
 * @param show how a resource's, a group's or a template's id is shown.
 */
export function circleIn(graph: Graph, show: (id: string) => string = (id) => id): string | undefined {
  const { cycle } = sortTopologically(graph);
  if (cycle === undefined) {
    return undefined;
  }
  const names = cycle.map((node) => nameOf(node, show));
  return names
    .filter((name, index) => index === 0 || name !== names[index - 1] || names.length === 2)
    .join(' -> ');
}

export function groupNode(id: string): string {
  return GROUP_PREFIX + id;
}

function beforeOf(group: string): string {
  return `before:${group}`;
}

function startOf(template: string): string {
  return `start:${template}`;
}

function endOf(template: string): string {
  return `template:${template}`;
}

function nameOf(node: string, show: (id: string) => string): string {
  const colon = node.indexOf(':');
  const kind = node.slice(0, Math.max(0, colon));
  const id = show(node.slice(colon + 1));
  if (kind === '') {
    return id;
  }
  return kind === 'group' || kind === 'before' ? GROUP_PREFIX + id : `template:${id}`;
}
