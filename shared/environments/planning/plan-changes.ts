import { createHash } from 'node:crypto';
import type { PlannedAction, PlannedStep, StepVerb } from '../../operations/index.ts';
import { jsonEquals } from '../../platform/json-equals.ts';
import { type Graph, reverse, sortTopologically } from '../../platform/sort-topologically.ts';
import type { Json } from '../../records/index.ts';
import type { ResourceGroupValue, ResourceValue, TemplateUse } from '../environment.ts';
import { dependencyGraph, type GraphParts, groupNode } from './dependency-graph.ts';
import type { ExpandedGroup, ExpandedResource, ResourceFacts } from './expand-template.ts';

/** What an environment is to be made of; its graph has no circle, and names nothing that is not there. */
export interface Wanted {
  readonly templates: readonly (TemplateUse & { readonly dependsOn: readonly string[] })[];
  readonly resources: readonly ExpandedResource[];
  readonly groups: readonly ExpandedGroup[];
}

/** What templates have made of an environment before. */
export interface Recorded {
  readonly templates: GraphParts['templates'];
  readonly resources: readonly {
    readonly id: string;
    readonly value: ResourceValue & { readonly template: TemplateUse };
    readonly after: readonly string[];
    /** Of the version that made it. */
    readonly actions: ExpandedResource['actions'];
  }[];
  readonly groups: readonly {
    readonly id: string;
    readonly value: ResourceGroupValue & { readonly template: TemplateUse };
    readonly after: readonly string[];
  }[];
}

export interface Plan {
  /** Each behind those that it depends on. */
  readonly steps: readonly PlannedStep[];
  /** Resources, and `group:GROUP`, in the order of the steps; those that are kept in their own. */
  readonly create: readonly string[];
  readonly update: readonly string[];
  readonly destroy: readonly string[];
  readonly keep: readonly string[];
}

/** What a step that makes or changes something carries for when it is done. */
export type StepMemo =
  | { readonly resource: ResourceFacts; readonly template: string }
  | { readonly group: string; readonly value?: Omit<ExpandedGroup, 'after' | 'id'> };

/** What is done to a node of the graph. */
interface Work {
  readonly verb: StepVerb;
  readonly node: string;
  readonly resource?: string;
  readonly action?: PlannedAction | undefined;
  readonly memo?: StepMemo;
}

export const NOTHING_WANTED: Wanted = { templates: [], resources: [], groups: [] };

/**
 * What has to be done for an environment to be as it is wanted. What is made or changed comes behind what it depends on; what is
 * destroyed, behind what depended on it. Steps that no dependency orders may run at the same time.
 */
export function planChanges(wanted: Wanted, recorded: Recorded): Plan {
  const works = new Map([...workOnWanted(wanted, recorded), ...workOnRest(wanted, recorded)]);
  const graph = stepGraph(wanted, recorded, works);
  const { order } = sortTopologically(graph);
  const steps = toSteps(order, graph, works);
  const done = order.flatMap((node) => works.get(node) ?? []);
  const namesOf = (verb: StepVerb) => done.filter((work) => work.verb === verb).map(({ node }) => node);
  return {
    steps,
    create: namesOf('create'),
    update: namesOf('update'),
    destroy: namesOf('destroy').map((node) => node.slice(END.length)),
    keep: [
      ...wanted.resources.filter(({ facts }) => facts.count > 0).map(({ id }) => id),
      ...wanted.groups.map(({ id }) => groupNode(id)),
    ].filter((node) => !works.has(node)),
  };
}

function workOnWanted(wanted: Wanted, recorded: Recorded): [string, Work][] {
  const uses = new Map(wanted.templates.map((use) => [use.id, use]));
  const resources = new Map(recorded.resources.map(({ id, value }) => [id, value]));
  const groups = new Map(recorded.groups.map(({ id, value }) => [id, value]));
  return [
    ...wanted.resources.flatMap(({ id, template, facts, actions }): [string, Work][] => {
      const standing = resources.get(id);
      if (facts.count === 0 || (standing !== undefined && isAsWanted(standing, facts, uses.get(template)))) {
        return [];
      }
      const verb = standing?.createdOn === undefined ? 'create' : 'update';
      const memo = { resource: facts, template };
      return [[id, { verb, node: id, resource: id, action: actions[verb], memo }]];
    }),
    ...wanted.groups.flatMap(({ id, after: _, ...value }): [string, Work][] => {
      const standing = groups.get(id);
      const node = groupNode(id);
      return standing !== undefined && isGroupAsWanted(standing, value, uses.get(value.template))
        ? []
        : [[node, { verb: standing === undefined ? 'create' : 'update', node, memo: { group: id, value } }]];
    }),
  ];
}

/** What is not wanted any more is destroyed. */
function workOnRest(wanted: Wanted, recorded: Recorded): [string, Work][] {
  const resources = new Set(wanted.resources.filter(({ facts }) => facts.count > 0).map(({ id }) => id));
  const groups = new Set(wanted.groups.map(({ id }) => id));
  return [
    ...recorded.resources
      .filter(({ id }) => !resources.has(id))
      .map(({ id, actions }): [string, Work] => [
        END + id,
        { verb: 'destroy', node: END + id, resource: id, action: actions.destroy },
      ]),
    ...recorded.groups
      .filter(({ id }) => !groups.has(id))
      .map(({ id }): [string, Work] => {
        const node = END + groupNode(id);
        return [node, { verb: 'destroy', node, memo: { group: id } }];
      }),
  ];
}

/** What failed, or was found to differ from what it should be, is done again. */
function isAsWanted(value: ResourceValue, facts: ResourceFacts, use: TemplateUse | undefined): boolean {
  const { name, description, tags, count, links, statusEndpoints, dependencies } = value;
  return (
    value.status !== 'failed' &&
    value.createdOn !== undefined &&
    value.drift === undefined &&
    isSameUse(value.template, use) &&
    jsonEquals({ name, description, tags, count, links, statusEndpoints, dependencies }, facts)
  );
}

function isGroupAsWanted(
  { template, ...value }: ResourceGroupValue,
  { template: _, ...wanted }: Omit<ExpandedGroup, 'after' | 'id'>,
  use: TemplateUse | undefined,
): boolean {
  return isSameUse(template, use) && jsonEquals(value, wanted);
}

function isSameUse(a: TemplateUse | undefined, b: TemplateUse | undefined): boolean {
  return a?.version === b?.version && jsonEquals(a?.parameters, b?.parameters);
}

/** Before the node of what may be destroyed. */
const END = 'end:';

/**
 * One graph of all: what is wanted, and the end of what is recorded, which is behind the end, and the change, of whatever depended on it.
 */
function stepGraph(wanted: Wanted, recorded: Recorded, works: ReadonlyMap<string, Work>): Graph {
  const forward = dependencyGraph(wanted);
  const past = dependencyGraph({
    templates: recorded.templates,
    resources: recorded.resources.map(({ id, value, after }) => ({ id, template: value.template.id, after })),
    groups: recorded.groups.map(({ id, value, after }) => ({
      id,
      template: value.template.id,
      resources: value.resources,
      after,
    })),
  });
  const graph = new Map<string, readonly string[]>(forward);
  for (const [node, dependents] of reverse(past, sortTopologically(past).order)) {
    const changed = dependents.filter((one) => works.has(one));
    graph.set(END + node, [...dependents.map((one) => END + one), ...changed]);
  }
  return graph;
}

/** Above so many, one step that does nothing stands for the many, so that many behind many do not take many times many edges. */
const MAX_EDGES = 50;

/** Nodes without work pass on what is before them. */
function toSteps(order: readonly string[], graph: Graph, works: ReadonlyMap<string, Work>): PlannedStep[] {
  const steps: PlannedStep[] = [];
  const idsBehind = new Map<string, ReadonlySet<string>>();
  for (const node of order) {
    const dependsOn = new Set<string>();
    for (const before of graph.get(node) ?? []) {
      for (const id of idsBehind.get(before) ?? []) dependsOn.add(id);
    }
    const work = works.get(node);
    if (work !== undefined) {
      const step = toStep(work, dependsOn);
      steps.push(step);
      idsBehind.set(node, new Set([step.id]));
    } else if (dependsOn.size <= MAX_EDGES) {
      idsBehind.set(node, dependsOn);
    } else {
      const id = `join-${steps.length}`;
      steps.push({ id, verb: 'run', dependsOn: [...dependsOn] });
      idsBehind.set(node, new Set([id]));
    }
  }
  return withoutUnused(steps);
}

/** Steps that join what nobody waits for. */
function withoutUnused(steps: readonly PlannedStep[]): PlannedStep[] {
  const used = new Set<string>();
  const kept: PlannedStep[] = [];
  for (const step of [...steps].reverse()) {
    if (!step.id.startsWith('join-') || used.has(step.id)) {
      kept.push(step);
      for (const id of step.dependsOn) used.add(id);
    }
  }
  return kept.reverse();
}

function toStep({ verb, node, resource, action, memo }: Work, dependsOn: ReadonlySet<string>): PlannedStep {
  return {
    id: stepId(verb, node.replace(END, '').replace(':', '.')),
    verb,
    ...(resource !== undefined && { resource }),
    dependsOn: [...dependsOn],
    ...(action !== undefined && { action }),
    ...(memo !== undefined && { memo: memo as unknown as Json }),
  };
}

const MAX_STEP_ID = 128;

/** Such as `create-network.vnet`. */
export function stepId(verb: StepVerb, name: string): string {
  const id = `${verb}-${name}`;
  return id.length <= MAX_STEP_ID
    ? id
    : `${verb}-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
}
