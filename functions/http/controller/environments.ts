import { z } from 'zod';
import { type Environment, unknownEnvironment } from '../../../shared/environments/index.ts';
import type { Operation } from '../../../shared/operations/index.ts';
import { conflict, SkerryError } from '../../../shared/platform/errors.ts';
import { type Author, canonicalLocation, rawContent } from '../../../shared/platform/http/index.ts';
import type { Services } from '../../services.ts';
import { endpoint } from '../endpoint.ts';
import { controllerAnswer, controllerForm, controllerRefusal } from './controller-answer.ts';
import type { ControllerValue } from './controller-value.ts';
import { type ControllerEnvironment, readEnvironment } from './read-environment.ts';

/** The controller knows no namespaces. */
const NAMESPACE = 'default';
const MAX_BODY_BYTES = 1024 * 1024;

const time = z.iso.datetime({ offset: true }).nullable();
const environmentSchema = z.strictObject({
  _key: z.string(),
  name: z.string(),
  description: z.string(),
  created_on: time,
  destroyed_on: time,
  destruction_planned_on: time,
});

const form = {
  surface: 'legacy',
  requestHeaders: ['Accept'],
  showRefusal: controllerRefusal,
} as const;

const createEnvironment = endpoint({
  ...form,
  name: 'controllerCreateEnvironment',
  method: 'PUT',
  route: 'api/v1/environment',
  summary: 'Creates an environment that nothing is in yet',
  access: { verb: 'write', keys: '/env/', legacy: true },
  touches: ({ body }) => [{ verb: 'write', keys: `/env/${readEnvironment(body)._key}` }],
  body: rawContent(MAX_BODY_BYTES),
  responses: {
    201: { description: 'The environment as it was sent.', body: environmentSchema, headers: ['Location'] },
  },
  errors: ['conflict', 'too-large', 'unsupported-media-type'],
  async handle(request, services) {
    const { headers, body, author } = request;
    const answerForm = controllerForm(headers);
    const environment = readEnvironment(body);
    await create(environment, author, services);
    const location = `${request.baseUrl}/api/v1/environment/${environment._key}`;
    return controllerAnswer(answerForm, 201, toSent(environment), { location });
  },
});

const listEnvironments = endpoint({
  ...form,
  name: 'controllerListEnvironments',
  method: 'GET',
  route: 'api/v1/environment',
  summary: 'All environments, by id',
  access: { verb: 'list', keys: '/env/', legacy: true },
  responses: { 200: { description: 'All of them.', body: z.array(environmentSchema) } },
  errors: ['unsupported-media-type'],
  async handle({ headers }, { environments }) {
    const answerForm = controllerForm(headers);
    const all: Environment[] = [];
    let after: string | undefined;
    do {
      const page = await environments.list(NAMESPACE, { limit: 1_000, after });
      all.push(...page.items);
      after = page.next;
    } while (after !== undefined);
    return controllerAnswer(answerForm, 200, all.map(toStored));
  },
});

const getEnvironment = endpoint({
  ...form,
  name: 'controllerGetEnvironment',
  method: 'GET',
  route: 'api/v1/environment/{id}',
  summary: 'One environment',
  access: { verb: 'read', keys: '/env/{id}', legacy: true },
  missing: ({ id }) => unknownEnvironment(NAMESPACE, id),
  responses: { 200: { description: 'The environment.', body: environmentSchema } },
  errors: ['not-found', 'unsupported-media-type'],
  async handle({ headers, params }, { environments }) {
    const answerForm = controllerForm(headers);
    return controllerAnswer(answerForm, 200, toStored(await existing(params.id, environments)));
  },
});

const deleteEnvironment = endpoint({
  ...form,
  name: 'controllerDeleteEnvironment',
  method: 'DELETE',
  route: 'api/v1/environment/{id}',
  summary: 'Has an environment destroyed; one that is or will be is so already',
  access: { verb: 'delete', keys: '/env/{id}', legacy: true },
  missing: ({ id }) => unknownEnvironment(NAMESPACE, id),
  responses: {
    202: {
      description: 'It will be destroyed.',
      body: environmentSchema,
      headers: ['Operation-Location'],
    },
  },
  errors: ['not-found', 'unsupported-media-type'],
  async handle(request, { environments, commands }) {
    const { headers, params, author } = request;
    const answerForm = controllerForm(headers);
    const environment = await existing(params.id, environments);
    if (environment.state === 'Destroying' || environment.state === 'Destroyed') {
      return controllerAnswer(answerForm, 202, toStored(environment));
    }
    const data = { environment: params.id };
    const operation = await commands.request({ ns: NAMESPACE, type: 'environment.destroy', data, author });
    const place = canonicalLocation(
      { baseUrl: request.baseUrl, ns: NAMESPACE },
      `operations/${operation.id}`,
    );
    return controllerAnswer(answerForm, 202, toStored(await existing(params.id, environments)), {
      headers: { 'Operation-Location': place },
    });
  },
});

export const controllerEnvironmentEndpoints = [
  createEnvironment,
  listEnvironments,
  getEnvironment,
  deleteEnvironment,
];

/** @throws SkerryError `conflict` where there is one of this id: whoever is answered otherwise has created it. */
async function create(
  { _key: id, name, description, destruction_planned_on: destructionPlannedOn }: ControllerEnvironment,
  author: Author,
  services: Services,
): Promise<void> {
  const environment = {
    id,
    name,
    ...(description && { description }),
    ...(destructionPlannedOn !== null && { destructionPlannedOn }),
    templates: [],
  };
  const request = { ns: NAMESPACE, type: 'environment.create', data: { environment }, author };
  const operation = await services.commands.request(request);
  if (!(await hasBegun(id, operation, services))) {
    await services.commands.cancel(NAMESPACE, operation.id, author).catch(unlessRefused);
    throw conflict(`An environment with the ID "${id}" already exists.`);
  }
}

/** Whether it is this operation that creates the environment, rather than one that came a moment earlier. */
async function hasBegun(id: string, { id: operation }: Operation, services: Services): Promise<boolean> {
  const found = await services.environments.get(NAMESPACE, id);
  if (found?.environment.operation === operation) {
    return true;
  }
  const { state } = await services.operations.get(NAMESPACE, operation);
  return state === 'running' || state === 'succeeded';
}

function unlessRefused(error: unknown): void {
  if (!(error instanceof SkerryError)) throw error;
}

async function existing(id: string, environments: Services['environments']): Promise<Environment> {
  const environment = await environments.find(NAMESPACE, id);
  if (environment === undefined) {
    throw unknownEnvironment(NAMESPACE, id);
  }
  return environment;
}

function toSent(sent: ControllerEnvironment): ControllerValue {
  return toValue({
    id: sent._key,
    name: sent.name,
    description: sent.description ?? '',
    createdOn: sent.created_on,
    destroyedOn: sent.destroyed_on,
    destructionPlannedOn: sent.destruction_planned_on,
  });
}

function toStored(environment: Environment): ControllerValue {
  const {
    id,
    name,
    description = '',
    createdOn,
    destroyedOn = null,
    destructionPlannedOn = null,
  } = environment;
  return toValue({ id, name, description, createdOn, destroyedOn, destructionPlannedOn });
}

function toValue(environment: {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly createdOn: string | null;
  readonly destroyedOn: string | null;
  readonly destructionPlannedOn: string | null;
}): ControllerValue {
  return {
    type: 'Environment',
    members: [
      ['_key', 'ID', environment.id],
      ['name', 'Name', environment.name],
      ['description', 'Description', environment.description],
      ['created_on', 'CreatedOn', environment.createdOn],
      ['destroyed_on', 'DestroyedOn', environment.destroyedOn],
      ['destruction_planned_on', 'DestructionPlannedOn', environment.destructionPlannedOn],
    ],
  };
}
