import { endpoints } from '../../functions/http/endpoints.ts';
import { composeServices } from '../../functions/services.ts';
import type { CosmosServerOptions } from '../../infra/local/cosmos/server.ts';
import { RouteTemplate } from '../../infra/local/host/route-template.ts';
import { type CompleteResponse, createRouteHandlers } from '../../shared/platform/http/index.ts';
import { readSettings } from '../../shared/platform/settings.ts';
import { CONNECTIONS } from '../../shared/platform/topology.ts';
import { startCosmos } from './cosmos-fixture.ts';

export type Api = Awaited<ReturnType<typeof startApi>>;

/** The API without a host, over a Cosmos DB of its own and nothing else. */
export async function startApi(
  options: Partial<CosmosServerOptions> = {},
  environment: Readonly<Record<string, string>> = {},
) {
  const cosmos = await startCosmos(options);
  const settings = readSettings({
    [CONNECTIONS.cosmos]: cosmos.server.connectionString,
    [CONNECTIONS.serviceBus]: 'not used here',
    [CONNECTIONS.blob]: 'not used here',
    SKERRY_LOCAL: 'true',
    SKERRY_SECRET_KEYS: Buffer.alloc(32, 1).toString('base64'),
    ...environment,
  });
  const services = composeServices(settings);
  const find = router(
    createRouteHandlers(endpoints, { services, access: services.access, settings, random: services.random }),
  );
  return {
    cosmos,
    settings,
    services,
    /**
     * Calls the function that the host would call.
     *
     * @param path below `/api/v1`, with a slash before it.
     * @throws Error where no function serves it.
     */
    async call(method: string, path: string, body?: unknown, headers: Readonly<Record<string, string>> = {}) {
      const url = new URL(`http://skerry.test/api/v1${path}`);
      const request = new Request(url, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const logged: unknown[] = [];
      const invocation = { traceparent: undefined, logError: (...entry: unknown[]) => logged.push(entry) };
      const answer = await find(url.pathname).handle(request, invocation);
      const text = await textOf(answer);
      const isJson = text !== '' && answer.headers['Content-Type'] !== 'application/x-ndjson';
      const json = isJson ? JSON.parse(text) : undefined;
      const lines = text.split('\n').slice(0, -1);
      return { status: answer.status, headers: answer.headers, json, lines, logged };
    },
    async stop() {
      services.database.client.dispose();
      await cosmos.stop();
    },
  };
}

async function textOf({ body }: CompleteResponse): Promise<string> {
  if (typeof body !== 'object' || !(Symbol.asyncIterator in body)) {
    return typeof body === 'string' ? body : '';
  }
  return Buffer.concat(await Array.fromAsync(body)).toString();
}

/** As the host does, which takes the first match in the order of the upper-cased names; these put literals before `{…}`. */
export function router<Handler extends { readonly name: string; readonly route: string }>(
  handlers: readonly Handler[],
): (path: string) => Handler {
  const sorted = handlers
    .map((handler) => ({
      handler,
      name: handler.name.toUpperCase(),
      template: new RouteTemplate(handler.route),
    }))
    // A 404 for whatever nobody serves would be taken for that of something that is not there.
    .filter(({ handler }) => handler.route !== '{*path}')
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  return (path) => {
    const found = sorted.find(({ template }) => template.match(path) !== undefined);
    if (found === undefined) throw new Error(`No function serves ${path}.`);
    return found.handler;
  };
}
