import type { Container, JSONObject, OperationInput, SqlQuerySpec } from '@azure/cosmos';
import {
  askCosmos,
  COSMOS_STATUS,
  cosmosStatusOf,
  inCosmosTime,
  isPassingCosmosFault,
} from '../../platform/ask-cosmos.ts';
import { queryAll, queryPages } from '../../platform/cosmos-query.ts';
import type { Change, StoredRecord } from '../change.ts';
import {
  type ChangeDocument,
  changeDocumentId,
  fromChangeDocument,
  fromRecordDocument,
  HEAD_ID,
  type HeadDocument,
  type RecordDocument,
  recordDocumentId,
  toChangeDocument,
  toRecordDocument,
} from '../documents.ts';
import { type Head, NEVER_COMPACTED } from '../history/head.ts';
import { endOfPrefix, type KeyOrder } from '../key.ts';
import { type Scope, scopeId } from '../scope.ts';
import { whereUnder } from '../where-under.ts';

/**
 * How an attempt to append ended: it stands; another writer took the revision; nothing was written because the
 * account is throttled; or nobody knows (a timeout or a lost connection), so that the log itself has to tell.
 */
export type AppendOutcome = 'committed' | 'conflict' | 'throttled' | 'uncertain';

/** Documents a page of a query asks for; Cosmos ends a page earlier at about 4 MB. */
const PAGE_SIZE = 1000;
/** Pages of a listing that are held in memory together. */
const MAX_PAGES_AT_ONCE = 5;

export interface RecordRange {
  /** The key behind which it begins, in its order; empty for the first. */
  readonly after: string;
  /** As `isUnder` has it; empty for all. */
  readonly prefix: string;
  readonly limit: number;
  /** Ascending, unless said otherwise. */
  readonly order?: KeyOrder;
}

export interface RecordPage<Value> {
  readonly documents: readonly RecordDocument<Value>[];
  readonly isLast: boolean;
}

/** Fewer, because the SDK gathers an ordered page from several of Cosmos', and each change holds up to two values. */
const CHANGE_PAGE_SIZE = 250;

/** Which changes of a scope are read. */
export interface ChangeRange {
  /** Only those of this key and of the keys below it, as `isUnder` has it. */
  readonly prefix?: string | undefined;
  /** Only those of this key. */
  readonly key?: string | undefined;
  /** Only those of keys from the first up to the second. */
  readonly keys?: { readonly from: string; readonly upTo: string } | undefined;
  /** Only revisions above this one, and up to that one. */
  readonly above?: number | undefined;
  readonly upTo?: number | undefined;
  /** The oldest first, unless said otherwise. */
  readonly order?: 'oldest' | 'newest' | undefined;
  readonly limit?: number | undefined;
}

/** The Cosmos calls of one scope's log: each method is one operation, without any retry or memory of its own. */
export class LogStorage {
  readonly #container: Container;
  readonly scope: Scope;
  readonly #partition: string;

  constructor(container: Container, scope: Scope) {
    this.#container = container;
    this.scope = scope;
    this.#partition = scopeId(scope);
  }

  /** Revision of the newest change; 0 for a scope that was never written. */
  async readPosition(): Promise<number> {
    const [newest] = await this.#query<number>({
      query: "SELECT TOP 1 VALUE c.revision FROM c WHERE c.type = 'change' ORDER BY c.revision DESC",
      parameters: [],
    });
    return newest ?? 0;
  }

  async readChange<Value>(revision: number): Promise<Change<Value> | undefined> {
    const document = await this.#read<ChangeDocument<Value>>(changeDocumentId(revision));
    return document && fromChangeDocument(document);
  }

  /** Changes with a revision above `revision`, in order. */
  async readChangesAfter<Value>(revision: number): Promise<Change<Value>[]> {
    const changes: Change<Value>[] = [];
    for await (const page of this.readChangePages<Value>({ above: revision })) {
      changes.push(...page);
    }
    return changes;
  }

  /** Changes in order, page by page as they are read; who has enough stops reading. */
  async *readChangePages<Value>(range: ChangeRange): AsyncGenerator<Change<Value>[]> {
    const pages = queryPages<ChangeDocument<Value>>(this.#container, changeQuery(range), {
      partitionKey: this.#partition,
      maxItemCount: Math.min(CHANGE_PAGE_SIZE, range.limit ?? CHANGE_PAGE_SIZE),
    });
    for await (const documents of pages) {
      yield documents.map((document) => fromChangeDocument(document));
    }
  }

  /** How far the scope is compacted. What was read before this is right only above its `compactedTo`. */
  async readHead(): Promise<Head> {
    return (await this.#read<HeadDocument>(HEAD_ID)) ?? NEVER_COMPACTED;
  }

  async readRecord<Value>(key: string): Promise<StoredRecord<Value> | undefined> {
    const document = await this.readRecordDocument<Value>(key);
    return document && fromRecordDocument(document);
  }

  /** The document of a record, which may be a tombstone; undefined where there never was one, or its tombstone is gone. */
  async readRecordDocument<Value>(key: string): Promise<RecordDocument<Value> | undefined> {
    return await this.#read<RecordDocument<Value>>(recordDocumentId(key));
  }

  /** Record documents in the order of keys, tombstones among them; fewer than `limit` where their values are large. */
  async readRecordPage<Value>({ limit, ...range }: RecordRange): Promise<RecordPage<Value>> {
    const documents: RecordDocument<Value>[] = [];
    let read = 0;
    for await (const page of this.#recordPages<Value>(`TOP ${limit}`, range, PAGE_SIZE)) {
      documents.push(...page);
      read += 1;
      if (read === MAX_PAGES_AT_ONCE && documents.length > 0) {
        return { documents, isLast: false };
      }
    }
    return { documents, isLast: documents.length < limit };
  }

  /** The first live records in key order that `isWanted`. */
  async readFirstRecords<Value>(
    { limit, ...range }: RecordRange,
    isWanted: (record: StoredRecord<Value>) => boolean,
  ): Promise<StoredRecord<Value>[]> {
    const found: StoredRecord<Value>[] = [];
    for await (const documents of this.#recordPages<Value>('', range, limit)) {
      found.push(...documents.flatMap((document) => fromRecordDocument(document) ?? []).filter(isWanted));
      if (found.length >= limit) {
        break;
      }
    }
    return found.slice(0, limit);
  }

  /** Keys of the records that name a lease, in order. */
  async readAttachedKeys(lease: string): Promise<string[]> {
    return await this.#query<string>({
      query: "SELECT VALUE c.key FROM c WHERE c.type = 'record' AND c.lease = @lease ORDER BY c.key",
      parameters: [{ name: '@lease', value: lease }],
    });
  }

  /** All live records in no particular order, page by page as they are read; may mix states of several revisions. */
  async *readRecords<Value>(): AsyncGenerator<StoredRecord<Value>[]> {
    const pages = queryPages<RecordDocument<Value>>(
      this.#container,
      { query: "SELECT * FROM c WHERE c.type = 'record'", parameters: [] },
      { partitionKey: this.#partition, maxItemCount: PAGE_SIZE },
    );
    for await (const documents of pages) {
      yield documents.flatMap((document) => fromRecordDocument(document) ?? []);
    }
  }

  /**
   * Appends changes with consecutive revisions and stores what they leave behind, as one transactional batch.
   * Creating the change documents is the lock: of two writers of the same revision one meets a conflict.
   */
  async append(changes: readonly Change<unknown>[]): Promise<AppendOutcome> {
    const newestOfKey = new Map(changes.map((change) => [change.key, change]));
    const operations: OperationInput[] = [
      ...changes.map((change) => createOperation(toChangeDocument(this.scope, change))),
      ...[...newestOfKey.values()].map((change) => upsertOperation(toRecordDocument(this.scope, change))),
    ];
    try {
      const { result } = await inCosmosTime((abortSignal) =>
        this.#container.items.batch(operations, this.#partition, { abortSignal }),
      );
      const statuses = result?.map((operation) => operation.statusCode) ?? [];
      if (statuses.length > 0 && statuses.every((status) => status < 300)) {
        return 'committed';
      }
      return outcomeOf(statuses.find((status) => status >= 400 && status !== COSMOS_STATUS.failedDependency));
    } catch (wrapped) {
      const error = wrapped instanceof Error ? (wrapped.cause ?? wrapped) : wrapped; // `items.batch` hides status and code behind a plain Error.
      if (isPassingCosmosFault(error)) {
        return 'uncertain';
      }
      if (cosmosStatusOf(error) === COSMOS_STATUS.throttled) {
        return 'throttled';
      }
      throw error;
    }
  }

  #recordPages<Value>(
    top: string,
    { prefix, after, order }: Omit<RecordRange, 'limit'>,
    maxItemCount: number,
  ): AsyncGenerator<RecordDocument<Value>[]> {
    // The bounds of the range are what an index is searched by.
    const isDescending = order === 'descending';
    const startsAtPrefix = isDescending || prefix > after;
    const comparison = startsAtPrefix && prefix !== '' && !prefix.endsWith('/') ? '>=' : '>';
    const conditions = ["c.type = 'record'", `c.key ${comparison} @begin`];
    const parameters = [{ name: '@begin', value: startsAtPrefix ? prefix : after }];
    const endOfKeys = endOfPrefix(prefix);
    const end =
      isDescending && after !== '' && (endOfKeys === undefined || after < endOfKeys) ? after : endOfKeys;
    if (end !== undefined) {
      conditions.push('c.key < @end');
      parameters.push({ name: '@end', value: end });
    }
    if (prefix !== '' && !prefix.endsWith('/')) {
      const under = whereUnder(prefix);
      conditions.push(under.condition);
      parameters.push(...under.parameters);
    }
    return queryPages<RecordDocument<Value>>(
      this.#container,
      {
        query: `SELECT ${top} * FROM c WHERE ${conditions.join(' AND ')} ORDER BY c.key${isDescending ? ' DESC' : ''}`,
        parameters,
      },
      { partitionKey: this.#partition, maxItemCount },
    );
  }

  async #read<Document extends { id: string }>(id: string): Promise<Document | undefined> {
    const { resource, statusCode } = await askCosmos((abortSignal) =>
      this.#container.item(id, this.#partition).read<Document>({ abortSignal }),
    );
    return statusCode === COSMOS_STATUS.notFound ? undefined : resource;
  }

  async #query<Result>(specification: SqlQuerySpec): Promise<Result[]> {
    return await queryAll<Result>(this.#container, specification, {
      partitionKey: this.#partition,
      maxItemCount: PAGE_SIZE,
    });
  }
}

function changeQuery({ prefix, key, keys, above, upTo, order, limit }: ChangeRange): SqlQuerySpec {
  const conditions = ["c.type = 'change'"];
  const parameters: { name: string; value: string | number }[] = [];
  const where = (condition: string, name: string, value: string | number) => {
    conditions.push(condition);
    parameters.push({ name, value });
  };
  if (above !== undefined) where('c.revision > @above', '@above', above);
  if (upTo !== undefined) where('c.revision <= @upTo', '@upTo', upTo);
  if (key !== undefined) where('c.key = @key', '@key', key);
  if (keys !== undefined) {
    where('c.key >= @fromKey', '@fromKey', keys.from);
    where('c.key <= @upToKey', '@upToKey', keys.upTo);
  }
  if (prefix !== undefined) {
    const under = whereUnder(prefix);
    conditions.push(under.condition);
    parameters.push(...under.parameters);
  }
  const top = limit === undefined ? '' : `TOP ${limit} `;
  const direction = order === 'newest' ? ' DESC' : '';
  return {
    query: `SELECT ${top}* FROM c WHERE ${conditions.join(' AND ')} ORDER BY c.revision${direction}`,
    parameters,
  };
}

function createOperation(document: object): OperationInput {
  return { operationType: 'Create', resourceBody: document as JSONObject };
}

function upsertOperation(document: object): OperationInput {
  return { operationType: 'Upsert', resourceBody: document as JSONObject };
}

function outcomeOf(status: number | undefined): AppendOutcome {
  switch (status) {
    case COSMOS_STATUS.conflict:
      return 'conflict';
    case COSMOS_STATUS.throttled:
      return 'throttled';
    case undefined:
    case COSMOS_STATUS.retryWith:
      return 'uncertain';
    default:
      throw new Error(`Cosmos DB refused a batch of the log with status ${status}.`);
  }
}
