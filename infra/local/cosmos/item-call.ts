import { type BatchOperation, batchAnswer, batchOperations } from './batch-body.ts';
import type { ContainerEntry } from './catalog.ts';
import { readFeed } from './change-feed.ts';
import { badRequest, CosmosError, notFound, notSupported, SUB_STATUS } from './cosmos-error.ts';
import { type Item, isExpired } from './item.ts';
import {
  AtomicGroup,
  batchFailure,
  type Executed,
  type ItemOperation,
  OperationRefused,
  type OperationResult,
} from './item-operations.ts';
import { readCounters } from './item-store.ts';
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
import { QueryRun } from './query.ts';
import { pinnedPartitionKey, queryPlan, requireServable } from './query-plan.ts';
import { readContinuation, startOf, writeContinuation } from './query-position.ts';
import {
  type CosmosReply,
  type CosmosRequest,
  flag,
  header,
  jsonBody,
  maxItemsOf,
  type OperationName,
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

export interface ItemServices {
  readonly store: Store;
  /** Absent: no read is stale. */
  readonly history: StaleHistory | undefined;
  /** A container as it is now: it may have been replaced while a write was under way. @throws CosmosError 404/1003 */
  current(container: ContainerEntry): ContainerEntry;
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

const MAX_BATCH_BYTES = 2 * 1024 * 1024;
const WHOLE_CONTAINER = 'SELECT * FROM c';
const COMMA = Buffer.from(',');

/** One request to the items of a container: everything below `dbs/x/colls/y/docs`. */
export class ItemCall {
  readonly #services: ItemServices;
  readonly #container: ContainerEntry;
  readonly #request: CosmosRequest;

  constructor(services: ItemServices, container: ContainerEntry, request: CosmosRequest) {
    this.#services = services;
    this.#container = container;
    this.#request = request;
  }

  answer(operation: OperationName): CosmosReply | Promise<CosmosReply> {
    const id = this.#request.segments[5];
    switch (operation) {
      case 'create':
        return this.#write({ type: 'Create', body: objectBody(this.#request) });
      case 'upsert':
        return this.#write({ type: 'Upsert', body: objectBody(this.#request) });
      case 'replace':
        return this.#write({ type: 'Replace', id, body: objectBody(this.#request) });
      case 'delete':
        return this.#write({ type: 'Delete', id });
      case 'read':
        return this.#read(id ?? '');
      case 'batch':
        return this.#batch();
      case 'query':
        return this.#query();
      case 'queryPlan':
        return this.#queryPlan();
      case 'feed':
        return this.#feed();
      case 'readFeed':
        return this.#runQuery(parseQuery(WHOLE_CONTAINER), new Map(), this.#target());
      default:
        throw notSupported(`The operation ${operation}`);
    }
  }

  /** Session token and owner of a refusal too: the SDK keeps tokens of 404, 409 and 412. */
  refusalHeaders(): CosmosReply['headers'] {
    return this.#headers(this.#target().ranges, SMALLEST_CHARGE);
  }

  async #write(operation: ItemOperation): Promise<CosmosReply> {
    if (this.#header('if-none-match') !== undefined) throw notSupported('If-None-Match on a write');
    const ifMatch = this.#header('if-match');
    const partitionKey = this.#requiredPartitionKey();
    const { result, range, lsn } = await this.#services.store.commit(() =>
      this.#executeOne(partitionKey, { ...operation, ifMatch }),
    );
    const { status, charge, item } = result;
    const headers = this.#headers([range], charge, lsn);
    if (item === undefined) return { status, headers };
    return { status, headers: { ...headers, etag: item.head.etag }, body: item.body };
  }

  #read(id: string): CosmosReply {
    if (this.#header('if-match') !== undefined) throw notSupported('If-Match on a read');
    const { keyPart } = this.#requiredPartitionKey();
    const range = rangeOf(this.#container.ranges, keyPart);
    const view = this.#viewOf(range);
    const item = this.#itemAt(keyPart, idKeyPart(id), view);
    if (item === undefined) throw notFound();
    const charge = readCharge(item.head.bodyBytes) * this.#consistencyFactor();
    const headers = { ...this.#headers([range], charge, view.lsn), etag: item.head.etag };
    const known = this.#header('if-none-match');
    if (known === item.head.etag || known === '*') return { status: 304, headers };
    return { status: 200, headers, body: item.body };
  }

  async #batch(): Promise<CosmosReply> {
    const request = this.#request;
    if (request.body.length > MAX_BATCH_BYTES) throw new CosmosError(413, 'Request size is too large.');
    const operations = batchOperations(jsonBody(request));
    const isAtomic = flag(request, 'x-ms-cosmos-batch-atomic');
    const results = await (isAtomic ? this.#atomic(operations) : this.#bulk(operations));
    const minimal = this.#header('prefer')?.includes('return=minimal') ?? false;
    const charge = results.reduce((sum, result) => sum + result.charge, 0);
    const refused = results.find(({ status }) => status >= 400 && status !== 424);
    const subStatus = refused?.subStatus ? { 'x-ms-substatus': refused.subStatus } : {};
    return {
      status: refused === undefined ? 200 : 207,
      headers: { ...this.#headers(this.#target().ranges, charge), ...subStatus },
      body: batchAnswer(operations, results, minimal),
    };
  }

  async #atomic(operations: readonly BatchOperation[]): Promise<readonly OperationResult[]> {
    const partitionKey = this.#requiredPartitionKey();
    try {
      return (await this.#services.store.commit(() => this.#execute(partitionKey, operations))).results;
    } catch (error) {
      if (error instanceof OperationRefused) return batchFailure(operations.length, error);
      throw error;
    }
  }

  /** Each operation for itself; the first that is refused stops those after it, unless the client wants to go on. */
  #bulk(operations: readonly BatchOperation[]): Promise<OperationResult[]> {
    const { range } = this.#singleTarget();
    const goesOn = flag(this.#request, 'x-ms-cosmos-batch-continue-on-error');
    let isStopped = false;
    const runOne = (operation: BatchOperation): OperationResult => {
      if (isStopped) return { status: 424, charge: 0 };
      try {
        const partitionKey = partitionKeyFromHeader(operation.partitionKey);
        if (isWithin(range, partitionKey.keyPart)) return this.#executeOne(partitionKey, operation).result;
        throw new CosmosError(410, 'The item is in another range.', SUB_STATUS.partitionKeyRangeGone);
      } catch (error) {
        if (!(error instanceof CosmosError)) throw error;
        isStopped = !goesOn;
        return { status: error.status, subStatus: error.subStatus, charge: SMALLEST_CHARGE };
      }
    };
    return this.#services.store.commit(() => operations.map(runOne));
  }

  async #query(): Promise<CosmosReply> {
    const { text, parameters } = querySpec(this.#request);
    const query = parseQuery(text);
    const target = this.#target();
    if (target.isNamed) return this.#runQuery(query, parameters, target);
    const partitionKey = pinnedPartitionKey(this.#container, query, parameters);
    if (partitionKey !== undefined) {
      const ranges = [rangeOf(this.#container.ranges, partitionKey.keyPart)];
      return this.#runQuery(query, parameters, { ...target, ranges, partitionKey });
    }
    if (!flag(this.#request, 'x-ms-documentdb-query-enablecrosspartition')) {
      throw badRequest(
        'Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, specify ' +
          'x-ms-documentdb-partitionkey, or revise your query to avoid this exception.',
      );
    }
    requireServable(this.#container, query, parameters);
    return this.#runQuery(query, parameters, target);
  }

  /** A page never holds items of two physical partitions; it may be empty and still not the last. */
  async #runQuery(query: SelectQuery, parameters: Parameters, target: Target): Promise<CosmosReply> {
    const { partitionKey, ranges, keys } = target;
    const token = this.#header('x-ms-continuation');
    const from = token === undefined ? undefined : readContinuation(token, query);
    const number = from === undefined ? 0 : ranges.findIndex((range) => isWithin(range, from.partitionKey));
    const range = ranges[number];
    const following = ranges[number + 1];
    if (range === undefined) throw badRequest('Invalid Continuation Token.');
    const view = this.#viewOf(range);
    const run = new QueryRun(this.#services.store, this.#container, {
      query,
      parameters,
      partitionKey: partitionKey?.keyPart,
      keys: intersection(range, keys),
      maxItems: maxItemsOf(this.#request),
      from,
      view,
    });
    const page = await run.page();
    const next = page.next ?? (following && startOf(following));
    const charge = queryCharge(page.loadedBytes) * this.#consistencyFactor();
    const headers = {
      ...this.#headers([range], charge, view.lsn),
      'x-ms-item-count': page.results.length,
      ...(next === undefined ? {} : { 'x-ms-continuation': writeContinuation(next, query) }),
    };
    return { status: 200, headers, body: this.#documentList(page.results) };
  }

  /** The SDK asks for a plan with every query, and uses it when the query is refused for want of one. */
  #queryPlan(): CosmosReply {
    const { text, parameters } = querySpec(this.#request);
    const body = JSON.stringify(queryPlan(this.#container, parseQuery(text), parameters));
    return { status: 200, headers: this.#headers(this.#container.ranges, SMALLEST_CHARGE), body };
  }

  #feed(): CosmosReply {
    if (this.#header('a-im')?.toLowerCase() !== 'incremental feed')
      throw notSupported('This change feed mode');
    const { partitionKey, range, keys } = this.#singleTarget();
    const view = this.#viewOf(range);
    const page = readFeed(this.#services.store, this.#container, {
      partitionKey,
      range: range.id,
      keys,
      upTo: view.lsn,
      maxItems: maxItemsOf(this.#request),
      ...this.#feedStart(view),
    });
    const charge = feedCharge(page.sizes) * this.#consistencyFactor();
    const headers = {
      ...this.#headers([range], charge, view.lsn),
      etag: `"${page.position}"`,
      'x-ms-item-count': page.bodies.length,
    };
    if (page.bodies.length === 0) return { status: 304, headers };
    return { status: 200, headers, body: this.#documentList(page.bodies) };
  }

  #feedStart(view: ReadView): { after: number; since: number } {
    const position = this.#header('if-none-match');
    const time = this.#header('if-modified-since');
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

  /** Call it inside a transaction. */
  #execute(partitionKey: PartitionKey, operations: readonly ItemOperation[]): Executed {
    const { store, history } = this.#services;
    const container = this.#services.current(this.#container);
    const executed = new AtomicGroup(store, container, partitionKey).execute(
      operations,
      history !== undefined,
    );
    history?.record(container, executed);
    return executed;
  }

  #executeOne(partitionKey: PartitionKey, operation: ItemOperation) {
    const executed = this.#execute(partitionKey, [operation]);
    const [result] = executed.results;
    if (result === undefined) throw new Error('An operation gave no result.');
    return { ...executed, result };
  }

  #itemAt(partitionKey: string, id: string, { overlay }: ReadView): Item | undefined {
    const { heads, bodies } = this.#services.store;
    const key = [this.#container.number, partitionKey, id];
    const overlaid = overlay?.get(overlayKey(partitionKey, id));
    const head = overlaid === undefined ? heads.get(key) : overlaid.item?.head;
    if (head === undefined || isExpired(head, Math.floor(Date.now() / 1000))) return undefined;
    const body = overlaid === undefined ? bodies.get(key) : overlaid.item?.body;
    return body && { head, body };
  }

  #viewOf({ id }: PartitionRange): ReadView {
    const { store, history } = this.#services;
    const { lsn } = readCounters(store, this.#container, id);
    const sessionLsn = sessionLsnOf(this.#request, id, lsn);
    if (history === undefined || !isWeak(this.#request)) return { lsn };
    return history.viewOf(this.#container, id, lsn, sessionLsn);
  }

  /** @throws CosmosError 410/1002 for a physical partition that is not there */
  #target(): Target {
    const { ranges } = this.#container;
    const partitionKey = this.#partitionKey();
    if (partitionKey !== undefined) {
      const range = rangeOf(ranges, partitionKey.keyPart);
      return { partitionKey, ranges: [range], keys: ALL_KEYS, isNamed: true };
    }
    const minInclusive = this.#header('x-ms-start-epk');
    const maxExclusive = this.#header('x-ms-end-epk');
    const isPart = minInclusive !== undefined && maxExclusive !== undefined;
    const keys = isPart ? { minInclusive, maxExclusive } : ALL_KEYS;
    const id = this.#header('x-ms-documentdb-partitionkeyrangeid');
    if (id !== undefined) {
      const range = rangeById(ranges, id, isPart ? keys : undefined);
      return { partitionKey, ranges: [range], keys, isNamed: true };
    }
    if (isPart) throw notSupported('A range of keys without its partition key range id');
    return { partitionKey, ranges, keys, isNamed: false };
  }

  #singleTarget(): Target & { readonly range: PartitionRange } {
    const target = this.#target();
    const [range, ...others] = target.ranges;
    if (range !== undefined && others.length === 0) return { ...target, range };
    throw badRequest(
      'The container has several physical partitions: name one by its partition key range id.',
    );
  }

  #partitionKey(): PartitionKey | undefined {
    const given = this.#header('x-ms-documentdb-partitionkey');
    return given === undefined ? undefined : partitionKeyFromHeader(given);
  }

  #requiredPartitionKey(): PartitionKey {
    const partitionKey = this.#partitionKey();
    if (partitionKey !== undefined) return partitionKey;
    throw badRequest(
      'The partition key supplied in x-ms-partitionkey header has fewer components than defined in the the collection.',
      SUB_STATUS.partitionKeyMismatch,
    );
  }

  #headers(
    ranges: readonly PartitionRange[],
    charge: number,
    knownLsn?: number,
  ): Record<string, string | number> {
    const lsnOf = (id: string) => knownLsn ?? readCounters(this.#services.store, this.#container, id).lsn;
    return {
      'x-ms-request-charge': Math.round(charge * 100) / 100,
      'x-ms-session-token': ranges.map(({ id }) => `${id}:-1#${lsnOf(id)}`).join(','),
      'x-ms-alt-content-path': encodeURI(this.#container.link),
      'x-ms-content-path': this.#container.resourceId,
      ...(knownLsn === undefined ? {} : { lsn: knownLsn }),
    };
  }

  #header(name: string): string | undefined {
    return header(this.#request, name);
  }

  #consistencyFactor(): number {
    return consistencyFactor(consistencyOf(this.#request));
  }

  #documentList(documents: readonly (Buffer | string)[]): Buffer {
    const parts: Buffer[] = [Buffer.from(`{"_rid":"${this.#container.resourceId}","Documents":[`)];
    for (const [number, document] of documents.entries()) {
      if (number > 0) parts.push(COMMA);
      parts.push(typeof document === 'string' ? Buffer.from(document) : document);
    }
    parts.push(Buffer.from(`],"_count":${documents.length}}`));
    return Buffer.concat(parts);
  }
}
