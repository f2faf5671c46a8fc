import { randomUUID } from 'node:crypto';
import type { Catalog, ContainerEntry } from './catalog.ts';
import { CosmosError, notSupported, QueryPlanNeeded, SUB_STATUS } from './cosmos-error.ts';
import { ItemCall, type ItemServices } from './item-call.ts';
import type { JsonObject } from './json.ts';
import {
  type CosmosReply,
  type CosmosRequest,
  flag,
  header,
  maxItemsOf,
  type OperationName,
  objectBody,
  querySpec,
} from './request.ts';
import { SMALLEST_CHARGE } from './request-charge.ts';
import { ACCOUNT_CONSISTENCY } from './session.ts';
import { compile } from './sql/evaluate.ts';
import { parseQuery } from './sql/parse.ts';

type Entry = Pick<ContainerEntry, 'number' | 'resource'>;

const RANGES_ETAG = '"0"';
const REFUSED_HEADERS = [
  'x-ms-documentdb-pre-trigger-include',
  'x-ms-documentdb-post-trigger-include',
  'x-ms-indexing-directive',
];

/** Answers requests whose signature was checked. */
export class Gateway {
  readonly #catalog: Catalog;
  readonly #services: ItemServices;
  #hasControlPlane = true;

  constructor(catalog: Catalog, services: ItemServices) {
    this.#catalog = catalog;
    this.#services = services;
  }

  denyControlPlane(): void {
    this.#hasControlPlane = false;
  }

  /** Never rejects: what goes wrong becomes an answer in the service's form. */
  async answer(request: CosmosRequest, operation: OperationName, endpoint: string): Promise<CosmosReply> {
    try {
      return await this.#dispatch(request, operation, endpoint);
    } catch (error) {
      return errorReply(error, this.#refusalHeaders(request));
    }
  }

  #dispatch(
    request: CosmosRequest,
    operation: OperationName,
    endpoint: string,
  ): CosmosReply | Promise<CosmosReply> {
    const unsupported = REFUSED_HEADERS.find((name) => header(request, name) !== undefined);
    if (unsupported !== undefined) throw notSupported(`The header ${unsupported}`);
    switch (operation) {
      case 'account':
        if (request.method !== 'GET') throw methodNotAllowed(request);
        return resourceReply(200, accountResource(endpoint));
      case 'offers':
        return this.#offers(request);
      case 'database':
      case 'container':
        if (!isRead(request)) this.#requireControlPlane(request);
        return operation === 'database' ? this.#databases(request) : this.#containers(request);
      case 'ranges':
        return this.#ranges(request);
      case 'notAllowed':
        throw methodNotAllowed(request);
      case 'other':
        throw notSupported(`${request.method} /${request.segments.join('/')}`);
      default:
        return this.#itemCall(request).answer(operation);
    }
  }

  async #databases(request: CosmosRequest): Promise<CosmosReply> {
    const catalog = this.#catalog;
    const [, id] = request.segments;
    if (id !== undefined)
      return this.#entity(request, catalog.database(id), () => catalog.deleteDatabase(id));
    if (isRead(request)) return listReply(request, 'Databases', '', catalog.databases());
    return this.#create(request, (body) => catalog.createDatabase(body));
  }

  async #containers(request: CosmosRequest): Promise<CosmosReply> {
    const catalog = this.#catalog;
    const [, databaseId = '', , id] = request.segments;
    if (id !== undefined) {
      const container = catalog.container(databaseId, id);
      if (request.method === 'PUT') {
        if (header(request, 'if-match') !== undefined) throw notSupported('If-Match on a container');
        return resourceReply(
          200,
          (await catalog.replaceContainer(databaseId, id, objectBody(request))).resource,
        );
      }
      return this.#entity(request, container, () => catalog.deleteContainer(databaseId, id));
    }
    if (isRead(request)) {
      const database = catalog.owner(databaseId);
      const owner = String(database.resource._rid);
      return listReply(request, 'DocumentCollections', owner, catalog.containers(database));
    }
    return this.#create(request, (body) => catalog.createContainer(databaseId, body));
  }

  /** Nothing is throttled here: a throughput may be asked for with a database or container, and none is kept. */
  #offers(request: CosmosRequest): CosmosReply {
    if (!isRead(request) && !flag(request, 'x-ms-documentdb-isquery')) throw methodNotAllowed(request);
    return {
      status: 200,
      headers: masterHeaders(),
      body: JSON.stringify({ _rid: '', Offers: [], _count: 0 }),
    };
  }

  async #create(request: CosmosRequest, create: (body: JsonObject) => Promise<Entry>): Promise<CosmosReply> {
    if (request.method !== 'POST') throw methodNotAllowed(request);
    return resourceReply(201, (await create(objectBody(request))).resource);
  }

  async #entity(
    request: CosmosRequest,
    { resource }: Entry,
    remove: () => Promise<void>,
  ): Promise<CosmosReply> {
    if (request.method === 'GET') return resourceReply(200, resource);
    if (request.method !== 'DELETE') throw notSupported(`${request.method} of a database or container`);
    await remove();
    return { status: 204, headers: masterHeaders() };
  }

  #ranges(request: CosmosRequest): CosmosReply {
    const container = this.#containerOf(request);
    if (request.method !== 'GET') throw methodNotAllowed(request);
    if (request.segments.length !== 5) throw notSupported('Reading one partition key range');
    const headers = { ...masterHeaders(), etag: RANGES_ETAG };
    if (header(request, 'if-none-match') === RANGES_ETAG) return { status: 304, headers };
    const ranges = container.ranges.map((range) => ({
      ...range,
      _rid: container.resourceId,
      _self: `${container.selfLink}pkranges/${range.id}/`,
      _etag: RANGES_ETAG,
      _ts: container.resource._ts ?? 0,
      ridPrefix: 0,
      throughputFraction: 1 / container.ranges.length,
      status: 'online',
      parents: [],
    }));
    const body = JSON.stringify({
      _rid: container.resourceId,
      PartitionKeyRanges: ranges,
      _count: ranges.length,
    });
    return { status: 200, headers: { ...headers, 'x-ms-item-count': ranges.length }, body };
  }

  #itemCall(request: CosmosRequest): ItemCall {
    return new ItemCall(this.#services, this.#containerOf(request), request);
  }

  #containerOf({ segments: [, databaseId = '', , containerId = ''] }: CosmosRequest): ContainerEntry {
    return this.#catalog.ownerOfItems(databaseId, containerId);
  }

  #refusalHeaders(request: CosmosRequest): CosmosReply['headers'] {
    if (request.segments[4] !== 'docs') return masterHeaders();
    try {
      return this.#itemCall(request).refusalHeaders();
    } catch {
      return masterHeaders();
    }
  }

  #requireControlPlane({ method, segments }: CosmosRequest): void {
    if (this.#hasControlPlane) return;
    throw new CosmosError(
      403,
      `Request blocked by Auth: the given request [${method} /${segments.join('/')}] cannot be authorized by AAD token in data plane. Learn more: https://aka.ms/cosmos-native-rbac.`,
      SUB_STATUS.dataPlaneOnly,
    );
  }
}

/** The answer to what was refused; an unexpected error is a 500 and is told on the console. */
export function errorReply(error: unknown, headers: CosmosReply['headers'] = {}): CosmosReply {
  const known = error instanceof CosmosError ? error : new CosmosError(500, 'The emulator failed.');
  if (known !== error) console.error(error);
  const body = JSON.stringify({
    code: known.code,
    message: `${known.message}\r\nActivityId: ${randomUUID()}`,
    ...(known instanceof QueryPlanNeeded ? { additionalErrorInfo: known.plan } : {}),
  });
  const retryAfter = known.retryAfterMs === undefined ? {} : { 'x-ms-retry-after-ms': known.retryAfterMs };
  return {
    status: known.status,
    headers: { ...headers, ...retryAfter, 'x-ms-substatus': known.subStatus },
    body,
  };
}

function methodNotAllowed({ method, segments }: CosmosRequest): CosmosError {
  return new CosmosError(405, `The method ${method} is not allowed for /${segments.join('/')}.`);
}

function resourceReply(status: number, resource: JsonObject): CosmosReply {
  const etag = typeof resource._etag === 'string' ? { etag: resource._etag } : {};
  return { status, headers: { ...masterHeaders(), ...etag }, body: JSON.stringify(resource) };
}

/** Of databases or containers: reads are GETs, and queries that are sent as POSTs. */
function isRead(request: CosmosRequest): boolean {
  return request.method === 'GET' || flag(request, 'x-ms-documentdb-isquery');
}

/** A page of entities, those that pass the filter if the request is a query. The continuation is the last one's number. */
function listReply(request: CosmosRequest, name: string, owner: string, all: readonly Entry[]): CosmosReply {
  const after = Number(header(request, 'x-ms-continuation') ?? 0);
  const filter = request.method === 'GET' ? undefined : filterOf(request);
  const entries = all.filter(({ number, resource }) => number > after && filter?.(resource) !== false);
  const page = entries.slice(0, maxItemsOf(request));
  const last = page.at(-1);
  const more = page.length < entries.length && last !== undefined ? { 'x-ms-continuation': last.number } : {};
  return {
    status: 200,
    headers: { ...masterHeaders(), 'x-ms-item-count': page.length, ...more },
    body: JSON.stringify({ _rid: owner, [name]: page.map(({ resource }) => resource), _count: page.length }),
  };
}

function filterOf(request: CosmosRequest): (resource: JsonObject) => boolean {
  const { text, parameters } = querySpec(request);
  const { selection, where, orderBy, top, offset } = parseQuery(text);
  const isPlain =
    selection.kind === 'all' && orderBy.length === 0 && top === undefined && offset === undefined;
  if (!isPlain) throw notSupported('A query of databases or containers that does more than filter them');
  const evaluate = where && compile(where, parameters);
  return (resource) => evaluate === undefined || evaluate(resource) === true;
}

function masterHeaders(): Record<string, string | number> {
  return { 'x-ms-request-charge': SMALLEST_CHARGE };
}

/** An id of `localhost` would make the SDK forget the locations and ask again with each operation. */
function accountResource(endpoint: string): JsonObject {
  const locations = [{ name: 'Local', databaseAccountEndpoint: endpoint }];
  return {
    id: 'emulator',
    _self: '',
    _rid: 'emulator',
    _dbs: '//dbs/',
    media: '//media/',
    addresses: '//addresses/',
    writableLocations: locations,
    readableLocations: locations,
    enableMultipleWriteLocations: false,
    userReplicationPolicy: { asyncReplication: false, minReplicaSetSize: 1, maxReplicasetSize: 4 },
    userConsistencyPolicy: { defaultConsistencyLevel: ACCOUNT_CONSISTENCY },
    systemReplicationPolicy: { minReplicaSetSize: 1, maxReplicasetSize: 4 },
    readPolicy: { primaryReadCoefficient: 1, secondaryReadCoefficient: 1 },
    queryEngineConfiguration: '{}',
  };
}
