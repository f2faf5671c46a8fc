import { z } from 'zod';
import {
  allowedAgeSeconds,
  answerRead,
  canonicalLocation,
  flag,
  json,
  list,
  nameSchema,
  noContent,
  paging,
  type ResponseFacts,
  readPrecondition,
  revisionTag,
} from '../../shared/platform/http/index.ts';
import {
  DEFAULT_WEIGHT,
  type InstanceView,
  instanceSchema,
  type ServiceView,
  unknownInstance,
  unknownService,
} from '../../shared/registry/index.ts';
import { endpoint } from './endpoint.ts';

const instanceShownSchema = z.strictObject({
  id: nameSchema,
  ...instanceSchema.omit({ status: true }).shape,
  health: z.enum(['passing', 'draining', 'expired']),
  expiresAt: z.iso
    .datetime()
    .optional()
    .describe('When the instance expires without a further heartbeat, at the earliest.'),
  tags: z.array(z.string()),
  weight: z.int(),
  metadata: z.record(z.string(), z.string()),
  revision: z.int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});

const serviceSchema = z.strictObject({
  name: nameSchema,
  revision: z.int().describe('Of the log that holds the instances of the service.'),
  instances: z.array(instanceShownSchema),
});

const listingSchema = z.strictObject({
  items: z.array(serviceSchema),
  next: z.string().optional().describe('Cursor of the next page, for `after`.'),
});

/** `web-hooks` means something else on Nesoi's surface. */
const instanceIdSchema = nameSchema.refine((id) => id !== 'web-hooks', 'must not be "web-hooks"');

const INSTANCE_ROUTE = 'api/v1/services/{name}/instances/{id}';
const INSTANCE_KEY = '/srv/{name}/{id}';

const missingInstance = ({ name, id }: { readonly name: string; readonly id: string }, ns: string) =>
  unknownInstance({ ns, service: name, id });

const listServices = endpoint({
  name: 'listServices',
  method: 'GET',
  route: 'api/v1/services',
  summary: 'The services of a namespace with their instances, by name',
  access: { verb: 'list', keys: '/srv/' },
  query: paging,
  requestHeaders: ['If-None-Match', 'Cache-Control'],
  responses: {
    200: {
      description: 'A page of services; each is current for itself.',
      body: listingSchema,
      headers: ['ETag', 'Age'],
    },
    304: { description: 'The listing is as the caller knows it.', headers: ['ETag', 'Age'] },
  },
  async handle({ ns, query, headers }, { registry }) {
    const { services, etag, ageSeconds, next } = await registry.listServices(ns, {
      ...query,
      maxAgeSeconds: allowedAgeSeconds(headers),
    });
    return answerRead(headers, { etag, ageSeconds }, () => ({ items: services.map(showService), next }));
  },
});

const getService = endpoint({
  name: 'getService',
  method: 'GET',
  route: 'api/v1/services/{name}',
  summary: 'The instances of a service',
  access: { verb: 'read', keys: '/srv/{name}/' },
  missing: ({ name }) => unknownService(name),
  query: {
    passing: flag().describe('Only instances whose health is `passing`.'),
    tag: list(z.string()).describe('Only instances that have all of these tags.'),
    zone: z.string().optional().describe('Only instances of this zone.'),
  },
  requestHeaders: ['If-None-Match', 'Cache-Control'],
  responses: {
    200: {
      description: 'The service; its entity tag covers the revision and the health of the instances.',
      body: serviceSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Age'],
    },
    304: { description: 'The service is as the caller knows it.', headers: ['ETag', 'Age'] },
  },
  errors: ['not-found'],
  async handle({ ns, params, query, headers }, { registry }) {
    const service = await registry.getService(ns, params.name, {
      passing: query.passing,
      tags: query.tag.flatMap((tags) => tags.split(',')),
      zone: query.zone,
      maxAgeSeconds: allowedAgeSeconds(headers),
    });
    if (service === undefined) {
      throw unknownService(params.name);
    }
    const { etag, revision, ageSeconds } = service;
    return answerRead(headers, { etag, revision, ageSeconds }, () => showService(service));
  },
});

const getInstance = endpoint({
  name: 'getInstance',
  method: 'GET',
  route: INSTANCE_ROUTE,
  summary: 'One instance of a service',
  access: { verb: 'read', keys: INSTANCE_KEY },
  missing: missingInstance,
  params: { id: instanceIdSchema },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: {
      description:
        'The instance. There is no entity tag while it has expired and its record does not say so yet.',
      body: instanceShownSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    304: { description: 'The instance is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  async handle({ ns, params, headers }, { registry }) {
    const address = { ns, service: params.name, id: params.id };
    const instance = await registry.getInstance(address);
    if (instance === undefined) {
      throw unknownInstance(address);
    }
    return answerRead(headers, factsOf(instance), () => showInstance(instance));
  },
});

const putInstance = endpoint({
  name: 'putInstance',
  method: 'PUT',
  route: INSTANCE_ROUTE,
  summary: 'Registers, replaces or revives an instance; registering what stands there already is a heartbeat',
  access: { verb: 'write', keys: INSTANCE_KEY },
  params: { id: instanceIdSchema },
  body: instanceSchema,
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: {
      description: 'The instance was replaced or revived, or stood there already.',
      body: instanceShownSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
    201: {
      description: 'The instance was created.',
      body: instanceShownSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Location'],
    },
  },
  async handle(request, { registry }) {
    const { ns, params, body, author, headers } = request;
    const { instance, created } = await registry.register({ ns, service: params.name, id: params.id }, body, {
      author,
      precondition: readPrecondition(headers),
    });
    const facts = factsOf(instance);
    const location = canonicalLocation(request, `services/${params.name}/instances/${params.id}`);
    return created
      ? json(201, showInstance(instance), { ...facts, location })
      : json(200, showInstance(instance), facts);
  },
});

const deleteInstance = endpoint({
  name: 'deleteInstance',
  method: 'DELETE',
  route: INSTANCE_ROUTE,
  summary: 'Removes an instance',
  access: { verb: 'delete', keys: INSTANCE_KEY },
  missing: missingInstance,
  params: { id: instanceIdSchema },
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The instance is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found'],
  async handle({ ns, params, author, headers }, { registry }) {
    const revision = await registry.deregister(
      { ns, service: params.name, id: params.id },
      { author, precondition: readPrecondition(headers) },
    );
    return noContent({ revision });
  },
});

const putHeartbeat = endpoint({
  name: 'putHeartbeat',
  method: 'PUT',
  route: `${INSTANCE_ROUTE}/heartbeat`,
  summary: 'Keeps an instance alive for at least one more ttl; 404 means that it has to register again',
  access: { verb: 'write', keys: INSTANCE_KEY },
  missing: missingInstance,
  params: { id: instanceIdSchema },
  responses: { 204: { description: 'The instance counts as alive.' } },
  errors: ['not-found'],
  async handle({ ns, params }, { registry }) {
    await registry.heartbeat({ ns, service: params.name, id: params.id });
    return noContent();
  },
});

export const serviceEndpoints = [
  listServices,
  getService,
  getInstance,
  putInstance,
  deleteInstance,
  putHeartbeat,
];

/** Of several instances that claim to lead, only the one that does is shown as `master`. */
function showService({ name, revision, instances, master }: ServiceView) {
  return {
    name,
    revision,
    instances: instances.map((view) => {
      const shown = showInstance(view);
      return shown.master === true && shown.id !== master ? { ...shown, master: undefined } : shown;
    }),
  };
}

function showInstance({ id, instance, health, expiresAt, revision, createdAt, updatedAt }: InstanceView) {
  const { status: _, tags = [], weight = DEFAULT_WEIGHT, metadata = {}, ...rest } = instance;
  return { id, ...rest, health, expiresAt, tags, weight, metadata, revision, createdAt, updatedAt };
}

/** Without an entity tag where the revision does not tell the health, or a 304 would hide an expiry or a revival. */
function factsOf({ revision, isLapsed }: InstanceView): ResponseFacts {
  return isLapsed ? { revision } : { revision, etag: revisionTag(revision) };
}
