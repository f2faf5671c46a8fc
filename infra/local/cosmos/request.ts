import type { IncomingHttpHeaders } from 'node:http';
import { badRequest } from './cosmos-error.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import type { Parameters } from './sql/evaluate.ts';

const DEFAULT_PAGE = 100;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** One request to the emulator, its path decoded. */
export interface CosmosRequest {
  readonly method: string;
  /** `['dbs', 'a', 'colls', 'b', 'docs', 'c']` */
  readonly segments: readonly string[];
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface CosmosReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: string | Buffer;
}

/** A path of the SDK is never split at `?`: ids may contain it and there are no query strings. */
export function segmentsOf(url: string): string[] {
  try {
    return url
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent);
  } catch {
    throw badRequest('The path of the request is not encoded properly.');
  }
}

export function header(request: CosmosRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** The SDKs write `true` and `True`. */
export function flag(request: CosmosRequest, name: string): boolean {
  return header(request, name)?.toLowerCase() === 'true';
}

export function jsonBody(request: CosmosRequest): JsonValue {
  try {
    return JSON.parse(UTF8.decode(request.body));
  } catch {
    throw badRequest('The input content is invalid because it is not JSON.');
  }
}

export function objectBody(request: CosmosRequest): JsonObject {
  const body = jsonBody(request);
  if (!isJsonObject(body)) throw badRequest('The input content is invalid because it is not a JSON object.');
  return body;
}

export function querySpec(request: CosmosRequest): { text: string; parameters: Parameters } {
  const { query, parameters = [] } = objectBody(request);
  if (typeof query !== 'string' || !Array.isArray(parameters)) {
    throw badRequest('A query is given as {"query": "...", "parameters": [{"name", "value"}]}.');
  }
  const values = parameters.map((parameter): [string, JsonValue | undefined] => {
    if (!isJsonObject(parameter) || typeof parameter.name !== 'string') {
      throw badRequest('Each parameter of a query needs a name.');
    }
    if (!/^@[A-Za-z_]\w*$/.test(parameter.name)) {
      throw badRequest(
        "Parameter names should be in the format of symbol '@' followed by a valid identifier.",
      );
    }
    return [parameter.name, parameter.value];
  });
  if (new Map(values).size < values.length) throw badRequest('Specified duplicate parameter name.');
  return { text: query, parameters: new Map(values) };
}

/** 0, like no wish at all, leaves it to the service. */
export function maxItemsOf(request: CosmosRequest): number {
  const given = header(request, 'x-ms-max-item-count') ?? '0';
  const count = Number(given);
  if (count === -1) return Number.POSITIVE_INFINITY;
  if (Number.isInteger(count) && count >= 0) return count === 0 ? DEFAULT_PAGE : count;
  throw badRequest(
    `The input PageSize ${given} is invalid. Ensure to pass a valid page size which must be a positive integer or -1 for a dynamic page size.`,
  );
}

export type OperationName =
  | 'account'
  | 'database'
  | 'container'
  | 'ranges'
  | 'offers'
  | 'create'
  | 'upsert'
  | 'read'
  | 'replace'
  | 'delete'
  | 'patch'
  | 'batch'
  | 'query'
  | 'queryPlan'
  | 'feed'
  | 'readFeed'
  /** A method that the service does not know for the path. */
  | 'notAllowed'
  | 'other';

/** What a request asks for; fault rules match by it. */
export function operationOf(request: CosmosRequest): OperationName {
  const { method, segments } = request;
  const [first, , third, , fifth] = segments;
  if (segments.length === 0) return 'account';
  if (first === 'offers') return 'offers';
  if (first !== 'dbs' || segments.length > 6) return 'other';
  if (segments.length <= 2) return 'database';
  if (third !== 'colls') return 'other';
  if (segments.length <= 4) return 'container';
  if (fifth === 'pkranges') return 'ranges';
  if (fifth !== 'docs') return 'other';
  return segments.length === 5 ? itemFeedOperation(request) : (POINT_OPERATIONS[method] ?? 'notAllowed');
}

const POINT_OPERATIONS: Readonly<Record<string, OperationName>> = {
  GET: 'read',
  PUT: 'replace',
  DELETE: 'delete',
  PATCH: 'patch',
};

function itemFeedOperation(request: CosmosRequest): OperationName {
  if (request.method === 'GET') return header(request, 'a-im') === undefined ? 'readFeed' : 'feed';
  if (request.method !== 'POST') return 'notAllowed';
  if (flag(request, 'x-ms-cosmos-is-query-plan-request')) return 'queryPlan';
  if (flag(request, 'x-ms-cosmos-is-batch-request')) return 'batch';
  if (flag(request, 'x-ms-documentdb-isquery')) return 'query';
  return flag(request, 'x-ms-documentdb-is-upsert') ? 'upsert' : 'create';
}
