import type { PlannedStep } from '../../operations/index.ts';
import { isWebUrl } from '../../platform/http/index.ts';
import type { Records } from '../../records/index.ts';
import type { EnvironmentValue, TemplateUse } from '../environment.ts';
import type { EnvironmentChange } from '../environment-schema.ts';
import { type Fault, refuseFaults } from '../faults.ts';
import { destroyed, readEnvironment, standing, unknownResource } from '../standing.ts';
import { MAX_RESOURCES } from '../templates/template-schema.ts';
import type { Templates } from '../templates/templates.ts';
import { circleIn, dependencyGraph } from './dependency-graph.ts';
import { type Expansion, expandTemplate } from './expand-template.ts';
import { NOTHING_WANTED, type Plan, planChanges, stepId, type Wanted } from './plan-changes.ts';
import { NOTHING_RECORDED, type RecordedState, readRecordedState } from './recorded-state.ts';
import { resolveTemplates } from './resolve-templates.ts';

export interface EnvironmentPlan extends Plan {
  /** What the environment is made from then, in these versions and with all parameters. */
  readonly templates: readonly TemplateUse[];
  readonly entrypoints: readonly string[];
}

/** Says what has to be done for environments. Changes nothing. All methods throw SkerryError `unavailable` when storage does not answer. */
export class EnvironmentPlanner {
  readonly #records: Records;
  readonly #templates: Templates;

  constructor({ records, templates }: { readonly records: Records; readonly templates: Templates }) {
    this.#records = records;
    this.#templates = templates;
  }

  /**
   * What has to be done for an environment to be as it is wanted, whether or not it is there.
   *
   * @throws SkerryError `unprocessable` with all `faults`, also for what depends on each other in a circle; `conflict` for one that is
   *   destroyed.
   */
  async plan(ns: string, input: EnvironmentChange): Promise<EnvironmentPlan> {
    const current = await this.#find(ns, input.id);
    if (current?.state === 'Destroyed') {
      throw destroyed(ns, input.id);
    }
    const used = current?.templates ?? [];
    const faults = checkUrls(input);
    const resolved = await resolveTemplates(this.#templates, ns, input.templates ?? used, used, faults);
    refuseFaults(faults); // What follows from a wrong parameter is no fault of its own.
    const expansions = resolved.map(({ use, definition }) => {
      const index = (input.templates ?? used).findIndex((one) => one.id === use.id);
      return expandTemplate(use, definition, input.id, ['templates', index], faults);
    });
    refuseFaults(faults);
    const wanted = toWanted(expansions);
    refuseFaults([...checkNames(wanted), ...checkNumber(wanted)]);
    refuseFaults(checkCircles(wanted));
    const recorded = current === undefined ? NOTHING_RECORDED : await this.#recorded(ns, input.id, current);
    const derived = new Set(recorded.entrypoints);
    const own = input.entrypoints ?? (current?.entrypoints ?? []).filter((one) => !derived.has(one));
    return {
      ...planChanges(wanted, recorded),
      templates: resolved.map(({ use }) => use),
      entrypoints: [...new Set([...own, ...expansions.flatMap(({ entrypoints }) => entrypoints)])],
    };
  }

  /**
   * What has to be done to destroy all that templates made of an environment.
   *
   * @throws SkerryError `not-found`; `conflict` for one that is destroyed already.
   */
  async planDestruction(ns: string, id: string): Promise<EnvironmentPlan> {
    const value = standing(ns, id, await this.#find(ns, id));
    const { templates, entrypoints } = value;
    return { ...planChanges(NOTHING_WANTED, await this.#recorded(ns, id, value)), templates, entrypoints };
  }

  /**
   * Looks at resources that templates made: at all of an environment, or at one.
   *
   * @param value the environment as it stands.
   * @throws SkerryError `not-found` for a resource that no template made.
   */
  async planRefresh(
    ns: string,
    id: string,
    value: EnvironmentValue,
    resource?: string,
  ): Promise<PlannedStep[]> {
    const { resources } = await this.#recorded(ns, id, value);
    const looked = resources.filter((one) => resource === undefined || one.id === resource);
    if (resource !== undefined && looked.length === 0) {
      throw unknownResource(id, resource);
    }
    return looked.flatMap(({ id: name, actions: { create } }) =>
      create === undefined
        ? []
        : [{ id: stepId('refresh', name), verb: 'refresh', resource: name, dependsOn: [], action: create }],
    );
  }

  async #recorded(ns: string, id: string, { templates }: EnvironmentValue): Promise<RecordedState> {
    const sources = { records: this.#records, templates: this.#templates };
    return await readRecordedState(sources, ns, id, templates);
  }

  async #find(ns: string, id: string): Promise<EnvironmentValue | undefined> {
    return await readEnvironment(this.#records, ns, id);
  }
}

/** What the pattern of a URL cannot tell, such as a port that is none. */
function checkUrls({ entrypoints = [], statusEndpoints = [] }: EnvironmentChange): Fault[] {
  return Object.entries({ entrypoints, statusEndpoints }).flatMap(([name, urls]) =>
    urls.flatMap((url, index) =>
      isWebUrl(url)
        ? []
        : [{ path: [name, index], detail: `"${url}" is no http or https URL.`, fix: 'Write it in full.' }],
    ),
  );
}

function toWanted(expansions: readonly Expansion[]): Wanted {
  return {
    templates: expansions.map(({ use, dependsOn }) => ({ ...use, dependsOn })),
    resources: expansions.flatMap(({ resources }) => resources),
    groups: expansions.flatMap(({ groups }) => groups),
  };
}

/** What depends on something that the environment does not have. */
function checkNames(wanted: Wanted): Fault[] {
  const known = new Set(dependencyGraph(wanted).keys());
  const places = new Map(wanted.templates.map(({ id }, index) => [id, index]));
  return [...wanted.resources, ...wanted.groups].flatMap(({ id, template, after }) =>
    after
      .filter((name) => !known.has(name))
      .map((name) => ({
        path: ['templates', places.get(template) ?? 0],
        detail: `"${id}" depends on "${name}", which the environment does not have.`,
        fix: 'Add the template that has it, in a version that does, or change the template that depends on it.',
      })),
  );
}

function checkNumber({ resources }: Wanted): Fault[] {
  const number = resources.filter(({ facts }) => facts.count > 0).length;
  return number <= MAX_RESOURCES
    ? []
    : [
        {
          path: ['templates'],
          detail: `The environment would have ${number} resources; ${MAX_RESOURCES} are the most.`,
          fix: 'Make several environments of it.',
        },
      ];
}

function checkCircles(wanted: Wanted): Fault[] {
  const ofTemplates = new Map(wanted.templates.map(({ id, dependsOn }) => [id, dependsOn]));
  const circle = circleIn(ofTemplates) ?? circleIn(dependencyGraph(wanted));
  return circle === undefined
    ? []
    : [
        {
          path: ['templates'],
          detail: `What depends on what goes in a circle: ${circle}.`,
          fix: 'Remove one of these dependencies from its template, or a reference to an output that makes one.',
        },
      ];
}
