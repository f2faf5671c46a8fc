import { z } from 'zod';
import { noContent } from '../../../shared/platform/http/index.ts';
import { type ServiceView, unknownInstance } from '../../../shared/registry/index.ts';
import { endpoint } from '../endpoint.ts';
import { hostInputSchema, hostSchema, toHost, toInstance } from './host.ts';
import { checkBodyName, NAMESPACE, nesoiJson, subscriptionsLink } from './nesoi-form.ts';

const hostsSchema = z.record(z.string(), hostSchema);
const serviceSchema = z.object({ name: z.string(), hosts: hostsSchema });

const listServices = endpoint({
  name: 'nesoiListServices',
  method: 'GET',
  route: 'srv',
  summary: 'All services; a service exists while it has a host',
  access: { verb: 'list', keys: '/srv/', legacy: true },
  surface: 'legacy',
  responses: {
    200: { description: 'Each service by its name.', body: z.record(z.string(), serviceSchema) },
  },
  async handle(_request, { registry }) {
    const { services } = await registry.listServices(NAMESPACE, { needsRenewalTimes: true });
    const byName = services.map((service) => [service.name, { name: service.name, hosts: hostsOf(service) }]);
    return nesoiJson(200, Object.fromEntries(byName));
  },
});

const getService = endpoint({
  name: 'nesoiGetService',
  method: 'GET',
  route: 'srv/{name}',
  summary: 'The hosts of a service; none of a service that does not exist',
  access: { verb: 'list', keys: '/srv/{name}/', legacy: true },
  surface: 'legacy',
  responses: { 200: { description: 'Each host by its name.', body: hostsSchema } },
  async handle({ params }, { registry }) {
    const service = await registry.getService(NAMESPACE, params.name, { needsRenewalTimes: true });
    return nesoiJson(200, service === undefined ? {} : hostsOf(service));
  },
});

const headService = endpoint({
  name: 'nesoiHeadService',
  method: 'HEAD',
  route: 'srv/{name}',
  summary: 'Where to subscribe to a service, which need not exist yet',
  access: { verb: 'read', keys: '/srv/{name}/', legacy: true },
  surface: 'legacy',
  responses: { 200: { description: 'The subscriptions resource.', headers: ['Link'] } },
  handle({ params, baseUrl }) {
    return { status: 200, headers: { Link: subscriptionsLink(`${baseUrl}/srv/${params.name}`) } };
  },
});

const getHost = endpoint({
  name: 'nesoiGetHost',
  method: 'GET',
  route: 'srv/{name}/{host}',
  summary: 'One host',
  access: { verb: 'read', keys: '/srv/{name}/{host}', legacy: true },
  missing: (params) => unknownInstance(addressOf(params)),
  surface: 'legacy',
  responses: { 200: { description: 'The host.', body: hostSchema } },
  errors: ['not-found'],
  async handle({ params }, { registry }) {
    const address = addressOf(params);
    const instance = await registry.getInstance(address);
    if (instance === undefined) {
      throw unknownInstance(address);
    }
    return nesoiJson(200, toHost(instance));
  },
});

const putHost = endpoint({
  name: 'nesoiPutHost',
  method: 'PUT',
  route: 'srv/{name}/{host}',
  summary: 'Registers or replaces a host; putting what stands there already is a sign of life and no change',
  access: { verb: 'write', keys: '/srv/{name}/{host}', legacy: true },
  surface: 'legacy',
  body: hostInputSchema,
  responses: { 200: { description: 'The host as it stands now.', body: hostSchema } },
  async handle({ params, body, author }, { registry }) {
    checkBodyName(body, params.host);
    const { instance } = await registry.register(addressOf(params), toInstance(body), {
      author,
      keepsRenewalTime: true,
    });
    return nesoiJson(200, toHost(instance));
  },
});

const deleteHost = endpoint({
  name: 'nesoiDeleteHost',
  method: 'DELETE',
  route: 'srv/{name}/{host}',
  summary: 'Removes a host',
  access: { verb: 'delete', keys: '/srv/{name}/{host}', legacy: true },
  missing: (params) => unknownInstance(addressOf(params)),
  surface: 'legacy',
  responses: { 204: { description: 'The host is gone.' } },
  errors: ['not-found'],
  async handle({ params, author }, { registry }) {
    await registry.deregister(addressOf(params), { author });
    return noContent();
  },
});

export const nesoiServiceEndpoints = [listServices, getService, headService, getHost, putHost, deleteHost];

function addressOf({ name, host }: { readonly name: string; readonly host: string }) {
  return { ns: NAMESPACE, service: name, id: host };
}

function hostsOf({ instances }: ServiceView): Record<string, unknown> {
  return Object.fromEntries(instances.map((instance) => [instance.id, toHost(instance)]));
}
