import { randomUUID } from 'node:crypto';
import type { Catalog, ContainerEntry } from './catalog.ts';
import { badRequest, CosmosError, notSupported, SUB_STATUS } from './cosmos-error.ts';
import type { ItemRoutes } from './item-routes.ts';
import type { JsonObject } from './json.ts';
import { partitionRanges } from './partition-ranges.ts';
import {
  type CosmosReply,
  type CosmosRequest,
  flag,
  header,
  type OperationName,
  objectBody,
} from './request.ts';
import { SMALLEST_CHARGE } from './request-charge.ts';
import { ACCOUNT_CONSISTENCY } from './session.ts';

export interface GatewayOptions {
  readonly catalog: Catalog;
  readonly items: ItemRoutes;
  /** False: creating and deleting databases and containers is forbidden, as it is to data-plane roles. */
  readonly controlPlane: boolean;
}

const RANGES_ETAG = '"0"';
const REFUSED_HEADERS = [
  'x-ms-documentdb-pre-trigger-include',
  'x-ms-documentdb-post-trigger-include',
  'x-ms-indexing-directive',
];

/** Answers requests whose signature was checked. */
export class Gateway {
  readonly #options: GatewayOptions;

  constructor(options: GatewayOptions) {
    this.#options = options;
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
        return resourceReply(200, accountResource(endpoint));
      case 'offers':
        throw badRequest('Reading or replacing offers is not supported for serverless accounts.');
      case 'database':
        return this.#database(request);
      case 'container':
        return this.#container(request);
      case 'ranges':
        return this.#ranges(request);
      case 'other':
        throw notSupported(`${request.method} /${request.segments.join('/')}`);
      default:
        return this.#item(request, operation);
    }
  }

  async #database(request: CosmosRequest): Promise<CosmosReply> {
    const { catalog } = this.#options;
    const id = request.segments[1];
    if (id === undefined && request.method === 'GET') {
      return listReply('Databases', '', catalog.databases());
    }
    if (id === undefined && request.method === 'POST') {
      this.#requireControlPlane(request);
      return resourceReply(201, (await catalog.createDatabase(creatable(request))).resource);
    }
    if (id !== undefined && request.method === 'GET')
      return resourceReply(200, catalog.database(id).resource);
    if (id === undefined || request.method !== 'DELETE')
      throw notSupported(`${request.method} of a database`);
    this.#requireControlPlane(request);
    await catalog.deleteDatabase(id);
    return { status: 204, headers: masterHeaders() };
  }

  async #container(request: CosmosRequest): Promise<CosmosReply> {
    const { catalog } = this.#options;
    const [, databaseId = '', , id] = request.segments;
    if (id === undefined && request.method === 'GET') {
      const database = catalog.database(databaseId);
      return listReply('DocumentCollections', String(database.resource._rid), catalog.containers(database));
    }
    if (id === undefined && request.method === 'POST') {
      this.#requireControlPlane(request);
      return resourceReply(201, (await catalog.createContainer(databaseId, creatable(request))).resource);
    }
    if (id !== undefined && request.method === 'GET') {
      const container = catalog.container(databaseId, id, false);
      return resourceReply(200, container.resource);
    }
    if (id === undefined || request.method !== 'DELETE')
      throw notSupported(`${request.method} of a container`);
    this.#requireControlPlane(request);
    await catalog.deleteContainer(databaseId, id);
    return { status: 204, headers: masterHeaders() };
  }

  #ranges(request: CosmosRequest): CosmosReply {
    const container = this.#containerOf(request);
    if (request.method !== 'GET' || request.segments.length !== 5) throw notSupported('This use of pkranges');
    const headers = { ...masterHeaders(), etag: RANGES_ETAG };
    if (header(request, 'if-none-match') === RANGES_ETAG) return { status: 304, headers };
    const ranges = partitionRanges().map((range) => ({
      ...range,
      _rid: container.resourceId,
      _self: `${container.selfLink}pkranges/${range.id}/`,
      _etag: RANGES_ETAG,
      _ts: container.resource._ts ?? 0,
      ridPrefix: 0,
      throughputFraction: 1 / partitionRanges().length,
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

  #item(request: CosmosRequest, operation: OperationName): CosmosReply | Promise<CosmosReply> {
    const { items } = this.#options;
    const container = this.#containerOf(request);
    const id = request.segments[5] ?? '';
    switch (operation) {
      case 'create':
        return items.create(container, request, 'Create');
      case 'upsert':
        return items.create(container, request, 'Upsert');
      case 'read':
        return items.read(container, request, id);
      case 'replace':
        return items.replace(container, request, id);
      case 'delete':
        return items.delete(container, request, id);
      case 'batch':
        return items.batch(container, request);
      case 'query':
        return items.query(container, request);
      case 'queryPlan':
        return items.queryPlan(container, request);
      case 'feed':
        return items.feed(container, request);
      case 'readFeed':
        return items.readFeed(container, request);
      default:
        throw notSupported(`The operation ${operation}`);
    }
  }

  #containerOf({ segments: [, databaseId = '', , containerId = ''] }: CosmosRequest): ContainerEntry {
    return this.#options.catalog.container(databaseId, containerId);
  }

  #refusalHeaders(request: CosmosRequest): CosmosReply['headers'] {
    if (request.segments[4] !== 'docs') return masterHeaders();
    try {
      return this.#options.items.refusalHeaders(this.#containerOf(request), request);
    } catch {
      return masterHeaders();
    }
  }

  #requireControlPlane({ method, segments }: CosmosRequest): void {
    if (this.#options.controlPlane) return;
    throw new CosmosError(
      403,
      `Request blocked by Auth: the given request [${method} /${segments.join('/')}] cannot be authorized by AAD token in data plane.`,
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
  });
  const retryAfter = known.retryAfterMs === undefined ? {} : { 'x-ms-retry-after-ms': known.retryAfterMs };
  return {
    status: known.status,
    headers: { ...headers, ...retryAfter, 'x-ms-substatus': known.subStatus },
    body,
  };
}

/** A query or a throughput setting would be ignored silently otherwise. */
function creatable(request: CosmosRequest): JsonObject {
  if (flag(request, 'x-ms-documentdb-isquery')) throw notSupported('A query of databases or containers');
  return objectBody(request);
}

function resourceReply(status: number, resource: JsonObject): CosmosReply {
  const etag = typeof resource._etag === 'string' ? { etag: resource._etag } : {};
  return { status, headers: { ...masterHeaders(), ...etag }, body: JSON.stringify(resource) };
}

function listReply(name: string, owner: string, entries: readonly { resource: JsonObject }[]): CosmosReply {
  const list = { _rid: owner, [name]: entries.map(({ resource }) => resource), _count: entries.length };
  return {
    status: 200,
    headers: { ...masterHeaders(), 'x-ms-item-count': entries.length },
    body: JSON.stringify(list),
  };
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
