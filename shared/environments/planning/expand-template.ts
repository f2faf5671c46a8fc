import type { PlannedAction } from '../../operations/index.ts';
import { isWebUrl } from '../../platform/http/index.ts';
import type { Dependency, Tag, TemplateUse } from '../environment.ts';
import type { Fault } from '../faults.ts';
import { GROUP_PREFIX } from '../name.ts';
import type { Action, ResourceDefinition, TemplateDefinition } from '../templates/template.ts';
import {
  fillIn,
  fillInFirst,
  InterpolationError,
  Later,
  type Reference,
  referencesIn,
  toText,
} from './interpolation.ts';
import { absoluteReference, outputReference, type Values, valueAt } from './references.ts';

const DEFAULT_TIMEOUT_SECONDS = 3_600;
const DEFAULT_MAX_ATTEMPTS = 5;
/** How many there may be of one resource. */
const MAX_COUNT = 1_000_000;

/** Characters of JSON of all actions of a template's resources: each is kept with its step. */
const MAX_ACTIONS_LENGTH = 8 * 1024 * 1024;

/** A resource as an environment is to have it, with everything filled in that is known before steps run. */
export interface ExpandedResource {
  readonly id: string;
  readonly template: string;
  readonly facts: ResourceFacts;
  /** What comes before it: resources and `group:GROUP`; besides what it depends on, the resources whose outputs its actions use. */
  readonly after: readonly string[];
  readonly actions: {
    readonly create?: PlannedAction | undefined;
    readonly update?: PlannedAction | undefined;
    readonly destroy?: PlannedAction | undefined;
  };
}

/** What is recorded of a resource as its template has it. */
export interface ResourceFacts {
  readonly name: string;
  readonly description?: string;
  readonly tags: readonly Tag[];
  /** 0 for one that is not made. */
  readonly count: number;
  readonly links: readonly string[];
  readonly statusEndpoints: readonly string[];
  readonly dependencies: readonly Dependency[];
}

export interface ExpandedGroup {
  readonly id: string;
  readonly template: string;
  readonly name: string;
  readonly tags: readonly Tag[];
  readonly resources: readonly string[];
  readonly dependencies: readonly Dependency[];
  readonly after: readonly string[];
}

export interface Expansion {
  readonly use: TemplateUse;
  readonly dependsOn: readonly string[];
  readonly resources: readonly ExpandedResource[];
  readonly groups: readonly ExpandedGroup[];
  readonly entrypoints: readonly string[];
}

/**
 * What a template makes of an environment.
 *
 * @param path where the use of the template stands in what was sent.
 * @param faults whatever cannot be filled in is added to them.
 */
export function expandTemplate(
  use: TemplateUse,
  definition: TemplateDefinition,
  environment: string,
  path: Fault['path'],
  faults: Fault[],
): Expansion {
  const values: Values = {
    parameters: use.parameters,
    environment,
    template: { id: use.id, version: use.version },
  };
  const report = (place: string, detail: string, fix: string) => {
    faults.push({
      path,
      detail: `In version ${use.version} of the template "${use.id}", at ${place}: ${detail}`,
      fix,
    });
  };
  const used = outputsUsed(definition.actions, use.id);
  const actions = new Map(definition.actions.map((action) => [action.name, action]));
  const resources: ExpandedResource[] = [];
  let length = 0;
  for (const [index, resource] of definition.resources.entries()) {
    const reportHere: Report = (place, detail, fix) => {
      report(`resources[${index}].${place}`, detail, fix);
    };
    const expanded = expandResource(resource, { actions, used }, values, reportHere);
    resources.push(expanded);
    length += JSON.stringify(expanded.actions).length;
    if (length > MAX_ACTIONS_LENGTH) {
      reportHere(
        'actions',
        `With this one, the commands of the resources come to more than ${MAX_ACTIONS_LENGTH / 1024 / 1024} MiB.`,
        'Keep large content in a bundle and name it in the commands, or make several templates of it.',
      );
      break;
    }
  }
  return {
    use,
    dependsOn: definition.dependsOn,
    resources,
    groups: definition.resourceGroups.map((group) => ({
      id: `${use.id}.${group.id}`,
      template: use.id,
      name: group.name ?? group.id,
      tags: group.tags ?? [],
      resources: group.resources.map((id) => `${use.id}.${id}`),
      dependencies: (group.dependsOn ?? []).map((one) => absolute(one, use.id)),
      after: namesIn(group.dependsOn, use.id),
    })),
    entrypoints: expandUrls(definition.entrypoints, 'entrypoints', values, report),
  };
}

type Report = (place: string, detail: string, fix: string) => void;

function expandResource(
  resource: ResourceDefinition,
  { actions, used }: { readonly actions: ReadonlyMap<string, Action>; readonly used: OutputsUsed },
  values: Values,
  report: Report,
): ExpandedResource {
  const template = values.template.id;
  const id = `${template}.${resource.id}`;
  const count = expandCount(resource.count ?? 1, values, report);
  const name = expandText(resource.name ?? resource.id, 'name', values, report);
  const own: Values = { ...values, resource: { id, name, count } };
  const actionOf = (verb: 'create' | 'update' | 'destroy') => {
    const action = actions.get(resource.actions?.[verb] ?? '');
    return action && attempt(`actions.${verb}`, report, () => planAction(action, own));
  };
  const { description, tags = [], links = [], statusEndpoints = [], dependsOn } = resource;
  const create = actionOf('create');
  return {
    id,
    template,
    facts: {
      name,
      ...(description !== undefined && { description: expandText(description, 'description', own, report) }),
      tags: tags.map((tag, index) => ({
        ...tag,
        value: expandText(tag.value, `tags[${index}]`, own, report),
      })),
      count,
      links: expandUrls(links, 'links', own, report),
      statusEndpoints: expandUrls(statusEndpoints, 'statusEndpoints', own, report),
      dependencies: (dependsOn ?? []).map((one) => absolute(one, template)),
    },
    after: [...namesIn(dependsOn, template), ...resourcesUsedBy(resource, used, template)],
    actions: { create, update: actionOf('update') ?? create, destroy: actionOf('destroy') },
  };
}

/**
 * An action with everything filled in but outputs of resources.
 *
 * @throws InterpolationError.
 */
export function planAction(action: Action, values: Values): PlannedAction {
  const resolve = (reference: Reference) => {
    const output = outputReference(reference, values.template.id);
    return output === undefined ? valueAt(reference, values) : new Later(absoluteReference(output));
  };
  return {
    name: action.name,
    executor: action.executor,
    app: fillInFirst({ ...action.app }, resolve) as PlannedAction['app'],
    command: fillInFirst(action.command, resolve),
    timeoutSeconds: action.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS,
    maxAttempts: action.maxAttempts ?? DEFAULT_MAX_ATTEMPTS,
  };
}

/** By the names of actions, the resources whose outputs they use. */
export type OutputsUsed = ReadonlyMap<string, readonly string[]>;

export function outputsUsed(actions: readonly Action[], template: string): OutputsUsed {
  return new Map(actions.map((action) => [action.name, outputsUsedBy(action, template)]));
}

/**
 * The resources whose outputs a resource's actions use, which therefore come before it. Its own are there when it is updated or
 * destroyed, and never when it is made.
 */
export function resourcesUsedBy(resource: ResourceDefinition, used: OutputsUsed, template: string): string[] {
  const own = `${template}.${resource.id}`;
  const { create, ...others } = resource.actions ?? {};
  const usedBy = (name: string | undefined) => used.get(name ?? '') ?? [];
  const later = Object.values(others)
    .flatMap(usedBy)
    .filter((id) => id !== own);
  return [...new Set([...usedBy(create), ...later])];
}

/** The resources whose outputs an action uses. */
export function outputsUsedBy({ app, command }: Action, template: string): string[] {
  return [...referencesIn([{ ...app }, command])].flatMap(
    (reference) => outputReference(reference, template)?.resource ?? [],
  );
}

/** A dependency as an environment has it: with the template's id before that of the resource or the group. */
export function absolute(dependency: Dependency, template: string): Dependency {
  return typeof dependency === 'string' ? absoluteName(dependency, template) : dependency;
}

/** Of resources and groups; what is external comes before nothing. */
export function namesIn(dependencies: readonly Dependency[] | undefined, template: string): string[] {
  return (dependencies ?? []).flatMap((one) =>
    typeof one === 'string' ? [absoluteName(one, template)] : [],
  );
}

function absoluteName(name: string, template: string): string {
  const prefix = name.startsWith(GROUP_PREFIX) ? GROUP_PREFIX : '';
  const id = name.slice(prefix.length);
  return `${prefix}${id.includes('.') ? id : `${template}.${id}`}`;
}

function expandCount(count: number | string, values: Values, report: Report): number {
  const value =
    typeof count === 'number'
      ? count
      : attempt('count', report, () => fillIn(count, (one) => valueAt(one, values)));
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= MAX_COUNT) {
    return number;
  }
  if (value !== undefined) {
    report(
      'count',
      `"${String(count)}" comes to ${JSON.stringify(value)}, and not to a whole number from 0 to ${MAX_COUNT}.`,
      'Give the parameters in it such values, or correct the template.',
    );
  }
  return 0;
}

function expandText(text: string, place: string, values: Values, report: Report): string {
  const value = attempt(place, report, () => fillIn(text, (reference) => valueAt(reference, values)));
  return value === undefined ? text : toText(value);
}

function expandUrls(texts: readonly string[], place: string, values: Values, report: Report): string[] {
  return texts.map((text, index) => {
    const url = expandText(text, `${place}[${index}]`, values, report);
    if (!isWebUrl(url)) {
      report(
        `${place}[${index}]`,
        `"${url}" is no http or https URL.`,
        'Correct the template or the parameters in it.',
      );
    }
    return url;
  });
}

/** What `work` answers; where a text cannot be filled in, that is reported. */
function attempt<Answer>(place: string, report: Report, work: () => Answer): Answer | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InterpolationError)) {
      throw error;
    }
    report(place, error.message, error.fix);
    return undefined;
  }
}
