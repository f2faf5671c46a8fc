import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ContainerEntry } from './catalog.ts';
import { isSamePath } from './indexed-value.ts';
import { isExpired } from './item.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { type EpkRange, isWithin } from './partition-ranges.ts';
import { cutOf } from './query-plan.ts';
import { type Position, withSortValues } from './query-position.ts';
import { type AccessPath, type Located, QuerySource, SCAN } from './query-source.ts';
import { checkOrderBy, compareById, type Sortable, sortOrder } from './sort-order.ts';
import { constraintsOf, type PathConstraint } from './sql/constraints.ts';
import { compile, type Evaluator, type Parameters } from './sql/evaluate.ts';
import type { Selection, SelectQuery } from './sql/syntax.ts';
import type { ReadView } from './stale-history.ts';
import { idKeyPart } from './storage-key.ts';
import type { Store } from './store.ts';

export interface QueryRequest {
  readonly query: SelectQuery;
  readonly parameters: Parameters;
  /** The storage key part of the one partition that is asked; undefined = all in `keys`. */
  readonly partitionKey: string | undefined;
  /** Within one physical partition. */
  readonly keys: EpkRange;
  /** Items of a page; Infinity = as many as fit into 4 MB. */
  readonly maxItems: number;
  readonly from: Position | undefined;
  readonly view: ReadView;
}

export interface QueryPage {
  /** JSON texts. */
  readonly results: readonly (Buffer | string)[];
  /** Where the next page starts; undefined at the end. */
  readonly next: Position | undefined;
  /** The sizes of the items that were found. */
  readonly loadedBytes: readonly number[];
}

interface Found extends Located, Sortable {
  readonly body: () => Buffer;
  readonly item: () => JsonObject;
}

type Rows = Exclude<Selection, { kind: 'count' }>;

const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** So many items are looked at before other requests get their turn. */
const ITEMS_PER_TURN = 500;

/** Answers one page of a query. @throws CosmosError 400 for what the service would refuse too */
export class QueryRun {
  readonly #request: QueryRequest;
  readonly #source: QuerySource;
  readonly #compare: (one: Sortable, other: Sortable) => number;
  readonly #sortKeys: readonly Evaluator[];
  readonly #filter: Evaluator | undefined;
  readonly #constraints: readonly PathConstraint[];
  readonly #now = Math.floor(Date.now() / 1000);
  #from: Position | undefined;

  constructor(store: Store, container: ContainerEntry, request: QueryRequest) {
    this.#request = request;
    const { query, parameters } = request;
    const { where, orderBy } = query;
    checkOrderBy(container, orderBy);
    this.#compare = sortOrder(orderBy);
    this.#sortKeys = orderBy.map(({ path }) => compile({ kind: 'path', path }, parameters));
    this.#filter = where && compile(where, parameters);
    this.#constraints = constraintsOf(where, parameters);
    this.#source = new QuerySource(store, container, request.view);
  }

  async page(): Promise<QueryPage> {
    try {
      this.#from = this.#start();
      const { selection } = this.#request.query;
      return await (selection.kind === 'count' ? this.#count(selection) : this.#select(selection));
    } finally {
      this.#source.close();
    }
  }

  #start(): Position | undefined {
    const { from } = this.#request;
    if (from?.fingerprint === undefined) return from;
    const [last] = this.#source.find(from.partitionKey, from.id);
    return withSortValues(from, last && this.#sortValues(parseItem(this.#source.body(last))));
  }

  async #select(selection: Rows): Promise<QueryPage> {
    const { query, parameters, maxItems } = this.#request;
    const { top, offset = 0, limit = top ?? Number.POSITIVE_INFINITY } = cutOf(query, parameters);
    const project = projection(selection, parameters);
    const results: (Buffer | string)[] = [];
    const loadedBytes: number[] = [];
    const { skipped: alreadySkipped = 0, returned: alreadyReturned = 0 } = this.#from ?? {};
    const wanted = Math.min(maxItems, limit - alreadyReturned);
    let skipped = alreadySkipped;
    let returned = 0;
    let bytes = 0;
    let last: Found | undefined;
    if (limit <= alreadyReturned) return { results, next: undefined, loadedBytes };
    for await (const found of this.#found(offset - skipped + wanted)) {
      if (skipped < offset) {
        skipped += 1;
      } else if (last !== undefined && (returned >= wanted || bytes >= MAX_PAGE_BYTES)) {
        const { partitionKey, id, itemNumber, sortValues } = last;
        const place = { partitionKey, id, itemNumber, sortValues };
        return { results, next: { ...place, skipped, returned: alreadyReturned + returned }, loadedBytes };
      } else {
        returned += 1;
        const result = project(found);
        if (result !== undefined) results.push(result);
        bytes += result?.length ?? 0;
      }
      loadedBytes.push(found.head.bodyBytes);
      last = found;
      if (alreadyReturned + returned >= limit) break;
    }
    return { results, next: undefined, loadedBytes };
  }

  async #count({ operand, isPartial }: Extract<Selection, { kind: 'count' }>): Promise<QueryPage> {
    const evaluate = compile(operand, this.#request.parameters);
    const loadedBytes: number[] = [];
    let count = 0;
    for await (const found of this.#found(Number.POSITIVE_INFINITY)) {
      if (evaluate(operand.kind === 'literal' ? {} : found.item()) !== undefined) count += 1;
      loadedBytes.push(found.head.bodyBytes);
    }
    return { results: [isPartial ? `[{"item":${count}}]` : String(count)], next: undefined, loadedBytes };
  }

  /** The items that pass the filter, in the order of the results, from a position on. */
  async *#found(wanted: number): AsyncGenerator<Found> {
    const { partitionKey, query } = this.#request;
    const from = this.#from;
    const isSorted = query.orderBy.length > 0;
    const isPlanned = partitionKey !== undefined && this.#wantedId() === undefined;
    const access = isPlanned
      ? this.#source.accessPath(partitionKey, this.#constraints, query.orderBy, wanted)
      : SCAN;
    const isStreamed = access.order === (isSorted ? 'sortKey' : 'id');
    // An index keeps only its own path in order, and long strings cut: items that are equal there are sorted by the rest.
    let group: Found[] = [];
    let looked = 0;
    for (const located of this.#located(access)) {
      looked += 1;
      if (looked % ITEMS_PER_TURN === 0) await nextTurn();
      const found = located && this.#passing(located);
      if (found === undefined || (from !== undefined && this.#compare(found, from) <= 0)) continue;
      if (isStreamed && (!isSorted || found.entry !== group[0]?.entry)) {
        yield* group.sort(this.#compare);
        group = [];
      }
      group.push(found);
    }
    yield* group.sort(this.#compare);
  }

  /** Undefined stands for work that found nothing, so that it counts towards a turn. */
  #located(access: AccessPath): Iterable<Located | undefined> {
    const { query, partitionKey, keys } = this.#request;
    if (partitionKey !== undefined && !isWithin(keys, partitionKey)) return [];
    const id = this.#wantedId();
    if (id !== undefined && partitionKey !== undefined) return this.#source.find(partitionKey, idKeyPart(id));
    const resume = query.orderBy.length === 0 || access.order === 'sortKey' ? this.#from : undefined;
    if (partitionKey === undefined) return this.#acrossPartitions(resume);
    return this.#source.follow(partitionKey, access, resume);
  }

  /** By partition key and id. Each partition is searched by its own indexes, where a constraint allows it. */
  *#acrossPartitions(resume: Position | undefined): Generator<Located | undefined> {
    const { keys } = this.#request;
    if (!this.#constraints.some((constraint) => this.#source.isIndexed(constraint))) {
      return yield* this.#source.scan(keys, resume);
    }
    const rest = { ...keys, minInclusive: resume?.partitionKey ?? keys.minInclusive };
    for (const partitionKey of this.#source.partitionKeys(rest)) {
      yield undefined;
      const access = this.#source.accessPath(partitionKey, this.#constraints, [], Number.POSITIVE_INFINITY);
      const found = this.#source.follow(partitionKey, access, undefined);
      yield* access.order === 'id' ? found : [...found].sort(compareById);
    }
  }

  /** `c.id = x`, within a partition, is a point read. */
  #wantedId(): string | undefined {
    const id = this.#constraints.find(({ path }) => isSamePath(path, ['id']))?.equals;
    return typeof id === 'string' ? id : undefined;
  }

  #passing(located: Located): Found | undefined {
    if (isExpired(located.head, this.#now)) return undefined;
    const body = once(() => this.#source.body(located));
    const item = once(() => parseItem(body()));
    if (this.#filter !== undefined && this.#filter(item()) !== true) return undefined;
    const sortValues = this.#sortKeys.length > 0 ? this.#sortValues(item()) : [];
    return { ...located, itemNumber: located.head.itemNumber, sortValues, body, item };
  }

  #sortValues(item: JsonObject): (JsonValue | undefined)[] {
    return this.#sortKeys.map((evaluate) => evaluate(item));
  }
}

function projection(selection: Rows, parameters: Parameters): (found: Found) => Buffer | string | undefined {
  if (selection.kind === 'list') {
    const columns = selection.items.map(({ name, expression }) => ({
      name,
      evaluate: compile(expression, parameters),
    }));
    return ({ item }) => {
      const values = columns.map(({ name, evaluate }) => [name, evaluate(item())] as const);
      return JSON.stringify(Object.fromEntries(values));
    };
  }
  const expression = selection.kind === 'value' ? selection.expression : undefined;
  const isWholeItem =
    expression === undefined || (expression.kind === 'path' && expression.path.length === 0);
  if (isWholeItem) return ({ body }) => body();
  const evaluate = compile(expression, parameters);
  return ({ item }) => JSON.stringify(evaluate(item()));
}

function parseItem(body: Buffer): JsonObject {
  const item: JsonValue = JSON.parse(body.toString());
  if (!isJsonObject(item)) throw new Error('A stored item is not an object.');
  return item;
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
