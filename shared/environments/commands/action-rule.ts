import type { z } from 'zod';
import type { PlannedStep } from '../../operations/index.ts';
import { notFound } from '../../platform/errors.ts';
import {
  type EnvironmentValue,
  environmentScope,
  type ResourceValue,
  resourceKey,
  type TemplateUse,
} from '../environment.ts';
import { type RunData, runDataSchema } from '../environment-schema.ts';
import { type Fault, namesOf, refuseFaults } from '../faults.ts';
import { planAction } from '../planning/expand-template.ts';
import { InterpolationError } from '../planning/interpolation.ts';
import { fillInParameters } from '../planning/parameters.ts';
import { stepId } from '../planning/plan-changes.ts';
import { unknownResource } from '../standing.ts';
import type { Action } from '../templates/template.ts';
import type { Template } from '../templates/templates.ts';
import { ResourceWorkRule } from './resource-work-rule.ts';

/** `action.run`: runs an action of a template that the environment is made from. */
export class ActionRule extends ResourceWorkRule<RunData> {
  readonly type = 'action.run';
  readonly summary = 'Runs an action of a template of an environment, for a resource of it or for all of it.';
  readonly schema: z.ZodType<RunData> = runDataSchema;

  protected async stepsFor(ns: string, data: RunData, value: EnvironmentValue): Promise<PlannedStep[]> {
    const { use, template, action } = await this.#find(ns, data, value);
    const resource = await this.#resource(ns, data);
    const faults: Fault[] = [];
    const given = { ...use.parameters, ...data.parameters };
    const parameters = fillInParameters(template.parameters, given, ['parameters'], faults);
    refuseFaults(faults);
    const values = {
      parameters,
      environment: data.environment,
      template: { id: use.id, version: use.version },
      ...(resource !== undefined && { resource }),
    };
    return [
      {
        id: stepId('run', data.action),
        verb: 'run',
        ...(resource !== undefined && { resource: resource.id }),
        dependsOn: [],
        action: fillInAction(() => planAction(action, values), action),
      },
    ];
  }

  async #find(
    ns: string,
    { action: name }: RunData,
    { templates }: EnvironmentValue,
  ): Promise<{ use: TemplateUse; template: Template; action: Action }> {
    const [id = '', local = ''] = name.split('.');
    const use = templates.find((one) => one.id === id);
    if (use === undefined) {
      throw notFound(`The environment is not made from a template "${id}".`, {
        field: 'action',
        fix: `Correct the name: ${namesOf(templates.map((one) => one.id))}.`,
      });
    }
    const template = await this.parts.templates.version(ns, id, use.version);
    const action = template?.actions.find((one) => one.name === local);
    if (template === undefined || action === undefined) {
      throw notFound(`Version ${use.version} of the template "${id}" has no action "${local}".`, {
        field: 'action',
        fix: `Correct the name: ${namesOf((template?.actions ?? []).map((one) => one.name))}.`,
      });
    }
    return { use, template, action };
  }

  async #resource(ns: string, { environment, resource: id }: RunData) {
    if (id === undefined) {
      return undefined;
    }
    const scope = environmentScope(ns, environment);
    const record = await this.parts.records.get<ResourceValue>(scope, resourceKey(environment, id));
    if (record === undefined) {
      throw unknownResource(environment, id);
    }
    return { id, name: record.value.name, count: record.value.count };
  }
}

function fillInAction<Answer>(work: () => Answer, { name }: Action): Answer {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof InterpolationError)) {
      throw error;
    }
    refuseFaults([{ path: ['action'], detail: `In the action "${name}": ${error.message}`, fix: error.fix }]);
    throw error;
  }
}
