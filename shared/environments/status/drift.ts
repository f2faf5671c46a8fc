import { jsonEquals } from '../../platform/json-equals.ts';
import type { EnvironmentValue, ResourceValue, TemplateUse } from '../environment.ts';
import { type ExpandedResource, expandTemplate } from '../planning/expand-template.ts';
import type { TemplateDefinition } from '../templates/template.ts';

/** One way in which an environment is not what it should be. */
export interface Drift {
  /** Absent where it is about the environment itself. */
  readonly resource?: string;
  readonly expected: string;
  readonly observed: string;
}

/** A template that an environment is to be made from; without a definition where that is gone. */
export interface UsedTemplate {
  readonly use: TemplateUse;
  readonly definition: TemplateDefinition | undefined;
}

type Found = Omit<Drift, 'resource'>;

const MAX_VALUE_CHARACTERS = 100;

/**
 * How an environment differs from what its templates make of it, and from being well: what is missing, was made from something else, failed, is
 * unhealthy, or was found by a refresh. While an operation makes or destroys it, it differs by nature, and only what is unhealthy is told.
 *
 * @param resources by their ids.
 */
export function driftOf(
  environment: EnvironmentValue & { readonly id: string },
  resources: ReadonlyMap<string, ResourceValue>,
  templates: readonly UsedTemplate[],
): readonly Drift[] {
  const isSettled = environment.state.startsWith('Deployed-');
  const wanted = isSettled ? wantedResources(environment.id, templates) : new Map<string, Wanted>();
  const ids = [...new Set([...wanted.keys(), ...resources.keys()])].sort();
  const isJudged = (id: string) => isSettled && !isUnknown(resources.get(id), templates);
  return [
    ...illness(environment),
    ...ids.flatMap((resource) => {
      const value = resources.get(resource);
      const made = isJudged(resource) ? madeDifferently(wanted.get(resource), value) : [];
      return [...made, ...(value === undefined ? [] : observed(value))].map((found) => ({
        resource,
        ...found,
      }));
    }),
  ];
}

interface Wanted {
  readonly use: TemplateUse;
  readonly facts: ExpandedResource['facts'];
}

function wantedResources(environment: string, templates: readonly UsedTemplate[]): Map<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const { use, definition } of templates) {
    // What could not be filled in would have failed the deployment.
    const { resources } =
      definition === undefined
        ? { resources: [] }
        : expandTemplate(use, definition, environment, ['templates'], []);
    for (const { id, facts } of resources) {
      if (facts.count > 0) {
        wanted.set(id, { use, facts });
      }
    }
  }
  return wanted;
}

/** Whether nobody can tell what a resource should be like. */
function isUnknown(value: ResourceValue | undefined, templates: readonly UsedTemplate[]): boolean {
  const { template } = value ?? {};
  return templates.some(({ use, definition }) => use.id === template?.id && definition === undefined);
}

function madeDifferently(wanted: Wanted | undefined, value: ResourceValue | undefined): Found[] {
  if (wanted === undefined) {
    // What was written down by hand is as it should be.
    return value?.template === undefined
      ? []
      : [{ expected: 'gone', observed: `made from ${versionOf(value.template)}` }];
  }
  const expected = `made from ${versionOf(wanted.use)}`;
  if (value === undefined) {
    return [{ expected, observed: 'missing' }];
  }
  if (value.template === undefined) {
    return [{ expected, observed: 'written down by hand' }];
  }
  const isSameVersion = value.template.version === wanted.use.version;
  return [
    ...(isSameVersion ? [] : [{ expected, observed: `made from ${versionOf(value.template)}` }]),
    ...differentParameters(wanted.use, value.template),
    ...(value.count === wanted.facts.count
      ? []
      : [{ expected: `count ${wanted.facts.count}`, observed: `count ${value.count}` }]),
  ];
}

function differentParameters(
  { parameters: wanted }: TemplateUse,
  { parameters: made }: TemplateUse,
): Found[] {
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(made)])].sort();
  return names
    .filter((name) => !jsonEquals(wanted[name], made[name]))
    .map((name) => ({
      expected: `${name} = ${show(wanted[name])}`,
      observed: `${name} = ${show(made[name])}`,
    }));
}

function observed(value: ResourceValue): Found[] {
  const failed = [
    { expected: 'ok', observed: `failed${value.detail === undefined ? '' : `: ${value.detail}`}` },
  ];
  return [
    ...(value.status === 'failed' ? failed : []),
    ...(value.drift === undefined ? [] : [{ expected: 'as its template has it', observed: value.drift }]),
    ...illness(value),
  ];
}

function illness({ health }: Pick<ResourceValue, 'health'>): Found[] {
  return health?.state === 'unhealthy'
    ? [{ expected: 'healthy', observed: health.detail ?? 'unhealthy' }]
    : [];
}

function versionOf({ id, version }: TemplateUse): string {
  return `version ${version} of ${id}`;
}

function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length <= MAX_VALUE_CHARACTERS ? text : `${text.slice(0, MAX_VALUE_CHARACTERS)}…`;
}
