import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ContainerEntry } from './catalog.ts';
import { badRequest } from './cosmos-error.ts';
import { isWholeValue, MAX_INDEXED_CHARACTERS, TYPE_RANK, typeRank, wholeValueOf } from './indexed-value.ts';
import { isExpired } from './item.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { type PartitionKey, partitionKeyOf } from './partition-key.ts';
import { type AccessPath, isSamePath, type QueryPlanner, scalarPathNumber } from './query-plan.ts';
import {
  fingerprintOf,
  type Position,
  readContinuation,
  resumeAt,
  writeContinuation,
} from './query-position.ts';
import { type Located, partitionKeys, scanIndex, scanItems } from './query-source.ts';
import { checkOrderBy, compareById, type Sortable, sortOrder } from './sort-order.ts';
import { compareValues } from './sql/compare.ts';
import { constraintsOf, type PathConstraint, pathsOf } from './sql/constraints.ts';
import { compile, constantOf, type Evaluator, type Parameters } from './sql/evaluate.ts';
import { parseQuery } from './sql/parse.ts';
import type { Expression, Selection, SelectQuery, SortKey } from './sql/syntax.ts';
import { overlayKey, type ReadView } from './stale-history.ts';
import { idKeyPart } from './storage-key.ts';
import type { Store } from './store.ts';

export interface QueryRequest {
  readonly text: string;
  readonly parameters: Parameters;
  readonly partitionKey: PartitionKey | undefined;
  /** Items of a page; Infinity = as many as fit into 4 MB. */
  readonly maxItems: number;
  readonly continuation: string | undefined;
  readonly view: ReadView;
}

export interface QueryPage {
  /** JSON texts. */
  readonly results: readonly (Buffer | string)[];
  readonly continuation: string | undefined;
  /** The sizes of the items that were found. */
  readonly loadedBytes: readonly number[];
}

interface Found extends Located {
  readonly sortValues: readonly (JsonValue | undefined)[];
  readonly body: () => Buffer;
  readonly item: () => JsonObject;
}

const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** So many items are looked at before other requests get their turn. */
const ITEMS_PER_TURN = 500;

/** Answers one page of a query. @throws CosmosError 400 for what the service would refuse too */
export async function runQuery(
  store: Store,
  planner: QueryPlanner,
  container: ContainerEntry,
  request: QueryRequest,
): Promise<QueryPage> {
  return new QueryRun(store, planner, container, request).page();
}

class QueryRun {
  readonly #store: Store;
  readonly #planner: QueryPlanner;
  readonly #container: ContainerEntry;
  readonly #request: QueryRequest;
  readonly #query: SelectQuery;
  readonly #orderBy: readonly SortKey[];
  readonly #compare: (one: Sortable, other: Sortable) => number;
  readonly #filter: Evaluator;
  readonly #isCovered: boolean;
  readonly #constraints: readonly PathConstraint[];
  readonly #partitionKey: string | undefined;
  readonly #fingerprint: string;
  readonly #snapshot: ReturnType<Store['snapshot']>;
  readonly #now = Math.floor(Date.now() / 1000);

  constructor(store: Store, planner: QueryPlanner, container: ContainerEntry, request: QueryRequest) {
    this.#store = store;
    this.#planner = planner;
    this.#container = container;
    this.#request = request;
    this.#query = parseQuery(request.text);
    this.#orderBy = sortKeysOf(this.#query, container);
    this.#compare = sortOrder(this.#orderBy);
    checkOrderBy(container, this.#query.orderBy);
    const { where } = this.#query;
    this.#filter = where === undefined ? () => true : compile(where, request.parameters);
    this.#constraints = constraintsOf(where, request.parameters);
    this.#isCovered = [
      ...(where === undefined ? [] : pathsOf(where)),
      ...this.#orderBy.map(({ path }) => path),
    ].every((path) => scalarPathNumber(container, path) >= 0);
    this.#partitionKey = request.partitionKey?.keyPart ?? this.#partitionKeyOfFilter();
    this.#fingerprint = fingerprintOf(request.text);
    this.#snapshot = store.snapshot();
  }

  async page(): Promise<QueryPage> {
    try {
      const { selection } = this.#query;
      return await (selection.kind === 'aggregate' ? this.#aggregate(selection) : this.#select(selection));
    } finally {
      this.#snapshot.done();
    }
  }

  async #select(selection: Exclude<Selection, { kind: 'aggregate' }>): Promise<QueryPage> {
    const { continuation, parameters, maxItems } = this.#request;
    const from = continuation === undefined ? undefined : readContinuation(continuation, this.#fingerprint);
    const offset = countOf(this.#query.offset, parameters, 0);
    const limit = countOf(this.#query.limit ?? this.#query.top, parameters, Number.POSITIVE_INFINITY);
    const project = projection(selection, parameters);
    const results: (Buffer | string)[] = [];
    const loadedBytes: number[] = [];
    let skipped = from?.skipped ?? 0;
    const alreadyReturned = from?.returned ?? 0;
    const wanted = Math.min(maxItems, limit - alreadyReturned);
    let returned = 0;
    let bytes = 0;
    let last: Found | undefined;
    if (limit <= alreadyReturned) return { results, continuation: undefined, loadedBytes };
    for await (const found of this.#found(from, offset - skipped + wanted)) {
      if (skipped < offset) {
        skipped += 1;
      } else if (returned >= wanted || bytes >= MAX_PAGE_BYTES) {
        if (last === undefined) break;
        const position = this.#position(last, skipped, alreadyReturned + returned);
        return { results, continuation: position, loadedBytes };
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
    return { results, continuation: undefined, loadedBytes };
  }

  async #aggregate({ name, operand }: Extract<Selection, { kind: 'aggregate' }>): Promise<QueryPage> {
    const evaluate = compile(operand, this.#request.parameters);
    const needsItem = pathsOf(operand).length > 0;
    const loadedBytes: number[] = [];
    let count = 0;
    let greatest: JsonValue | undefined;
    for await (const found of this.#found(undefined, name === 'MAX' ? 1 : Number.POSITIVE_INFINITY)) {
      const value = evaluate(needsItem ? found.item() : {});
      loadedBytes.push(found.head.bodyBytes);
      if (value === undefined) continue;
      count += 1;
      if (greatest === undefined || compareValues(value, greatest) > 0) greatest = value;
      if (name === 'MAX' && this.#orderBy.length > 0) break;
    }
    if (name === 'COUNT') return { results: [String(count)], continuation: undefined, loadedBytes };
    const isComparable = greatest !== undefined && typeRank(greatest) < TYPE_RANK.array;
    return { results: isComparable ? [JSON.stringify(greatest)] : [], continuation: undefined, loadedBytes };
  }

  /** The items that pass the filter, in the order of the results, from a position on. */
  async *#found(from: Position | undefined, wanted: number): AsyncGenerator<Found> {
    const access = this.#accessPath(wanted);
    const isStreamed = access.kind === 'ordered' || (access.kind === 'scan' && this.#orderBy.length === 0);
    let group: Found[] = [];
    let looked = 0;
    for (const located of this.#located(access, from)) {
      looked += 1;
      if (looked % ITEMS_PER_TURN === 0) await nextTurn();
      const found = located === undefined ? undefined : this.#passing(located);
      if (found === undefined || (from !== undefined && this.#compare(found, from) <= 0)) continue;
      const [previous] = group;
      if (isStreamed && previous !== undefined && this.#isNextGroup(previous, found)) {
        yield* this.#sorted(group);
        group = [];
      }
      if (isStreamed && this.#isInPlace(found)) yield found;
      else group.push(found);
    }
    yield* this.#sorted(group);
  }

  #accessPath(wanted: number): AccessPath {
    const partitionKey = this.#partitionKey;
    const isPlanned = partitionKey !== undefined && this.#wantedId() === undefined;
    if (!isPlanned || this.#request.view.overlay !== undefined) return { kind: 'scan' };
    return this.#planned(partitionKey, this.#orderBy, wanted);
  }

  #planned(partitionKey: string, orderBy: readonly SortKey[], wanted: number): AccessPath {
    const { lsn } = this.#request.view;
    const constraints = this.#constraints;
    return this.#planner.choose(this.#container, { partitionKey, constraints, orderBy, wanted, lsn });
  }

  /** Undefined stands for work that found nothing, so that it counts towards a turn. */
  #located(access: AccessPath, from: Position | undefined): Iterable<Located | undefined> {
    const partitionKey = this.#partitionKey;
    const byId = this.#byId();
    if (byId !== undefined) return byId;
    if (this.#request.view.overlay !== undefined) return this.#scanWithOverlay();
    const resume = this.#orderBy.length === 0 ? from : undefined;
    if (partitionKey === undefined) return this.#acrossPartitions(resume);
    if (access.kind === 'scan') return this.#scan(partitionKey, resume);
    const descending = access.kind === 'ordered' && access.descending;
    const bounds = from === undefined || access.kind === 'selected' ? access.bounds : resumeAt(access, from);
    return scanIndex(this.#store, this.#container, partitionKey, bounds, descending, this.#snapshot);
  }

  #scan(partitionKey: string | undefined, resume: Position | undefined): Generator<Located> {
    return scanItems(this.#store, this.#container, partitionKey, resume, this.#snapshot);
  }

  /** By partition key and id. Each partition is searched by its own indexes, where a constraint allows it. */
  *#acrossPartitions(resume: Position | undefined): Generator<Located | undefined> {
    const isSelective = this.#constraints.some(({ path }) => scalarPathNumber(this.#container, path) >= 0);
    if (!isSelective) return yield* this.#scan(undefined, resume);
    for (const partitionKey of partitionKeys(
      this.#store,
      this.#container,
      resume?.partitionKey,
      this.#snapshot,
    )) {
      yield undefined;
      const access = this.#planned(partitionKey, [], Number.POSITIVE_INFINITY);
      if (access.kind === 'scan') {
        yield* this.#scan(partitionKey, undefined);
      } else {
        const found = scanIndex(
          this.#store,
          this.#container,
          partitionKey,
          access.bounds,
          false,
          this.#snapshot,
        );
        yield* access.kind === 'ordered' ? found : [...found].sort(compareById);
      }
    }
  }

  /** `c.id = x` within a partition is a point read. */
  #byId(): Located[] | undefined {
    const id = this.#wantedId();
    if (id === undefined || this.#partitionKey === undefined) return undefined;
    const place = { partitionKey: this.#partitionKey, id: idKeyPart(id) };
    const overlaid = this.#request.view.overlay?.get(overlayKey(place.partitionKey, place.id));
    const head =
      overlaid === undefined
        ? this.#store.heads.get([this.#container.number, place.partitionKey, place.id], {
            transaction: this.#snapshot,
          })
        : overlaid.item?.head;
    return head === undefined ? [] : [{ ...place, head }];
  }

  #wantedId(): string | undefined {
    const id = this.#constraints.find(({ path }) => isSamePath(path, ['id']))?.equals;
    return typeof id === 'string' ? id : undefined;
  }

  #scanWithOverlay(): Located[] {
    const overlay = this.#request.view.overlay ?? new Map();
    const scanned = scanItems(this.#store, this.#container, this.#partitionKey, undefined, this.#snapshot);
    const items = [...scanned].filter(({ partitionKey, id }) => !overlay.has(overlayKey(partitionKey, id)));
    for (const { partitionKey, id, item } of overlay.values()) {
      const isInScope = this.#partitionKey === undefined || this.#partitionKey === partitionKey;
      if (isInScope && item !== undefined) items.push({ partitionKey, id, head: item.head });
    }
    return items.sort(compareById);
  }

  #passing(located: Located): Found | undefined {
    if (isExpired(located.head, this.#now)) return undefined;
    const body = once(() => this.#bodyOf(located));
    const item = once(() => parseItem(body()));
    const known = (this.#isCovered ? this.#itemOfIndex(located) : undefined) ?? item();
    if (this.#filter(known) !== true) return undefined;
    const sortValues = this.#orderBy.map(({ path }) => compile({ kind: 'path', path }, new Map())(known));
    return { ...located, sortValues, body, item };
  }

  #bodyOf({ partitionKey, id }: Located): Buffer {
    const overlaid = this.#request.view.overlay?.get(overlayKey(partitionKey, id));
    if (overlaid?.item !== undefined) return overlaid.item.body;
    const body = this.#store.bodies.get([this.#container.number, partitionKey, id], {
      transaction: this.#snapshot,
    });
    if (body === undefined) throw new Error(`The body of item ${id} is missing.`);
    return body;
  }

  /** As much of an item as its index entries hold; undefined when one of them does not hold the whole value. */
  #itemOfIndex({ head }: Located): JsonObject | undefined {
    const item: JsonObject = {};
    for (const [number, path] of this.#container.indexing.scalarPaths.entries()) {
      const entry = head.indexed[number];
      if (entry === undefined || !isWholeValue(entry)) return undefined;
      const value = wholeValueOf(entry);
      if (value !== undefined) setAtPath(item, path, value);
    }
    return item;
  }

  #partitionKeyOfFilter(): string | undefined {
    const path = this.#container.partitionKeyPath;
    const value = this.#constraints.find((constraint) => isSamePath(constraint.path, path))?.equals;
    return value === undefined || typeof value === 'object' ? undefined : partitionKeyOf(value).keyPart;
  }

  /** An index keeps only its own path in order: items that are equal there are sorted by the rest. */
  #isNextGroup(previous: Found, found: Found): boolean {
    const [first] = found.sortValues;
    const [before] = previous.sortValues;
    return (
      cutText(first) !== cutText(before) ||
      (cutText(first) === undefined && compareValues(first, before) !== 0)
    );
  }

  /** Whether the order of the index, values and then ids, is all there is to it. */
  #isInPlace({ sortValues: [first, ...others] }: Found): boolean {
    return others.length === 0 && cutText(first) === undefined;
  }

  #sorted(group: Found[]): Found[] {
    return group.length < 2 ? group : group.sort(this.#compare);
  }

  #position(last: Found, skipped: number, returned: number): string {
    const { partitionKey, id, sortValues } = last;
    return writeContinuation({ query: this.#fingerprint, sortValues, partitionKey, id, skipped, returned });
  }
}

/** MAX of an indexed path is the first value of that index read backwards. */
function sortKeysOf({ selection, orderBy }: SelectQuery, container: ContainerEntry): readonly SortKey[] {
  if (selection.kind !== 'aggregate' || selection.name !== 'MAX' || selection.operand.kind !== 'path')
    return orderBy;
  const { path } = selection.operand;
  return scalarPathNumber(container, path) < 0 ? [] : [{ path, descending: true }];
}

function projection(
  selection: Exclude<Selection, { kind: 'aggregate' }>,
  parameters: Parameters,
): (found: Found) => Buffer | string | undefined {
  if (selection.kind === 'all') return ({ body }) => body();
  if (selection.kind === 'value') {
    if (isWholeItem(selection.expression)) return ({ body }) => body();
    const evaluate = compile(selection.expression, parameters);
    return ({ item }) => JSON.stringify(evaluate(item()));
  }
  const columns = selection.items.map(({ name, expression }) => ({
    name,
    evaluate: compile(expression, parameters),
  }));
  return ({ item }) => {
    const values = columns.map(({ name, evaluate }) => [name, evaluate(item())] as const);
    return JSON.stringify(Object.fromEntries(values));
  };
}

function isWholeItem(expression: Expression): boolean {
  return expression.kind === 'path' && expression.path.length === 0;
}

function countOf(expression: Expression | undefined, parameters: Parameters, otherwise: number): number {
  if (expression === undefined) return otherwise;
  const value = constantOf(expression, parameters);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw badRequest('TOP, OFFSET and LIMIT take whole numbers that are not negative.');
}

/** What an index holds of a text that may be longer than it keeps; undefined for all other values. */
function cutText(value: JsonValue | undefined): string | undefined {
  const isLong = typeof value === 'string' && value.length >= MAX_INDEXED_CHARACTERS;
  return isLong ? value.slice(0, MAX_INDEXED_CHARACTERS) : undefined;
}

function setAtPath(item: JsonObject, path: readonly string[], value: JsonValue): void {
  const last = path.at(-1);
  let parent = item;
  for (const name of path.slice(0, -1)) {
    const child = parent[name];
    const next: JsonObject = isJsonObject(child) ? child : {};
    parent[name] = next;
    parent = next;
  }
  if (last !== undefined) parent[last] = value;
}

function parseItem(body: Buffer): JsonObject {
  const item: unknown = JSON.parse(body.toString());
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
