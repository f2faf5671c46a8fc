import { z } from 'zod';
import {
  environmentChangeShape,
  environmentShape,
  type Plan,
  refreshDataSchema,
  runDataSchema,
  unknownEnvironment,
} from '../../../shared/environments/index.ts';
import { authorizeSender } from '../../../shared/operations/index.ts';
import { invalid } from '../../../shared/platform/errors.ts';
import {
  checkPresentTag,
  flag,
  type HeaderReader,
  type HttpResponse,
  json,
  makerOf,
  nameSchema,
  noContent,
  readPrecondition,
} from '../../../shared/platform/http/index.ts';
import type { Services } from '../../services.ts';
import { endpoint } from '../endpoint.ts';
import { planSchema, showPlan } from './plan-shape.ts';
import { startedWork, startWork, type Work, type WorkRequest } from './started-work.ts';

const KEY = '/env/{id}';
const dryRun = flag().describe('Answers what would be done, and in which order; nothing changes.');
const withPlan = {
  200: { description: 'With `dryRun`: what would be done.', body: z.strictObject({ plan: planSchema }) },
  ...startedWork,
};
const errors = ['not-found', 'conflict', 'unprocessable', 'too-many-requests'] as const;

const createEnvironment = endpoint({
  name: 'createEnvironment',
  method: 'POST',
  route: 'api/v1/environments',
  summary: 'Creates an environment from templates',
  access: { verb: 'write', keys: '/env' },
  touches: ({ body }) => [{ verb: 'write', keys: `/env/${body.id}` }],
  query: { dryRun },
  body: z.strictObject({ id: nameSchema, ...environmentShape }),
  requestHeaders: ['Idempotency-Key', 'If-Match', 'If-None-Match'],
  responses: withPlan,
  errors,
  async handle(request, services) {
    const { ns, body } = request;
    return await workOn(request, services, {
      id: body.id,
      types: ['environment.create'],
      data: { environment: body },
      plan: (planner) => planner.plan(ns, body),
    });
  },
});

const putEnvironment = endpoint({
  name: 'putEnvironment',
  method: 'PUT',
  route: 'api/v1/environments/{id}',
  summary: 'Changes an environment, where what is left out stays; creates it where there is none',
  access: { verb: 'write', keys: KEY },
  missing: ({ id }, ns) => unknownEnvironment(ns, id),
  query: { dryRun },
  body: z.strictObject({ id: nameSchema.optional(), ...environmentChangeShape }),
  requestHeaders: ['Idempotency-Key', 'If-Match', 'If-None-Match'],
  responses: withPlan,
  errors,
  async handle(request, services) {
    const { ns, params, body } = request;
    if (body.id !== undefined && body.id !== params.id) {
      throw invalid(`The body is about "${body.id}", the URL about "${params.id}".`, {
        field: 'id',
        fix: 'Leave it out of the body.',
      });
    }
    const environment = { ...body, id: params.id };
    const isThere = (await services.environments.find(ns, params.id)) !== undefined;
    if (!isThere && body.name === undefined) {
      throw invalid(`There is no environment "${params.id}" yet, and the field "name" is missing.`, {
        field: 'name',
        fix: 'Add it to create the environment.',
      });
    }
    const types = isThere
      ? (['environment.update', 'environment.create'] as const)
      : (['environment.create', 'environment.update'] as const);
    return await workOn(request, services, {
      id: params.id,
      types,
      data: { environment },
      plan: (planner) => planner.plan(ns, environment),
    });
  },
});

const deleteEnvironment = endpoint({
  name: 'deleteEnvironment',
  method: 'DELETE',
  route: 'api/v1/environments/{id}',
  summary:
    'Destroys what an environment consists of; with `forget`, removes all that is known of a destroyed one',
  access: { verb: 'delete', keys: KEY },
  missing: ({ id }, ns) => unknownEnvironment(ns, id),
  query: { dryRun, forget: flag().describe('Removes the records of an environment that is destroyed.') },
  requestHeaders: ['Idempotency-Key', 'If-Match', 'If-None-Match'],
  responses: { ...withPlan, 204: { description: 'With `forget`: it is forgotten.' } },
  errors,
  async handle(request, services) {
    const { ns, params, query, author } = request;
    const { id } = params;
    if (query.forget && query.dryRun) {
      throw invalid('Forgetting has no plan.', { field: 'dryRun', fix: 'Leave one of them out.' });
    }
    if (query.forget) {
      await checkTag(request, services, id);
      await services.environments.forget(ns, id, author);
      return noContent();
    }
    return await workOn(request, services, {
      id,
      types: ['environment.destroy'],
      data: { environment: id },
      plan: (planner) => planner.planDestruction(ns, id),
    });
  },
});

const runAction = endpoint({
  name: 'runAction',
  method: 'POST',
  route: 'api/v1/environments/{id}/actions/{action}',
  summary: "Runs an action of one of an environment's templates, `TEMPLATE.ACTION`",
  access: { verb: 'write', keys: KEY },
  missing: ({ id }, ns) => unknownEnvironment(ns, id),
  body: runDataSchema.pick({ resource: true, parameters: true }).prefault({}),
  requestHeaders: ['Idempotency-Key', 'If-Match', 'If-None-Match'],
  responses: startedWork,
  errors,
  async handle(request, services) {
    const { params, body } = request;
    return await workOn(request, services, {
      id: params.id,
      types: ['action.run'],
      data: { environment: params.id, action: params.action, ...body },
    });
  },
});

const refreshEnvironment = endpoint({
  name: 'refreshEnvironment',
  method: 'POST',
  route: 'api/v1/environments/{id}/refresh',
  summary: 'Looks at what is really there, of all resources or of one',
  access: { verb: 'write', keys: KEY },
  missing: ({ id }, ns) => unknownEnvironment(ns, id),
  body: refreshDataSchema.pick({ resource: true }).prefault({}),
  requestHeaders: ['Idempotency-Key', 'If-Match', 'If-None-Match'],
  responses: startedWork,
  errors,
  async handle(request, services) {
    const { params, body } = request;
    return await workOn(request, services, {
      id: params.id,
      types: ['resource.refresh'],
      data: { environment: params.id, ...body },
    });
  },
});

export const environmentWorkEndpoints = [
  createEnvironment,
  putEnvironment,
  deleteEnvironment,
  runAction,
  refreshEnvironment,
];

interface EnvironmentWork extends Pick<Work, 'types' | 'data'> {
  /** Of the environment. */
  readonly id: string;
  /** Where the request may ask for the plan alone. */
  readonly plan?: (planner: Services['environmentPlanner']) => Promise<Plan>;
}

/**
 * Starts work on an environment as it stands; or, with `dryRun`, refuses what the command would refuse, and else tells its plan.
 *
 * @throws SkerryError `precondition-failed`, and what the command or its plan is refused with.
 */
async function workOn(
  request: WorkRequest & { readonly query: { readonly dryRun?: boolean | undefined } },
  services: Services,
  { id, types, data, plan }: EnvironmentWork,
): Promise<HttpResponse> {
  const allow = () => checkTag(request, services, id);
  if (plan === undefined || !request.query.dryRun) {
    return await startWork(request, services, { types, data, about: `environments/${id}`, allow });
  }
  const { commandRules, environmentPlanner, callerOf } = services;
  const known = commandRules.check({ type: types[0], data });
  const sent = { ns: request.ns, ...makerOf(request.author), data: known.data };
  await authorizeSender(known.rule, sent, callerOf);
  await allow();
  await known.rule.check(request.ns, known.data);
  return json(200, { plan: showPlan(await plan(environmentPlanner)) });
}

/**
 * Holds an environment against the caller's precondition, as it stands when the request comes.
 *
 * @throws SkerryError `precondition-failed`.
 */
async function checkTag(
  { ns, headers }: { readonly ns: string; readonly headers: HeaderReader },
  { environments }: Services,
  id: string,
): Promise<void> {
  const precondition = readPrecondition(headers);
  if (precondition !== undefined) {
    checkPresentTag(precondition, (await environments.get(ns, id))?.tag);
  }
}
