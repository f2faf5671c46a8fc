import type { ContainerEntry } from './catalog.ts';
import { readFeed } from './change-feed.ts';
import { badRequest, CosmosError, notSupported } from './cosmos-error.ts';
import { type Item, isExpired } from './item.ts';
import {
  batchFailure,
  type Executed,
  executeAtomically,
  type ItemOperation,
  OperationRefused,
  type OperationResult,
  type OperationType,
} from './item-operations.ts';
import { readCounters } from './item-store.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { type PartitionKey, partitionKeyFromHeader } from './partition-key.ts';
import { partitionRanges, rangeById, rangeOf } from './partition-ranges.ts';
import { type QueryPage, runQuery } from './query.ts';
import { QueryPlanner } from './query-plan.ts';
import { type CosmosReply, type CosmosRequest, flag, header, jsonBody, objectBody } from './request.ts';
import { consistencyFactor, feedCharge, queryCharge, readCharge, SMALLEST_CHARGE } from './request-charge.ts';
import { consistencyOf, isWeak, sessionLsnOf } from './session.ts';
import { overlayKey, type ReadView, type StaleHistory } from './stale-history.ts';
import { idKeyPart } from './storage-key.ts';
import type { Store } from './store.ts';

const DEFAULT_PAGE = 100;
const MAX_BATCH_OPERATIONS = 100;
const MAX_BATCH_BYTES = 2 * 1024 * 1024;
const OPERATION_TYPES: readonly OperationType[] = ['Create', 'Upsert', 'Replace', 'Read', 'Delete'];
const WHOLE_CONTAINER = 'SELECT * FROM c';

/** Everything below `dbs/x/colls/y/docs`. */
export class ItemRoutes {
  readonly #store: Store;
  readonly #planner: QueryPlanner;
  readonly #history: StaleHistory | undefined;

  constructor(store: Store, history: StaleHistory | undefined) {
    this.#store = store;
    this.#planner = new QueryPlanner(store);
    this.#history = history;
  }

  async create(
    container: ContainerEntry,
    request: CosmosRequest,
    type: 'Create' | 'Upsert',
  ): Promise<CosmosReply> {
    const operation = { type, body: objectBody(request), ifMatch: header(request, 'if-match') };
    return this.#write(container, request, operation);
  }

  async replace(container: ContainerEntry, request: CosmosRequest, id: string): Promise<CosmosReply> {
    const operation = {
      type: 'Replace',
      id,
      body: objectBody(request),
      ifMatch: header(request, 'if-match'),
    } as const;
    return this.#write(container, request, operation);
  }

  async delete(container: ContainerEntry, request: CosmosRequest, id: string): Promise<CosmosReply> {
    return this.#write(container, request, { type: 'Delete', id, ifMatch: header(request, 'if-match') });
  }

  read(container: ContainerEntry, request: CosmosRequest, id: string): CosmosReply {
    const partitionKey = requiredPartitionKey(request);
    const view = this.#viewFor(container, request, rangeOf(partitionKey).id);
    const item = this.#itemAt(container, partitionKey.keyPart, idKeyPart(id), view);
    if (item === undefined) throw new CosmosError(404, 'Resource Not Found.');
    const charge = readCharge(item.head.bodyBytes) * consistencyFactor(consistencyOf(request));
    const headers = { ...this.#headers(container, partitionKey, charge, view.lsn), etag: item.head.etag };
    if (header(request, 'if-none-match') === item.head.etag) return { status: 304, headers };
    return { status: 200, headers, body: item.body };
  }

  async batch(container: ContainerEntry, request: CosmosRequest): Promise<CosmosReply> {
    if (!flag(request, 'x-ms-cosmos-batch-atomic')) throw notSupported('A bulk (not atomic) batch');
    if (request.body.length > MAX_BATCH_BYTES) throw new CosmosError(413, 'Request size is too large.');
    const operations = batchOperations(jsonBody(request));
    const partitionKey = requiredPartitionKey(request);
    const minimal = header(request, 'prefer')?.includes('return=minimal') ?? false;
    const outcome = await this.#execute(container, partitionKey, operations).catch((error: unknown) => {
      if (error instanceof OperationRefused) return error;
      throw error;
    });
    const isRefused = outcome instanceof OperationRefused;
    const results = isRefused ? batchFailure(operations.length, outcome) : outcome.results;
    const charge = results.reduce((sum, result) => sum + result.charge, 0);
    return {
      status: isRefused ? 207 : 200,
      headers: this.#headers(container, partitionKey, charge),
      body: batchAnswer(operations, results, minimal),
    };
  }

  async query(container: ContainerEntry, request: CosmosRequest): Promise<CosmosReply> {
    const { text, parameters } = querySpec(objectBody(request));
    return this.#runQuery(container, request, text, parameters);
  }

  async readFeed(container: ContainerEntry, request: CosmosRequest): Promise<CosmosReply> {
    return this.#runQuery(container, request, WHOLE_CONTAINER, new Map());
  }

  /** The SDK asks for a plan with every query and, while queries are answered directly, never uses it. */
  queryPlan(container: ContainerEntry, request: CosmosRequest): CosmosReply {
    querySpec(objectBody(request));
    const plan = {
      partitionedQueryExecutionInfoVersion: 2,
      queryInfo: {
        distinctType: 'None',
        top: null,
        offset: null,
        limit: null,
        orderBy: [],
        orderByExpressions: [],
        groupByExpressions: [],
        groupByAliases: [],
        aggregates: [],
        groupByAliasToAggregateType: {},
        rewrittenQuery: '',
        hasSelectValue: false,
        hasNonStreamingOrderBy: false,
      },
      queryRanges: [{ min: '', max: 'FF', isMinInclusive: true, isMaxInclusive: false }],
    };
    return {
      status: 200,
      headers: this.#headers(container, undefined, SMALLEST_CHARGE),
      body: JSON.stringify(plan),
    };
  }

  feed(container: ContainerEntry, request: CosmosRequest): CosmosReply {
    if (header(request, 'a-im')?.toLowerCase() !== 'incremental feed')
      throw notSupported('This change feed mode');
    const partitionKey = optionalPartitionKey(request);
    const range = rangeOfRequest(request, partitionKey);
    const view = this.#viewFor(container, request, range);
    const { after, since } = feedStart(request, view);
    const maxItems = maxItemsOf(request);
    const page = readFeed(this.#store, container, {
      partitionKey,
      range,
      after,
      upTo: view.lsn,
      since,
      maxItems,
    });
    const charge = feedCharge(page.sizes) * consistencyFactor(consistencyOf(request));
    const headers = {
      ...this.#headers(container, partitionKey, charge, view.lsn),
      etag: `"${page.position}"`,
      'x-ms-item-count': page.bodies.length,
    };
    if (page.bodies.length === 0) return { status: 304, headers };
    return { status: 200, headers, body: documentList(container, page.bodies) };
  }

  /** Session token and owner of a refusal too: the SDK keeps tokens of 404, 409 and 412. */
  refusalHeaders(container: ContainerEntry, request: CosmosRequest): CosmosReply['headers'] {
    const partitionKey = optionalPartitionKey(request);
    return this.#headers(container, partitionKey, SMALLEST_CHARGE);
  }

  async #write(
    container: ContainerEntry,
    request: CosmosRequest,
    operation: ItemOperation,
  ): Promise<CosmosReply> {
    const partitionKey = requiredPartitionKey(request);
    const { results, lsn } = await this.#execute(container, partitionKey, [operation]);
    const [result] = results;
    if (result === undefined) throw new Error('An operation gave no result.');
    const headers = this.#headers(container, partitionKey, result.charge, lsn);
    if (result.item === undefined) return { status: result.status, headers };
    return {
      status: result.status,
      headers: { ...headers, etag: result.item.head.etag },
      body: result.item.body,
    };
  }

  async #execute(
    container: ContainerEntry,
    partitionKey: PartitionKey,
    operations: readonly ItemOperation[],
  ): Promise<Executed> {
    const keepBefore = this.#history !== undefined;
    return this.#store.commit(() => {
      const executed = executeAtomically(this.#store, container, partitionKey, operations, keepBefore);
      if (executed.changed.length > 0) this.#history?.record(container, executed.lsn, executed.changed);
      return executed;
    });
  }

  async #runQuery(
    container: ContainerEntry,
    request: CosmosRequest,
    text: string,
    parameters: ReadonlyMap<string, JsonValue | undefined>,
  ): Promise<CosmosReply> {
    const partitionKey = optionalPartitionKey(request);
    const view = this.#viewFor(container, request, rangeOfRequest(request, partitionKey));
    const page = await runQuery(this.#store, this.#planner, container, {
      text,
      parameters,
      partitionKey,
      maxItems: maxItemsOf(request),
      continuation: header(request, 'x-ms-continuation'),
      view,
    });
    return this.#queryReply(container, request, partitionKey, view, page);
  }

  #queryReply(
    container: ContainerEntry,
    request: CosmosRequest,
    partitionKey: PartitionKey | undefined,
    view: ReadView,
    page: QueryPage,
  ): CosmosReply {
    const charge = queryCharge(page.loadedBytes) * consistencyFactor(consistencyOf(request));
    const headers = {
      ...this.#headers(container, partitionKey, charge, view.lsn),
      'x-ms-item-count': page.results.length,
      ...(page.continuation === undefined ? {} : { 'x-ms-continuation': page.continuation }),
    };
    return { status: 200, headers, body: documentList(container, page.results) };
  }

  #itemAt(container: ContainerEntry, partitionKey: string, id: string, view: ReadView): Item | undefined {
    const overlaid = view.overlay?.get(overlayKey(partitionKey, id));
    const item =
      overlaid === undefined ? this.#storedItem([container.number, partitionKey, id]) : overlaid.item;
    return item === undefined || isExpired(item.head, Math.floor(Date.now() / 1000)) ? undefined : item;
  }

  #storedItem(key: [number, string, string]): Item | undefined {
    const head = this.#store.heads.get(key);
    const body = head === undefined ? undefined : this.#store.bodies.get(key);
    return head === undefined || body === undefined ? undefined : { head, body };
  }

  #viewFor(container: ContainerEntry, request: CosmosRequest, range: string): ReadView {
    const { lsn } = readCounters(this.#store, container, range);
    const sessionLsn = sessionLsnOf(request, range, lsn);
    if (this.#history === undefined || !isWeak(request)) return { lsn };
    return this.#history.viewOf(container, lsn, sessionLsn);
  }

  #headers(
    container: ContainerEntry,
    partitionKey: PartitionKey | undefined,
    charge: number,
    knownLsn?: number,
  ): Record<string, string | number> {
    const ranges = partitionKey === undefined ? partitionRanges() : [rangeOf(partitionKey)];
    const tokens = ranges.map(
      ({ id }) => `${id}:-1#${knownLsn ?? readCounters(this.#store, container, id).lsn}`,
    );
    return {
      'x-ms-request-charge': Math.round(charge * 100) / 100,
      'x-ms-session-token': tokens.join(','),
      'x-ms-alt-content-path': encodeURI(container.link),
      'x-ms-content-path': container.resourceId,
      ...(knownLsn === undefined ? {} : { lsn: knownLsn }),
    };
  }
}

function optionalPartitionKey(request: CosmosRequest): PartitionKey | undefined {
  const given = header(request, 'x-ms-documentdb-partitionkey');
  return given === undefined ? undefined : partitionKeyFromHeader(given);
}

function requiredPartitionKey(request: CosmosRequest): PartitionKey {
  const partitionKey = optionalPartitionKey(request);
  if (partitionKey === undefined) throw badRequest('PartitionKey value must be supplied for this operation.');
  return partitionKey;
}

function rangeOfRequest(request: CosmosRequest, partitionKey: PartitionKey | undefined): string {
  if (partitionKey !== undefined) return rangeOf(partitionKey).id;
  const start = header(request, 'x-ms-start-epk');
  const end = header(request, 'x-ms-end-epk');
  const range = rangeById(header(request, 'x-ms-documentdb-partitionkeyrangeid') ?? '0');
  const isPart =
    (start ?? range.minInclusive) > range.minInclusive || (end ?? range.maxExclusive) < range.maxExclusive;
  if (isPart) throw notSupported('A part of a physical partition');
  return range.id;
}

function maxItemsOf(request: CosmosRequest): number {
  const given = Number(header(request, 'x-ms-max-item-count') ?? DEFAULT_PAGE);
  if (given === -1) return Number.POSITIVE_INFINITY;
  if (Number.isInteger(given) && given > 0) return given;
  throw badRequest('The x-ms-max-item-count must be a positive whole number or -1.');
}

function feedStart(request: CosmosRequest, view: ReadView): { after: number; since: number } {
  const position = header(request, 'if-none-match');
  const time = header(request, 'if-modified-since');
  if (position === '*') return { after: view.lsn, since: 0 };
  if (position !== undefined) {
    const match = /^"?(\d+)"?$/.exec(position);
    if (match?.[1] === undefined) throw badRequest(`The change feed continuation ${position} is invalid.`);
    return { after: Number(match[1]), since: 0 };
  }
  if (time === undefined) return { after: 0, since: 0 };
  const since = Math.floor(Date.parse(time) / 1000);
  if (Number.isNaN(since)) throw badRequest(`The change feed start time ${time} is invalid.`);
  return { after: 0, since };
}

function batchOperations(body: JsonValue): ItemOperation[] {
  if (!Array.isArray(body) || body.length === 0) throw badRequest('A batch is a JSON array of operations.');
  if (body.length > MAX_BATCH_OPERATIONS)
    throw badRequest('Batch request has more operations than what is supported.');
  return body.map((entry) => {
    if (!isJsonObject(entry)) throw badRequest('Each operation of a batch must be an object.');
    const type = OPERATION_TYPES.find((name) => name === entry.operationType);
    if (entry.operationType === 'Patch') throw notSupported('Patch');
    if (type === undefined)
      throw badRequest(`The batch operation ${String(entry.operationType)} is unknown.`);
    if (entry.ifNoneMatch !== undefined) throw notSupported('ifNoneMatch in a batch');
    return {
      type,
      id: typeof entry.id === 'string' ? entry.id : undefined,
      body: isJsonObject(entry.resourceBody) ? entry.resourceBody : undefined,
      ifMatch: typeof entry.ifMatch === 'string' ? entry.ifMatch : undefined,
    };
  });
}

function batchAnswer(
  operations: readonly ItemOperation[],
  results: readonly OperationResult[],
  minimal: boolean,
): string {
  const answers = results.map(({ status, charge, item }, index) => {
    const answer = {
      statusCode: status,
      requestCharge: Math.round(charge * 100) / 100,
      ...(item === undefined ? {} : { eTag: item.head.etag }),
    };
    const hasBody = item !== undefined && (!minimal || operations[index]?.type === 'Read');
    const text = JSON.stringify(answer);
    return hasBody ? `${text.slice(0, -1)},"resourceBody":${item.body.toString()}}` : text;
  });
  return `[${answers.join(',')}]`;
}

function querySpec(body: JsonObject) {
  const { query, parameters = [] } = body;
  if (typeof query !== 'string' || !Array.isArray(parameters)) {
    throw badRequest('A query is given as {"query": "...", "parameters": [{"name", "value"}]}.');
  }
  const values = parameters.map((parameter): [string, JsonValue | undefined] => {
    if (!isJsonObject(parameter) || typeof parameter.name !== 'string') {
      throw badRequest('Each parameter of a query needs a name.');
    }
    return [parameter.name, parameter.value];
  });
  return { text: query, parameters: new Map(values) };
}

function documentList(container: ContainerEntry, documents: readonly (Buffer | string)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`{"_rid":"${container.resourceId}","Documents":[`)];
  for (const [number, document] of documents.entries()) {
    if (number > 0) parts.push(COMMA);
    parts.push(typeof document === 'string' ? Buffer.from(document) : document);
  }
  parts.push(Buffer.from(`],"_count":${documents.length}}`));
  return Buffer.concat(parts);
}

const COMMA = Buffer.from(',');
