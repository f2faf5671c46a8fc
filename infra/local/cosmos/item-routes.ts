import { QueryPlanner } from './access-path.ts';
import type { ContainerEntry } from './catalog.ts';
import { readFeed } from './change-feed.ts';
import { badRequest, CosmosError, notFound, notSupported, SUB_STATUS } from './cosmos-error.ts';
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
import {
  ALL_KEYS,
  type EpkRange,
  intersection,
  isWithin,
  type PartitionRange,
  rangeById,
  rangeOf,
} from './partition-ranges.ts';
import { runQuery } from './query.ts';
import { pinnedPartitionKey, queryPlan, requireServable } from './query-plan.ts';
import { readContinuation, startOf, writeContinuation } from './query-position.ts';
import {
  type CosmosReply,
  type CosmosRequest,
  flag,
  header,
  jsonBody,
  maxItemsOf,
  objectBody,
  querySpec,
} from './request.ts';
import { consistencyFactor, feedCharge, queryCharge, readCharge, SMALLEST_CHARGE } from './request-charge.ts';
import { consistencyOf, isWeak, sessionLsnOf } from './session.ts';
import type { Parameters } from './sql/evaluate.ts';
import { parseQuery } from './sql/parse.ts';
import type { SelectQuery } from './sql/syntax.ts';
import { overlayKey, type ReadView, type StaleHistory } from './stale-history.ts';
import { idKeyPart } from './storage-key.ts';
import type { Store } from './store.ts';

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
    return this.#write(container, request, { type, body: objectBody(request) });
  }

  async replace(container: ContainerEntry, request: CosmosRequest, id: string): Promise<CosmosReply> {
    return this.#write(container, request, { type: 'Replace', id, body: objectBody(request) });
  }

  async delete(container: ContainerEntry, request: CosmosRequest, id: string): Promise<CosmosReply> {
    return this.#write(container, request, { type: 'Delete', id });
  }

  read(container: ContainerEntry, request: CosmosRequest, id: string): CosmosReply {
    if (header(request, 'if-match') !== undefined) throw notSupported('If-Match on a read');
    const partitionKey = requiredPartitionKey(request);
    const range = rangeOf(container.ranges, partitionKey.keyPart);
    const view = this.#viewFor(container, request, range.id);
    const item = this.#itemAt(container, partitionKey.keyPart, idKeyPart(id), view);
    if (item === undefined) throw notFound();
    const charge = readCharge(item.head.bodyBytes) * consistencyFactor(consistencyOf(request));
    const headers = { ...this.#headers(container, [range], charge, view.lsn), etag: item.head.etag };
    const known = header(request, 'if-none-match');
    if (known === item.head.etag || known === '*') return { status: 304, headers };
    return { status: 200, headers, body: item.body };
  }

  async batch(container: ContainerEntry, request: CosmosRequest): Promise<CosmosReply> {
    if (request.body.length > MAX_BATCH_BYTES) throw new CosmosError(413, 'Request size is too large.');
    const entries = batchEntries(jsonBody(request));
    const operations = entries.map(batchOperation);
    if (!flag(request, 'x-ms-cosmos-batch-atomic'))
      return this.#bulk(container, request, entries, operations);
    const partitionKey = requiredPartitionKey(request);
    const ranges = [rangeOf(container.ranges, partitionKey.keyPart)];
    const outcome = await this.#store
      .commit(() => this.#execute(container, partitionKey, operations))
      .catch((error: unknown) => {
        if (error instanceof OperationRefused) return error;
        throw error;
      });
    const isRefused = outcome instanceof OperationRefused;
    const results = isRefused ? batchFailure(operations.length, outcome) : outcome.results;
    return this.#batchReply(container, request, ranges, operations, results);
  }

  /** Each operation for itself; the first that is refused stops those after it, unless the client wants to go on. */
  async #bulk(
    container: ContainerEntry,
    request: CosmosRequest,
    entries: readonly JsonObject[],
    operations: readonly ItemOperation[],
  ): Promise<CosmosReply> {
    const { ranges } = targetOf(container, request);
    const [range, ...others] = ranges;
    if (range === undefined || others.length > 0)
      throw badRequest('A bulk request must name a partition key range.');
    const goesOn = flag(request, 'x-ms-cosmos-batch-continue-on-error');
    const results = await this.#store.commit(() => {
      let isStopped = false;
      return operations.map((operation, index): OperationResult => {
        if (isStopped) return { status: 424, charge: 0 };
        try {
          const partitionKey = partitionKeyFromHeader(String(entries[index]?.partitionKey));
          if (!isWithin(range, partitionKey.keyPart)) {
            throw new CosmosError(
              410,
              'Another partition key range has the item.',
              SUB_STATUS.partitionKeyRangeGone,
            );
          }
          const {
            results: [result],
          } = this.#execute(container, partitionKey, [operation]);
          if (result !== undefined) return result;
          throw new Error('An operation gave no result.');
        } catch (error) {
          if (!(error instanceof CosmosError)) throw error;
          isStopped = !goesOn;
          return { status: error.status, subStatus: error.subStatus, charge: SMALLEST_CHARGE };
        }
      });
    });
    return this.#batchReply(container, request, [range], operations, results);
  }

  #batchReply(
    container: ContainerEntry,
    request: CosmosRequest,
    ranges: readonly PartitionRange[],
    operations: readonly ItemOperation[],
    results: readonly OperationResult[],
  ): CosmosReply {
    const minimal = header(request, 'prefer')?.includes('return=minimal') ?? false;
    const charge = results.reduce((sum, result) => sum + result.charge, 0);
    const refused = results.find(({ status }) => status >= 400 && status !== 424);
    const subStatus = refused?.subStatus ? { 'x-ms-substatus': refused.subStatus } : {};
    return {
      status: refused === undefined ? 200 : 207,
      headers: { ...this.#headers(container, ranges, charge), ...subStatus },
      body: batchAnswer(operations, results, minimal),
    };
  }

  async query(container: ContainerEntry, request: CosmosRequest): Promise<CosmosReply> {
    const { text, parameters } = querySpec(request);
    const query = parseQuery(text);
    const target = targetOf(container, request);
    if (!target.isNamed) {
      const pinned = pinnedPartitionKey(container, query, parameters);
      if (pinned !== undefined) {
        const ranges = [rangeOf(container.ranges, pinned.keyPart)];
        return this.#runQuery(container, request, query, parameters, {
          ...target,
          ranges,
          partitionKey: pinned,
        });
      }
      if (!flag(request, 'x-ms-documentdb-query-enablecrosspartition')) throw crossPartitionDisabled();
      requireServable(container, query, parameters);
    }
    return this.#runQuery(container, request, query, parameters, target);
  }

  async readFeed(container: ContainerEntry, request: CosmosRequest): Promise<CosmosReply> {
    return this.#runQuery(
      container,
      request,
      parseQuery(WHOLE_CONTAINER),
      new Map(),
      targetOf(container, request),
    );
  }

  /** The SDK asks for a plan with every query, and uses it when the query is refused for want of one. */
  queryPlan(container: ContainerEntry, request: CosmosRequest): CosmosReply {
    const { text, parameters } = querySpec(request);
    return {
      status: 200,
      headers: this.#headers(container, container.ranges, SMALLEST_CHARGE),
      body: JSON.stringify(queryPlan(container, parseQuery(text), parameters)),
    };
  }

  feed(container: ContainerEntry, request: CosmosRequest): CosmosReply {
    if (header(request, 'a-im')?.toLowerCase() !== 'incremental feed')
      throw notSupported('This change feed mode');
    const { partitionKey, ranges, keys } = targetOf(container, request);
    const [range, ...others] = ranges;
    if (range === undefined || others.length > 0) {
      throw badRequest(
        'The change feed of several physical partitions is read one partition key range at a time.',
      );
    }
    const view = this.#viewFor(container, request, range.id);
    const page = readFeed(this.#store, container, {
      partitionKey,
      range: range.id,
      keys,
      upTo: view.lsn,
      maxItems: maxItemsOf(request),
      ...feedStart(request, view),
    });
    const charge = feedCharge(page.sizes) * consistencyFactor(consistencyOf(request));
    const headers = {
      ...this.#headers(container, ranges, charge, view.lsn),
      etag: `"${page.position}"`,
      'x-ms-item-count': page.bodies.length,
    };
    if (page.bodies.length === 0) return { status: 304, headers };
    return { status: 200, headers, body: documentList(container, page.bodies) };
  }

  /** Session token and owner of a refusal too: the SDK keeps tokens of 404, 409 and 412. */
  refusalHeaders(container: ContainerEntry, request: CosmosRequest): CosmosReply['headers'] {
    return this.#headers(container, targetOf(container, request).ranges, SMALLEST_CHARGE);
  }

  async #write(
    container: ContainerEntry,
    request: CosmosRequest,
    operation: ItemOperation,
  ): Promise<CosmosReply> {
    if (header(request, 'if-none-match') !== undefined) throw notSupported('If-None-Match on a write');
    const ifMatch = header(request, 'if-match');
    const partitionKey = requiredPartitionKey(request);
    const { results, lsn } = await this.#store.commit(() =>
      this.#execute(container, partitionKey, [{ ...operation, ifMatch }]),
    );
    const [result] = results;
    if (result === undefined) throw new Error('An operation gave no result.');
    const ranges = [rangeOf(container.ranges, partitionKey.keyPart)];
    const headers = this.#headers(container, ranges, result.charge, lsn);
    if (result.item === undefined) return { status: result.status, headers };
    return {
      status: result.status,
      headers: { ...headers, etag: result.item.head.etag },
      body: result.item.body,
    };
  }

  /** Call it inside a transaction. */
  #execute(
    container: ContainerEntry,
    partitionKey: PartitionKey,
    operations: readonly ItemOperation[],
  ): Executed {
    const history = this.#history;
    const executed = executeAtomically(
      this.#store,
      container,
      partitionKey,
      operations,
      history !== undefined,
    );
    const { range, lsn, changed } = executed;
    if (changed.length > 0) history?.record(container, range, lsn, changed);
    return executed;
  }

  /** A page never holds items of two physical partitions; it may be empty and still not the last. */
  async #runQuery(
    container: ContainerEntry,
    request: CosmosRequest,
    query: SelectQuery,
    parameters: Parameters,
    { partitionKey, ranges, keys }: Target,
  ): Promise<CosmosReply> {
    const token = header(request, 'x-ms-continuation');
    const from = token === undefined ? undefined : readContinuation(token, query);
    const number = from === undefined ? 0 : ranges.findIndex((range) => isWithin(range, from.partitionKey));
    const range = ranges[number];
    const following = ranges[number + 1];
    if (range === undefined) throw badRequest('Invalid Continuation Token.');
    const view = this.#viewFor(container, request, range.id);
    const page = await runQuery(this.#store, this.#planner, container, {
      query,
      parameters,
      partitionKey: partitionKey?.keyPart,
      keys: intersection(range, keys),
      maxItems: maxItemsOf(request),
      from,
      view,
    });
    const next = page.next ?? (following && startOf(following));
    const charge = queryCharge(page.loadedBytes) * consistencyFactor(consistencyOf(request));
    const headers = {
      ...this.#headers(container, [range], charge, view.lsn),
      'x-ms-item-count': page.results.length,
      ...(next === undefined ? {} : { 'x-ms-continuation': writeContinuation(next, query) }),
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
    return this.#history.viewOf(container, range, lsn, sessionLsn);
  }

  #headers(
    container: ContainerEntry,
    ranges: readonly PartitionRange[],
    charge: number,
    knownLsn?: number,
  ): Record<string, string | number> {
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
  if (partitionKey !== undefined) return partitionKey;
  throw badRequest(
    'The partition key supplied in x-ms-partitionkey header has fewer components than defined in the the collection.',
    SUB_STATUS.partitionKeyMismatch,
  );
}

/** What a query or a feed is about. */
interface Target {
  readonly partitionKey: PartitionKey | undefined;
  /** The physical partitions, in the order of their keys. */
  readonly ranges: readonly PartitionRange[];
  /** The keys that are wanted of them. */
  readonly keys: EpkRange;
  /** True when the client named a partition key or a physical partition. */
  readonly isNamed: boolean;
}

/** @throws CosmosError 410/1002 for a physical partition that is not there */
function targetOf({ ranges }: ContainerEntry, request: CosmosRequest): Target {
  const partitionKey = optionalPartitionKey(request);
  if (partitionKey !== undefined) {
    return { partitionKey, ranges: [rangeOf(ranges, partitionKey.keyPart)], keys: ALL_KEYS, isNamed: true };
  }
  const minInclusive = header(request, 'x-ms-start-epk');
  const maxExclusive = header(request, 'x-ms-end-epk');
  const part =
    minInclusive === undefined || maxExclusive === undefined ? undefined : { minInclusive, maxExclusive };
  const id = header(request, 'x-ms-documentdb-partitionkeyrangeid');
  if (id === undefined && part !== undefined)
    throw notSupported('A range of keys without its partition key range id');
  const isNamed = id !== undefined;
  const keys = part ?? ALL_KEYS;
  return { partitionKey, ranges: isNamed ? [rangeById(ranges, id, part)] : ranges, keys, isNamed };
}

function crossPartitionDisabled(): CosmosError {
  return badRequest(
    'Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, specify ' +
      'x-ms-documentdb-partitionkey, or revise your query to avoid this exception.',
  );
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

function batchEntries(body: JsonValue): JsonObject[] {
  if (!Array.isArray(body) || body.length === 0) throw badRequest('A batch is a JSON array of operations.');
  if (body.length > MAX_BATCH_OPERATIONS)
    throw badRequest('Batch request has more operations than what is supported.');
  return body.map((entry) => {
    if (isJsonObject(entry)) return entry;
    throw badRequest('Each operation of a batch must be an object.');
  });
}

function batchOperation({
  operationType,
  id,
  resourceBody,
  ifMatch,
  ifNoneMatch,
}: JsonObject): ItemOperation {
  const type = OPERATION_TYPES.find((name) => name === operationType);
  if (operationType === 'Patch') throw notSupported('Patch');
  if (type === undefined) throw badRequest(`The batch operation ${String(operationType)} is unknown.`);
  if (ifNoneMatch !== undefined) throw notSupported('ifNoneMatch in a batch');
  return {
    type,
    id: typeof id === 'string' ? id : undefined,
    body: isJsonObject(resourceBody) ? resourceBody : undefined,
    ifMatch: typeof ifMatch === 'string' ? ifMatch : undefined,
  };
}

function batchAnswer(
  operations: readonly ItemOperation[],
  results: readonly OperationResult[],
  minimal: boolean,
): string {
  const answers = results.map(({ status, subStatus, charge, item }, index) => {
    const answer = {
      statusCode: status,
      ...(subStatus ? { subStatusCode: subStatus } : {}),
      requestCharge: Math.round(charge * 100) / 100,
      ...(item === undefined ? {} : { eTag: item.head.etag }),
    };
    const hasBody = item !== undefined && (!minimal || operations[index]?.type === 'Read');
    const text = JSON.stringify(answer);
    return hasBody ? `${text.slice(0, -1)},"resourceBody":${item.body.toString()}}` : text;
  });
  return `[${answers.join(',')}]`;
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
