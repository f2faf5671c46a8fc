import { z } from 'zod';
import { invalid } from '../../../shared/platform/errors.ts';
import { type KeyAccess, nameSchema, noContent, type Touch } from '../../../shared/platform/http/index.ts';
import { type Subscription, unknownHook } from '../../../shared/webhooks/index.ts';
import { endpoint } from '../endpoint.ts';
import { checkBodyName, NAMESPACE, nesoiJson } from './nesoi-form.ts';

const LIST: KeyAccess = { verb: 'list', keys: '/hook/', legacy: true };
const READ: KeyAccess = { verb: 'read', keys: '/hook/', legacy: true };
const WRITE: KeyAccess = { verb: 'write', keys: '/hook/', legacy: true };
const DELETE: KeyAccess = { verb: 'delete', keys: '/hook/', legacy: true };

const hookSchema = z.object({
  name: nameSchema.describe('Identifies the endpoint, within the resource.'),
  endpoint: z.string().describe('Where the notification is posted.'),
});

/** The hooks of an application or a service, either of which need not exist yet. */
function hookEndpoints(watched: { readonly title: 'App' | 'Service'; readonly tree: 'app' | 'srv' }) {
  const { title, tree } = watched;
  const collection = `${tree}/{name}/web-hooks` as const;
  const member = `${collection}/{hook}` as const;
  /** Who makes a hook is to be allowed to see what it tells. */
  const making = ({ params }: { readonly params: { readonly name: string } }): Touch[] => [
    { verb: 'write', keys: '/hook/' },
    { verb: 'watch', keys: `/${tree}/${params.name}` },
  ];

  const missing = ({ name, hook }: { readonly name: string; readonly hook: string }) =>
    unknownHook(`/${tree}/${name}`, hook);

  const listHooks = endpoint({
    name: `nesoiList${title}Hooks`,
    method: 'GET',
    route: collection,
    summary: 'The hooks of a resource',
    access: LIST,
    surface: 'legacy',
    responses: { 200: { description: 'Each hook by its name.', body: z.record(nameSchema, hookSchema) } },
    async handle({ params }, { nesoiHooks }) {
      const hooks = await nesoiHooks.list(NAMESPACE, `/${tree}/${params.name}`);
      return nesoiJson(200, Object.fromEntries(hooks.map((hook) => [hook.name, toHook(hook)])));
    },
  });

  const createHook = endpoint({
    name: `nesoiCreate${title}Hook`,
    method: 'POST',
    route: collection,
    summary: 'Registers a hook',
    access: WRITE,
    touches: making,
    surface: 'legacy',
    body: hookSchema.loose(),
    responses: { 201: { description: 'What was posted.', body: hookSchema.loose(), headers: ['Location'] } },
    errors: ['conflict'],
    async handle({ params, body, baseUrl, author }, { nesoiHooks }) {
      const { name, endpoint } = body;
      const resource = `/${tree}/${params.name}`;
      await nesoiHooks.create(NAMESPACE, resource, { name, endpoint, baseUrl }, author);
      return nesoiJson(201, body, { Location: `${baseUrl}${resource}/web-hooks/${name}` });
    },
  });

  const getHook = endpoint({
    name: `nesoiGet${title}Hook`,
    method: 'GET',
    route: member,
    summary: 'One hook',
    access: READ,
    missing,
    surface: 'legacy',
    responses: { 200: { description: 'The hook.', body: hookSchema } },
    errors: ['not-found'],
    async handle({ params }, { nesoiHooks }) {
      return nesoiJson(200, toHook(await nesoiHooks.get(NAMESPACE, `/${tree}/${params.name}`, params.hook)));
    },
  });

  const putHook = endpoint({
    name: `nesoiPut${title}Hook`,
    method: 'PUT',
    route: member,
    summary: 'Gives a hook another endpoint',
    access: WRITE,
    touches: making,
    missing,
    surface: 'legacy',
    body: hookSchema,
    responses: { 200: { description: 'The hook as it stands now.', body: hookSchema } },
    errors: ['not-found'],
    async handle({ params, body, baseUrl, author }, { nesoiHooks }) {
      checkBodyName(body, params.hook);
      const hook = await nesoiHooks.replace(
        NAMESPACE,
        `/${tree}/${params.name}`,
        { ...body, baseUrl },
        author,
      );
      return nesoiJson(200, toHook(hook));
    },
  });

  const deleteHook = endpoint({
    name: `nesoiDelete${title}Hook`,
    method: 'DELETE',
    route: member,
    summary: 'Removes a hook',
    access: DELETE,
    missing,
    surface: 'legacy',
    responses: { 204: { description: 'The hook is gone.' } },
    errors: ['not-found'],
    async handle({ params, author }, { nesoiHooks }) {
      await nesoiHooks.remove(NAMESPACE, `/${tree}/${params.name}`, params.hook, author);
      return noContent();
    },
  });

  return [
    listHooks,
    createHook,
    refusal(`nesoiPut${title}Hooks`, 'PUT', collection, 'Hooks are replaced one by one.'),
    refusal(`nesoiDelete${title}Hooks`, 'DELETE', collection, 'Hooks are removed one by one.'),
    getHook,
    putHook,
    deleteHook,
    refusal(
      `nesoiPost${title}Hook`,
      'POST',
      member,
      'A hook is registered by POST to the collection above it.',
    ),
  ];
}

export const nesoiHookEndpoints = [
  ...hookEndpoints({ title: 'App', tree: 'app' }),
  ...hookEndpoints({ title: 'Service', tree: 'srv' }),
];

/** Nesoi serves the collection and its members by one resource, which answers 400 where a method and a name do not fit. */
function refusal(name: string, method: 'POST' | 'PUT' | 'DELETE', route: string, reason: string) {
  return endpoint({
    name,
    method,
    route,
    summary: 'Refused',
    access: WRITE,
    surface: 'legacy',
    responses: {},
    handle(): never {
      throw invalid(reason);
    },
  });
}

function toHook({ name, endpoint }: Subscription): z.output<typeof hookSchema> {
  return { name, endpoint };
}
