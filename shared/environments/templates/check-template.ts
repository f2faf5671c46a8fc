import { placeOfClearSecret } from '../../config/index.ts';
import { isWebUrl } from '../../platform/http/index.ts';
import type { Json } from '../../records/index.ts';
import type { Dependency } from '../environment.ts';
import { type Fault, namesOf } from '../faults.ts';
import { GROUP_PREFIX } from '../name.ts';
import { circleIn, dependencyGraph } from '../planning/dependency-graph.ts';
import { namesIn, outputsUsed, resourcesUsedBy } from '../planning/expand-template.ts';
import { InterpolationError, type Reference, referencesIn, write } from '../planning/interpolation.ts';
import { checkParameters } from '../planning/parameters.ts';
import { outputReference } from '../planning/references.ts';
import type { Parameter, ResourceDefinition, TemplateDefinition } from './template.ts';
import { MAX_PARAMETERS, MAX_RESOURCES } from './template-schema.ts';

type Path = Fault['path'];

/** What there is in a template, gathered once for all that names it. */
interface Known {
  /** Of the template. */
  readonly id: string;
  readonly parameters: ReadonlyMap<string, Parameter>;
  readonly resources: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
  readonly actions: ReadonlySet<string>;
}

/** What a text may refer to. */
interface Place {
  readonly path: Path;
  readonly hasResource: boolean;
  /** Whether outputs of resources may stand there, which are known when a step runs. */
  readonly runsLater: boolean;
}

/**
 * What is wrong with a template as such: names that name nothing, or two things, values of the wrong type, texts that cannot be filled
 * in, and circles. What it says of other templates is left to `checkOtherTemplates`.
 */
export function checkTemplate(
  id: string,
  definition: TemplateDefinition,
  isExecutor: (name: string) => boolean,
): Fault[] {
  const known: Known = {
    id,
    parameters: new Map(Object.entries(definition.parameters)),
    resources: new Set(definition.resources.map((one) => one.id)),
    groups: new Set(definition.resourceGroups.map((one) => one.id)),
    actions: new Set(definition.actions.map(({ name }) => name)),
  };
  const faults = [
    ...checkNumbers(definition),
    ...checkParameters(definition.parameters, ['parameters']),
    ...checkActions(definition, known, isExecutor),
    ...definition.resources.flatMap((resource, index) =>
      checkResource(resource, known, ['resources', index]),
    ),
    ...checkGroups(definition, known),
    ...definition.entrypoints.flatMap((text, index) =>
      checkUrl(text, known, {
        path: ['entrypoints', index],
        hasResource: false,
        runsLater: false,
      }),
    ),
  ];
  if (definition.dependsOn.includes(id)) {
    faults.push({
      path: ['dependsOn', definition.dependsOn.indexOf(id)],
      detail: `The template depends on itself: ${id} -> ${id}.`,
      fix: 'Leave it out.',
    });
  }
  return faults.length > 0 ? faults : checkCircles(id, definition);
}

function checkNumbers({ parameters, resources, resourceGroups, actions }: TemplateDefinition): Fault[] {
  const faults: Fault[] = [];
  const limit = (path: string, number: number, most: number, fix: string) => {
    if (number > most) {
      faults.push({ path: [path], detail: `The template has ${number} ${path}; ${most} are the most.`, fix });
    }
  };
  limit('parameters', Object.keys(parameters).length, MAX_PARAMETERS, 'Gather some in one of type object.');
  limit('resources', resources.length, MAX_RESOURCES, 'Use a "count", or several environments.');
  return [
    ...faults,
    ...doubles(
      resources.map((one) => one.id),
      'resources',
      'id',
    ),
    ...doubles(
      resourceGroups.map((one) => one.id),
      'resourceGroups',
      'id',
    ),
    ...doubles(
      actions.map((one) => one.name),
      'actions',
      'name',
    ),
  ];
}

function doubles(names: readonly string[], list: string, member: string): Fault[] {
  const seen = new Set<string>();
  return names.flatMap((name, index) => {
    const isDouble = seen.has(name);
    seen.add(name);
    return isDouble
      ? [
          {
            path: [list, index, member],
            detail: `There are two ${list} "${name}".`,
            fix: 'Rename one of them.',
          },
        ]
      : [];
  });
}

function checkActions(
  { actions }: TemplateDefinition,
  known: Known,
  isExecutor: (name: string) => boolean,
): Fault[] {
  return actions.flatMap((action, index) => {
    const path = ['actions', index] as const;
    const place = (member: string) => ({ path: [...path, member], hasResource: true, runsLater: true });
    return [
      ...(isExecutor(action.executor)
        ? []
        : [
            {
              path: [...path, 'executor'],
              detail: `There is no executor "${action.executor}".`,
              fix: 'Use one that docs/executors.md describes, such as "config" or "http".',
            },
          ]),
      ...checkTexts(action.command, known, place('command')),
      ...checkSecrets(action, [...path, 'command']),
      ...checkTexts({ ...action.app }, known, place('app')),
    ];
  });
}

/** A template is shown to whoever may see it: what it writes to applications cannot have secrets in clear. */
function checkSecrets({ executor, command }: TemplateDefinition['actions'][number], path: Path): Fault[] {
  const apps = executor === 'config' && isMembers(command) ? command.apps : undefined;
  return Object.entries(isMembers(apps) ? apps : {}).flatMap(([name, config]) =>
    placeOfClearSecret(config ?? null) === undefined
      ? []
      : [
          {
            path: [...path, 'apps', name],
            detail: 'There is a secret in clear.',
            fix: 'Refer to Key Vault by {"$ref": "keyvault://VAULT/NAME"} instead.',
          },
        ],
  );
}

function isMembers(value: Json | undefined): value is { [name: string]: Json | undefined } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkResource(resource: ResourceDefinition, known: Known, path: Path): Fault[] {
  const place = (...rest: (string | number)[]) => ({
    path: [...path, ...rest],
    hasResource: true,
    runsLater: false,
  });
  const { actions = {}, tags = [], links = [], statusEndpoints = [] } = resource;
  const texts: [Json | undefined, Place][] = [
    [resource.name, { ...place('name'), hasResource: false }],
    [resource.description, place('description')],
    [resource.count, { ...place('count'), hasResource: false }],
    ...tags.map((tag, index): [Json, Place] => [tag.value, place('tags', index, 'value')]),
  ];
  return [
    ...Object.entries(actions).flatMap(([verb, name]) =>
      name === undefined || known.actions.has(name)
        ? []
        : [
            {
              path: [...path, 'actions', verb],
              detail: `The template has no action "${name}".`,
              fix: `Correct the name, or add the action: ${namesOf(known.actions)}.`,
            },
          ],
    ),
    ...texts.flatMap(([text, at]) => checkTexts(text, known, at)),
    ...checkCount(resource.count, place('count').path),
    ...links.flatMap((text, index) => checkUrl(text, known, place('links', index))),
    ...statusEndpoints.flatMap((text, index) => checkUrl(text, known, place('statusEndpoints', index))),
    ...checkDependencies(resource.dependsOn, known, [...path, 'dependsOn']),
  ];
}

function checkCount(count: number | string | undefined, path: Path): Fault[] {
  return typeof count === 'string' && !count.includes('${') && !/^\d+$/.test(count)
    ? [{ path, detail: `"${count}" is no number.`, fix: 'Write a whole number, or "${parameters.NAME}".' }]
    : [];
}

function checkGroups({ resourceGroups }: TemplateDefinition, known: Known): Fault[] {
  return resourceGroups.flatMap((group, index) => [
    ...group.resources.flatMap((name, place) =>
      known.resources.has(name)
        ? []
        : [
            {
              path: ['resourceGroups', index, 'resources', place],
              detail: `The template has no resource "${name}".`,
              fix: `Correct the id, or add the resource: ${namesOf(known.resources)}.`,
            },
          ],
    ),
    ...checkDependencies(group.dependsOn, known, ['resourceGroups', index, 'dependsOn']),
  ]);
}

function checkDependencies(
  dependencies: readonly Dependency[] | undefined,
  { id, resources, groups }: Known,
  path: Path,
): Fault[] {
  return (dependencies ?? []).flatMap((dependency, index) => {
    const [name] = namesIn([dependency], id);
    if (name === undefined) {
      return [];
    }
    const isGroup = name.startsWith(GROUP_PREFIX);
    const local = localName(isGroup ? name.slice(GROUP_PREFIX.length) : name, id);
    const names = isGroup ? groups : resources;
    if (local === undefined || names.has(local)) {
      return [];
    }
    const kind = isGroup ? 'resource group' : 'resource';
    return [
      {
        path: [...path, index],
        detail: `The template has no ${kind} "${local}".`,
        fix: `Name one of this template (${namesOf(names)}), "TEMPLATE.ID" for one of another, "group:ID", or {"external": "…"}.`,
      },
    ];
  });
}

/** The id in the template; undefined for what is another's. */
function localName(name: string, template: string): string | undefined {
  return name.startsWith(`${template}.`) ? name.slice(template.length + 1) : undefined;
}

function checkUrl(text: string, known: Known, place: Place): Fault[] {
  return text.includes('${') || isWebUrl(text)
    ? checkTexts(text, known, place)
    : [{ path: place.path, detail: `"${text}" is no http or https URL.`, fix: 'Write it in full.' }];
}

function checkTexts(value: Json | undefined, known: Known, place: Place): Fault[] {
  try {
    return [...referencesIn(value)].flatMap((reference) => checkReference(reference, known, place));
  } catch (error) {
    if (!(error instanceof InterpolationError)) {
      throw error;
    }
    return [{ path: place.path, detail: error.message, fix: error.fix }];
  }
}

function checkReference(
  reference: Reference,
  { id, parameters, resources }: Known,
  { path, hasResource, runsLater }: Place,
): Fault[] {
  const [root, name = '', ...members] = reference;
  const fault = (detail: string, fix: string) => [{ path, detail, fix }];
  const output = outputReference(reference, id);
  if (output !== undefined) {
    const local = localName(output.resource, id);
    if (!runsLater) {
      return fault(
        `"${write(reference)}" is known only when a step runs.`,
        'Use it in the command or the app of an action only.',
      );
    }
    return local === undefined || resources.has(local)
      ? []
      : fault(
          `"${write(reference)}" names no resource of the template.`,
          `Correct the id: ${namesOf(resources)}; one of another template is "resources.TEMPLATE.ID.outputs.NAME".`,
        );
  }
  if (root === 'parameters') {
    const parameter = parameters.get(name);
    const isContainer = parameter?.type === 'object' || parameter?.type === 'array';
    return parameter !== undefined && (members.length === 0 || isContainer)
      ? []
      : fault(
          `"${write(reference)}" names no parameter of the template.`,
          `Declare it, or correct the name: ${namesOf(parameters.keys())}.`,
        );
  }
  const allowed = [
    'environment.id',
    'template.id',
    'template.version',
    ...(hasResource ? ['resource.id', 'resource.name', 'resource.count'] : []),
  ];
  return allowed.includes(reference.join('.'))
    ? []
    : fault(
        `There is nothing that "${write(reference)}" stands for.`,
        `Use ${allowed.join(', ')}, parameters.NAME${runsLater ? ', resources.ID.outputs.NAME' : ''}, or write "$\${" for a "\${" that is meant as it stands.`,
      );
}

function checkCircles(
  id: string,
  { resources, resourceGroups, actions, dependsOn }: TemplateDefinition,
): Fault[] {
  const used = outputsUsed(actions, id);
  const graph = dependencyGraph({
    resources: resources.map((resource) => ({
      id: `${id}.${resource.id}`,
      template: id,
      after: [...namesIn(resource.dependsOn, id), ...resourcesUsedBy(resource, used, id)],
    })),
    groups: resourceGroups.map((group) => ({
      id: `${id}.${group.id}`,
      template: id,
      resources: group.resources.map((one) => `${id}.${one}`),
      after: namesIn(group.dependsOn, id),
    })),
    templates: [{ id, dependsOn }],
  });
  const circle = circleIn(graph, (name) => localName(name, id) ?? name);
  return circle === undefined
    ? []
    : [
        {
          path: ['resources'],
          detail: `What depends on what goes in a circle: ${circle}.`,
          fix: 'Remove one of these dependencies, or a reference to an output that makes one.',
        },
      ];
}
