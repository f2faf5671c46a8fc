import type { Ask, AskedRow } from './asked-table.ts';

/** A request that a row of the documentation is about. */
export interface SampleRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly asks: 'nothing' | 'a known caller' | readonly Ask[];
}

/** Bodies of requests that say by them what they touch, or need one to come as far as a 404. */
const BODIES: Readonly<Record<string, (subject: string) => unknown>> = {
  'POST /api/v1/kv-transactions/{store}': () => ({
    compare: [{ key: 'compared', exists: true }],
    // biome-ignore lint/suspicious/noThenProperty: the word of the API, and never a function.
    then: [{ put: { key: 'put', value: 1 } }, { delete: { key: 'deleted' } }],
    else: [{ get: { key: 'got' } }],
  }),
  'POST /api/v1/bundles/{name}/drafts': () => ({ from: 1 }),
  'POST /api/v1/bundles/{name}/drafts/{draft}/commit': () => ({ ifChangedFrom: 1 }),
  'PUT /api/v1/bundles/{name}/channels/{channel}': () => ({ version: 1 }),
  'POST /api/v1/bundles/{name}/acks': () => ({ consumer: 'part', version: 1 }),
  'PUT /api/v1/templates/{id}': (subject) => ({ name: 'a template', dependsOn: [`${subject}-base`] }),
  'POST /api/v1/environments': (subject) => ({ id: subject, name: 'an environment' }),
  'PUT /api/v1/environments/{id}': () => ({ templates: [] }),
  'PUT /api/v1/resources/{environment}/{id}': () => ({ name: 'a resource' }),
  'PUT /api/v1/resource-groups/{environment}/{id}': () => ({ name: 'a group', resources: [] }),
  'POST /api/v1/subscriptions': subscription,
  'POST /api/v1/subscriptions/{id}/recover': () => ({ since: '2026-01-01T00:00:00Z' }),
  'PUT /api/v1/subscriptions/{id}': subscription,
  'POST /api/v1/restore': (subject) => ({ key: `/app/${subject}`, revision: 1 }),
  'PUT /api/v1/elections/{name}/renew': () => ({ token: 1 }),
  'POST /registry/register_instance': standing,
  'POST /register/register_instance': standing,
  'POST /registry/register_all': (subject) => ({ [subject]: { app_name: 'app', last_update: 1 } }),
  'PUT /api/v1/environment': (subject) => ({ _key: subject, name: 'an environment' }),
  ...Object.fromEntries(
    ['app', 'srv'].flatMap((tree) => [
      [`POST /${tree}/{name}/web-hooks`, hook],
      [`PUT /${tree}/{name}/web-hooks/{hook}`, hook],
    ]),
  ),
};

/** What stands for names that are not the first of a path, and in bodies. */
const PARTS: Readonly<Record<string, string>> = {
  version: '1',
  action: 'template.action',
  path: 'a.txt',
  prefix: 'k',
  compared: 'compared',
  put: 'put',
  deleted: 'deleted',
  got: 'got',
};

/** The request of a row about a subject: an application, a store, a bundle… of that name. */
export function sampleOf(row: AskedRow, subject: string): SampleRequest {
  const [, first] = /\{(\w+)\}/.exec(row.path) ?? [];
  const fill = (text: string) =>
    text.replaceAll(/\{(\w+)\}/g, (_, name: string) => textFor(row, name, name === first, subject));
  const { asks } = row;
  return {
    method: row.method,
    path: fill(row.path),
    body: BODIES[`${row.method} ${row.path}`]?.(subject) ?? (MAY_HAVE_BODY.has(row.method) ? {} : undefined),
    asks: typeof asks === 'string' ? asks : asks.map(({ verb, keys }) => ({ verb, keys: fill(keys) })),
  };
}

const MAY_HAVE_BODY: ReadonlySet<string> = new Set(['PUT', 'POST', 'PATCH']);

function textFor({ path }: AskedRow, name: string, isFirst: boolean, subject: string): string {
  if (name === 'watched' || name === 'restored') return `/app/${subject}`;
  if (name === 'named') return `${subject}-base`;
  if (name === 'address' || name === 'environment' || name === 'template') return subject;
  if (isFirst) {
    if (name === 'key' || name === 'prefix') return `app/${subject}`;
    if (name === 'scope') return `kv/${subject}`;
    return path.startsWith('/api/v1/operations/') ? `op_${subject}` : subject;
  }
  return PARTS[name] ?? 'part';
}

function subscription(subject: string) {
  return { name: 'a-subscription', key: `/app/${subject}`, endpoint: 'https://receiver.example/' };
}

function standing(subject: string) {
  return { address: subject, app_name: 'app', last_update: 1 };
}

function hook() {
  return { name: 'part', endpoint: 'https://receiver.example/' };
}
