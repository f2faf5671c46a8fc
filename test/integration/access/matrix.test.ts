import type { ItemDefinition } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpoints } from '../../../functions/http/endpoints.ts';
import { ACCESS_SCOPE } from '../../../shared/access/access-scope.ts';
import type { Method, Verb } from '../../../shared/platform/http/index.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { scopeId } from '../../../shared/records/index.ts';
import { type AskedRow, readAskedRows } from './asked-table.ts';
import { BOOTSTRAP_TOKEN, type GuardedAnswer, type GuardedApi, startGuardedApi } from './guarded-api.ts';
import { modelDecides, ROLES } from './role-model.ts';
import { sampleOf } from './sample-requests.ts';

/** Who asks for one of these learns nothing of what is kept, or shows a secret of their own. */
const OPEN = [
  'grantWebhookConsentByLink',
  'grantWebhookConsent',
  'lookAtWebhookConsent',
  'getLiveness',
  'getReadiness',
  'probeLiveness',
  'probeReadiness',
  'getHealthMetrics',
  'controllerInfo',
  'controllerPing',
  'controllerLiveliness',
  'controllerReadiness',
  'controllerStarted',
];
const KNOWN = ['getApiDescription', 'getCaller', 'sendCommand', 'listCommandSchemas', 'getCommandSchema'];

const FITTING: Readonly<Record<Method, readonly Verb[]>> = {
  GET: ['read', 'list', 'watch', 'admin'],
  HEAD: ['read', 'list'],
  PUT: ['write', 'admin'],
  POST: ['write', 'admin'],
  PATCH: ['write', 'admin'],
  DELETE: ['delete', 'write', 'admin'],
};

/** Where nothing is no 404 for those who may look, or where what is asked for comes to be. */
const ANSWERED_OTHERWISE = [
  'GET /api/v1/kv/{store}/?prefix={prefix}',
  'HEAD /api/v1/kv/{store}/?prefix={prefix}',
  'PUT /api/v1/kv/{store}/{key}',
  'DELETE /api/v1/kv/{store}/{key}?prefix=true',
  'POST /api/v1/kv-transactions/{store}',
  'PUT /api/v1/bundles/{name}/versions',
  'PUT /api/v1/bundles/{name}/versions?ifChangedFrom=1',
  'POST /api/v1/environments',
  'PUT /api/v1/environments/{id}',
  'GET /api/v1/watch/{prefix}',
  'HEAD /api/v1/watch/{prefix}',
  'GET /api/v1/watch',
  'HEAD /api/v1/watch',
];

const SUBJECTS = ['own', 'other', 'none'] as const;
const FAULTY = `Bearer skt_${'A'.repeat(43)}`;

const rows = readAskedRows().map((row) => ({ ...row, endpoint: endpointOf(row) }));

let api: GuardedApi;

beforeAll(async () => {
  api = await startGuardedApi();
  await seed();
});

afterAll(async () => {
  await api.stop();
});

describe('every endpoint', () => {
  it('is in the documentation of what requests ask for, and nothing else is', () => {
    const documented = rows.map(({ endpoint, method, path }) => endpoint?.name ?? `${method} ${path}`);
    expect(new Set(documented)).toEqual(new Set(endpoints.map(({ name }) => name)));
  });

  it('has a policy that fits it', () => {
    const faults = endpoints.flatMap(({ name, method, access, route, surface }) => {
      if (access === 'open') return OPEN.includes(name) ? [] : [`${name} is open`];
      if (access === 'known') return KNOWN.includes(name) ? [] : [`${name} asks for nothing`];
      const unknown = [...access.keys.matchAll(/\{(\w+)\}/g)].filter(
        ([, parameter = '']) => !route.parameters.includes(parameter),
      );
      return [
        ...unknown.map(([parameter]) => `${name} has no parameter ${parameter}`),
        ...(access.keys.startsWith('/') ? [] : [`${name} asks for ${access.keys}`]),
        ...(FITTING[method].includes(access.verb) ? [] : [`${name} is ${method} and asks to ${access.verb}`]),
        ...((access.legacy ?? false) === (surface === 'legacy')
          ? []
          : [`${name} is legacy in one way alone`]),
      ];
    });
    expect(faults).toEqual([]);
  });
});

describe('every request that is documented', () => {
  it('asks for that, and for nothing else', async () => {
    const wrong: unknown[] = [];
    for (const row of rows) {
      const request = sampleOf(row, 'own');
      const asked = await api.asksOf(request);
      const documented =
        typeof request.asks === 'string'
          ? []
          : request.asks.map(({ verb, keys }) => `${verb} ${keys}`).sort();
      if (JSON.stringify(asked) !== JSON.stringify([...new Set(documented)])) {
        wrong.push({ request: `${request.method} ${request.path}`, asked, documented });
      }
    }
    expect(wrong).toEqual([]);
  });

  it('is decided as the roles say, whoever asks and whatever is there, and a refusal changes nothing', async () => {
    const before = await everything();
    const wrong: string[] = [];
    for (const row of rows) {
      for (const subject of SUBJECTS) {
        for (const role of Object.keys(ROLES)) {
          for (const ns of role === 'narrow' && row.endpoint?.surface === 'canonical'
            ? ['default', 'elsewhere']
            : ['default']) {
            const request = sampleOf(row, subject);
            const expected =
              typeof request.asks === 'string' ? 'goes on' : modelDecides(role, ns, request.asks);
            const authorization = api.authorizations.get(role);
            const path = inNamespace(request.path, ns);
            // What is to be refused meets the services as they are: none of it may come through.
            const answer = await (expected === 'goes on' ? api.ask : api.send)({
              ...request,
              path,
              authorization,
            });
            if (decisionOf(answer) !== expected) {
              wrong.push(`${role}: ${request.method} ${path}: ${answer.status}, and it ${expected}`);
            }
          }
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  it('is refused to nobody and to whoever shows no token that is known, in the same words', async () => {
    const wrong: string[] = [];
    const words = new Set<string>();
    for (const row of rows) {
      const request = sampleOf(row, 'other');
      const { access } = row.endpoint ?? {};
      const isLegacy = typeof access === 'object' && access.legacy === true;
      for (const authorization of [
        undefined,
        FAULTY,
        'Bearer',
        'Basic dG9rZW46',
        `Bearer ${BOOTSTRAP_TOKEN}x`,
      ]) {
        const isFree = access === 'open' || (isLegacy && authorization === undefined);
        const answer = await (isFree ? api.ask : api.send)({ ...request, authorization });
        if (isFree !== (answer.status !== 401)) {
          wrong.push(`${request.method} ${request.path} with ${authorization}: ${answer.status}`);
        }
        if (answer.status === 401 && request.method !== 'HEAD' && !isLegacy) words.add(answer.body);
      }
    }
    expect(wrong).toEqual([]);
    expect([...words]).toHaveLength(1);
  });

  it('tells those who may not see a thing what it tells those who may see that there is none', async () => {
    const wrong: string[] = [];
    const silent: string[] = [];
    for (const [index, row] of rows.entries()) {
      const { endpoint } = row;
      if (endpoint === undefined || typeof endpoint.access === 'string') continue;
      if (!endpoint.errors.includes('not-found')) continue;
      // What a request that goes on makes is not there for the next.
      const request = sampleOf(row, `none${index}`);
      for (const method of request.method === 'GET' && endpoint.surface === 'canonical'
        ? ['GET', 'HEAD']
        : [request.method]) {
        const refused = await api.send({
          ...request,
          method,
          authorization: api.authorizations.get('narrow'),
        });
        const missing = await api.send({ ...request, method, authorization: `Bearer ${BOOTSTRAP_TOKEN}` });
        if (missing.status !== 404) {
          silent.push(`${method} ${row.path}`);
        } else if (JSON.stringify(told(refused)) !== JSON.stringify(told(missing))) {
          wrong.push(`${method} ${row.path}: ${detailOf(refused)} but ${detailOf(missing)}`);
        }
      }
    }
    expect(wrong).toEqual([]);
    expect(silent).toEqual(ANSWERED_OTHERWISE);
  });
});

function endpointOf({ method, path }: AskedRow) {
  const [text = ''] = path.split('?');
  const segments = text.slice(1).split('/');
  const fitting = endpoints
    .filter((endpoint) => endpoint.method === method && fits(endpoint.route.text.split('/'), segments))
    .sort((one, other) => literals(other.route.text) - literals(one.route.text));
  return fitting[0];
}

function fits(route: readonly string[], segments: readonly string[]): boolean {
  const isOpen = route.at(-1)?.startsWith('{*') === true;
  return (
    (isOpen ? segments.length >= route.length : segments.length === route.length) &&
    route.every((part, index) => part.startsWith('{') || part === segments[index])
  );
}

function literals(route: string): number {
  return route.split('/').filter((part) => !part.startsWith('{')).length;
}

function inNamespace(path: string, ns: string): string {
  return ns === 'default' ? path : `${path}${path.includes('?') ? '&' : '?'}ns=${ns}`;
}

function decisionOf({ status, isLetIn }: GuardedAnswer) {
  if (isLetIn || ![401, 403, 404].includes(status)) return 'goes on';
  return status === 403 ? 'is forbidden' : status === 404 ? 'meets nothing' : 'is unknown';
}

function told({ status, headers, body }: GuardedAnswer) {
  return { status, headers: Object.entries(headers).sort(), body };
}

function detailOf({ status, body }: GuardedAnswer): string {
  return `${status} ${/"detail":"(.*?)","/.exec(body)?.[1] ?? body}`;
}

/** What stands there, of others. */
async function seed(): Promise<void> {
  const authorization = `Bearer ${BOOTSTRAP_TOKEN}`;
  const things: [string, string, unknown][] = [
    ['PUT', '/api/v1/apps/other', { config: { currency: 'EUR' } }],
    ['PUT', '/api/v1/kv/other/k', 'a value'],
    ['PUT', '/api/v1/services/other/instances/part', { endpoints: { http: 'http://10.0.0.1' } }],
    ['PUT', '/api/v1/templates/other', { name: 'a template' }],
    ['PUT', '/api/v1/bundles/other', { description: 'a bundle' }],
    ['POST', '/api/v1/elections/other/campaign', { candidate: 'a', ttl: 60 }],
    ['POST', '/registry/register_instance', { address: 'other', app_name: 'app', last_update: 1 }],
  ];
  for (const [method, path, body] of things) {
    const answer = await api.send({ method, path, body, authorization });
    expect(answer.status, `${path}: ${answer.body}`).toBeLessThan(300);
  }
}

/** Every document of every container, as it stands, but for when tokens were used last. */
async function everything(): Promise<unknown[]> {
  const containers = Object.values(COSMOS_CONTAINERS);
  const all = await Promise.all(
    containers.map(async ({ id }) => {
      const { resources } = await api.services.database.container(id).items.readAll().fetchAll();
      const isLastUse = ({ scope }: ItemDefinition) =>
        id === COSMOS_CONTAINERS.leases.id && scope === scopeId(ACCESS_SCOPE);
      return resources.filter((document) => !isLastUse(document));
    }),
  );
  return all.flat();
}
