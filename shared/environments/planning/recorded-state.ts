import { unprocessable } from '../../platform/errors.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import type { Records } from '../../records/index.ts';
import {
  environmentScope,
  groupsPrefix,
  type ResourceGroupValue,
  type ResourceValue,
  resourcesPrefix,
  type TemplateUse,
} from '../environment.ts';
import { type Fault, refuseFaults } from '../faults.ts';
import type { Templates } from '../templates/templates.ts';
import { type Expansion, expandTemplate } from './expand-template.ts';
import type { Recorded } from './plan-changes.ts';

const AT_ONCE = 8;

export interface RecordedState extends Recorded {
  /** Those of the templates that it was made from. */
  readonly entrypoints: readonly string[];
}

export const NOTHING_RECORDED: RecordedState = { templates: [], resources: [], groups: [], entrypoints: [] };

/**
 * What templates made of an environment, with what it takes to destroy it again, of the versions that made it.
 *
 * @throws SkerryError `unprocessable` where the destruction of something cannot be told any more.
 */
export async function readRecordedState(
  { records, templates }: { readonly records: Records; readonly templates: Templates },
  ns: string,
  id: string,
  uses: readonly TemplateUse[],
): Promise<RecordedState> {
  const [resources, groups] = await Promise.all([
    readMade<ResourceValue>(records, ns, id, resourcesPrefix(id)),
    readMade<ResourceGroupValue>(records, ns, id, groupsPrefix(id)),
  ]);
  const expansions = await expandAll(templates, ns, id, [
    ...uses,
    ...resources.map(({ value }) => value.template),
    ...groups.map(({ value }) => value.template),
  ]);
  const expansionOf = (use: TemplateUse) => expansions.get(keyOf(use));
  return {
    templates: [...expansions.values()].map(({ use, dependsOn }) => ({ id: use.id, dependsOn })),
    resources: resources.map(({ id: resource, value }) => {
      const expanded = expansionOf(value.template)?.resources.find((one) => one.id === resource);
      return { id: resource, value, after: expanded?.after ?? [], actions: expanded?.actions ?? {} };
    }),
    groups: groups.map(({ id: group, value }) => ({
      id: group,
      value,
      after: expansionOf(value.template)?.groups.find((one) => one.id === group)?.after ?? [],
    })),
    entrypoints: uses.flatMap((use) => expansionOf(use)?.entrypoints ?? []),
  };
}

type Made<Value> = Value & { readonly template: TemplateUse };

/** Of what is under a prefix, what a template made. */
async function readMade<Value extends { readonly template?: TemplateUse }>(
  records: Records,
  ns: string,
  environment: string,
  prefix: string,
): Promise<{ readonly id: string; readonly value: Made<Value> }[]> {
  const found = await records.listAll<Value>(environmentScope(ns, environment), { prefix });
  return found.records.flatMap(({ key, value }) =>
    value.template === undefined ? [] : [{ id: key.slice(prefix.length), value: value as Made<Value> }],
  );
}

async function expandAll(
  templates: Templates,
  ns: string,
  environment: string,
  uses: readonly TemplateUse[],
): Promise<ReadonlyMap<string, Expansion>> {
  const distinct = new Map(uses.map((use) => [keyOf(use), use]));
  const faults: Fault[] = [];
  const expansions = await mapConcurrently([...distinct], AT_ONCE, async ([key, use]) => {
    const definition = await templates.version(ns, use.id, use.version);
    if (definition === undefined) {
      throw unprocessable(
        `Version ${use.version} of the template "${use.id}" is gone, by which this was made.`,
        {
          fix: 'Import the template again from where it came from.',
        },
      );
    }
    return [key, expandTemplate(use, definition, environment, ['templates'], faults)] as const;
  });
  refuseFaults(faults);
  return new Map(expansions);
}

function keyOf({ id, version, parameters }: TemplateUse): string {
  return JSON.stringify([id, version, Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
