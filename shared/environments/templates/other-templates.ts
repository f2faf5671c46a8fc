import type { Fault } from '../faults.ts';
import { GROUP_PREFIX } from '../name.ts';
import { circleIn } from '../planning/dependency-graph.ts';
import { namesIn, outputsUsedBy } from '../planning/expand-template.ts';
import { InterpolationError } from '../planning/interpolation.ts';
import type { TemplateDefinition } from './template.ts';

/** Templates that are looked at for what one depends on. */
const MAX_TEMPLATES = 500;

type Read = (id: string) => Promise<TemplateDefinition | undefined>;

/** What a template says of others: that they are there, with the resources and groups that it names, and depend on none that depends on it. */
export async function checkOtherTemplates(
  id: string,
  definition: TemplateDefinition,
  read: Read,
): Promise<Fault[]> {
  const templates = new Map<string, TemplateDefinition | undefined>([[id, definition]]);
  const find = async (other: string) => {
    if (!templates.has(other)) templates.set(other, await read(other));
    return templates.get(other);
  };
  const parts = new Map<string, ReadonlySet<string>>();
  const partsOf = (other: string, found: TemplateDefinition) => {
    const known = parts.get(other) ?? partNames(other, found);
    parts.set(other, known);
    return known;
  };
  const faults: Fault[] = [];
  for (const { name, path } of namesOfOthers(id, definition)) {
    const isGroup = name.startsWith(GROUP_PREFIX);
    const other = templateIn(name);
    const [, part] = name.split('.');
    const found = await find(other);
    if (found === undefined) {
      faults.push({
        path,
        detail: `There is no template "${other}".`,
        fix: 'Put it first, or correct the name.',
      });
    } else if (part !== undefined && !partsOf(other, found).has(name)) {
      faults.push({
        path,
        detail: `The newest version of the template "${other}" has no ${isGroup ? 'resource group' : 'resource'} "${part}".`,
        fix: 'Put that version first, or correct the name.',
      });
    }
  }
  const circle = faults.length > 0 ? undefined : await circleOfTemplates(id, find, templates);
  if (circle !== undefined) {
    faults.push({
      path: ['dependsOn'],
      detail: `What depends on what goes in a circle: ${circle}.`,
      fix: 'Remove one of these dependencies.',
    });
  }
  return faults;
}

/** The other templates that one names, and so is checked against. */
export function templatesNamedBy(id: string, definition: TemplateDefinition): string[] {
  try {
    return [...new Set(namesOfOthers(id, definition).map(({ name }) => templateIn(name)))];
  } catch (error) {
    // It is refused for that before any other is read.
    if (error instanceof InterpolationError) return [];
    throw error;
  }
}

/** The resources and groups of a template as others name them. */
function partNames(id: string, { resources, resourceGroups }: TemplateDefinition): ReadonlySet<string> {
  return new Set([
    ...resources.map((one) => `${id}.${one.id}`),
    ...resourceGroups.map((one) => `${GROUP_PREFIX}${id}.${one.id}`),
  ]);
}

/** Templates, as `dependsOn` names them, and `TEMPLATE.ID` or `group:TEMPLATE.ID` of others, with where they stand. */
function namesOfOthers(id: string, definition: TemplateDefinition) {
  const { dependsOn, resources, resourceGroups, actions } = definition;
  const names = [
    ...dependsOn.map((name, index) => ({ name, path: ['dependsOn', index] })),
    ...resources.flatMap((resource, index) =>
      namesIn(resource.dependsOn, id).map((name) => ({ name, path: ['resources', index, 'dependsOn'] })),
    ),
    ...resourceGroups.flatMap((group, index) =>
      namesIn(group.dependsOn, id).map((name) => ({ name, path: ['resourceGroups', index, 'dependsOn'] })),
    ),
    ...actions.flatMap((action, index) =>
      outputsUsedBy(action, id).map((name) => ({ name, path: ['actions', index] })),
    ),
  ];
  return names.filter(({ name }) => !name.startsWith(`${id}.`) && !name.startsWith(`${GROUP_PREFIX}${id}.`));
}

function templateIn(name: string): string {
  const [template = ''] = (name.startsWith(GROUP_PREFIX) ? name.slice(GROUP_PREFIX.length) : name).split('.');
  return template;
}

async function circleOfTemplates(
  id: string,
  find: Read,
  templates: ReadonlyMap<string, TemplateDefinition | undefined>,
): Promise<string | undefined> {
  const graph = new Map<string, readonly string[]>();
  const ahead = [id];
  for (let next = ahead.pop(); next !== undefined && templates.size < MAX_TEMPLATES; next = ahead.pop()) {
    if (!graph.has(next)) {
      const dependsOn = (await find(next))?.dependsOn ?? [];
      graph.set(next, dependsOn);
      ahead.push(...dependsOn);
    }
  }
  return circleIn(graph);
}
