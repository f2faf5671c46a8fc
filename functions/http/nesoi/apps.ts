import { z } from 'zod';
import { type Application, type JsonObject, unknownApplication } from '../../../shared/config/index.ts';
import { noContent } from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { jsonValueSchema } from '../json-value.ts';
import { checkBodyName, NAMESPACE, nesoiJson, subscriptionsLink, toNesoiTime } from './nesoi-form.ts';

const inputSchema = z
  .object({
    name: z.string(),
    config: jsonValueSchema,
    updated_at: jsonValueSchema.optional().describe('Ignored: the registry sets it.'),
  })
  .catchall(jsonValueSchema);

const appSchema = z
  .object({
    name: z.string(),
    config: jsonValueSchema,
    updated_at: z.string().describe('`YYYY-MM-DD HH:MM:SS.ffffff`, UTC.'),
  })
  .catchall(jsonValueSchema);

const listApps = endpoint({
  name: 'nesoiListApps',
  method: 'GET',
  route: 'app',
  summary: 'All applications',
  access: { verb: 'list', keys: '/app/', legacy: true },
  surface: 'legacy',
  responses: { 200: { description: 'Each application by its name.', body: z.record(z.string(), appSchema) } },
  async handle(_request, { applications }) {
    const all: Application[] = [];
    let after: string | undefined;
    do {
      const page = await applications.list(NAMESPACE, { after });
      all.push(...page.applications);
      after = page.next;
    } while (after !== undefined);
    return nesoiJson(200, Object.fromEntries(all.map((app) => [app.name, toNesoiApp(app)])));
  },
});

const getApp = endpoint({
  name: 'nesoiGetApp',
  method: 'GET',
  route: 'app/{name}',
  summary: 'One application',
  access: { verb: 'read', keys: '/app/{name}', legacy: true },
  missing: ({ name }) => unknownApplication(NAMESPACE, name),
  surface: 'legacy',
  responses: { 200: { description: 'The application.', body: appSchema } },
  errors: ['not-found'],
  async handle({ params }, { applications }) {
    const application = await applications.get(NAMESPACE, params.name);
    if (application === undefined) {
      throw unknownApplication(NAMESPACE, params.name);
    }
    return nesoiJson(200, toNesoiApp(application));
  },
});

const headApp = endpoint({
  name: 'nesoiHeadApp',
  method: 'HEAD',
  route: 'app/{name}',
  summary: 'Where to subscribe to an application, which need not exist yet',
  access: { verb: 'read', keys: '/app/{name}', legacy: true },
  surface: 'legacy',
  responses: { 200: { description: 'The subscriptions resource.', headers: ['Link'] } },
  handle({ params, baseUrl }) {
    return { status: 200, headers: { Link: subscriptionsLink(`${baseUrl}/app/${params.name}`) } };
  },
});

const putApp = endpoint({
  name: 'nesoiPutApp',
  method: 'PUT',
  route: 'app/{name}',
  summary: 'Creates or replaces an application; a schema that it has stays in force',
  access: { verb: 'write', keys: '/app/{name}', legacy: true },
  surface: 'legacy',
  body: inputSchema,
  responses: { 200: { description: 'The application as it stands now.', body: appSchema } },
  errors: ['unprocessable'],
  async handle({ params, body, author }, { applications }) {
    checkBodyName(body, params.name);
    const { name, config, updated_at: _, ...extra } = body;
    const { application } = await applications.put(
      NAMESPACE,
      name,
      { config, schema: 'keep', extra },
      { author },
    );
    return nesoiJson(200, toNesoiApp(application));
  },
});

const deleteApp = endpoint({
  name: 'nesoiDeleteApp',
  method: 'DELETE',
  route: 'app/{name}',
  summary: 'Removes an application',
  access: { verb: 'delete', keys: '/app/{name}', legacy: true },
  missing: ({ name }) => unknownApplication(NAMESPACE, name),
  surface: 'legacy',
  responses: { 204: { description: 'The application is gone.' } },
  errors: ['not-found'],
  async handle({ params, author }, { applications }) {
    await applications.delete(NAMESPACE, params.name, { author });
    return noContent();
  },
});

export const nesoiAppEndpoints = [listApps, getApp, headApp, putApp, deleteApp];

function toNesoiApp({ name, config, extra, updatedAt }: Application): JsonObject {
  return { ...extra, name, config, updated_at: toNesoiTime(updatedAt) };
}
