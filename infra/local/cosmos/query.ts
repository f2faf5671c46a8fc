import { setImmediate as nextTurn } from 'node:timers/promises';
import { type AccessPath, type QueryPlanner, scalarPathNumber } from './access-path.ts';
import type { ContainerEntry } from './catalog.ts';
import { isSamePath, isWholeValue, MAX_INDEXED_CHARACTERS, wholeValueOf } from './indexed-value.ts';
import { isExpired } from './item.ts';
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';
import { type EpkRange, isWithin } from './partition-ranges.ts';
import { cutOf } from './query-plan.ts';
import { type Position, resumeAt } from './query-position.ts';
import { type Located, partitionKeys, scanIndex, scanItems } from './query-source.ts';
import { checkOrderBy, compareById, type Sortable, sortOrder } from './sort-order.ts';
import { compareValues } from './sql/compare.ts';
import { constraintsOf, type PathConstraint, pathsOf } from './sql/constraints.ts';
import { compile, type Evaluator, type Parameters } from './sql/evaluate.ts';
import type { Expression, Selection, SelectQuery, SortKey } from './sql/syntax.ts';
import { overlayKey, type ReadView } from './stale-history.ts';
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

interface Found extends Located {
  readonly itemNumber: number;
  readonly sortValues: readonly (JsonValue | undefined)[];
  readonly body: () => Buffer;
  readonly item: () => JsonObject;
}

const MAX_PAGE_BYTES = 4 * 1024 * 1024;
/** So many items are looked at before other requests get their turn. */
const ITEMS_PER_TURN = 500;

/** Answers one page of a query. @throws CosmosError 400 for what the service would refuse too */
export class QueryRun {
  readonly #store: Store;
  readonly #planner: QueryPlanner;
  readonly #container: ContainerEntry;
  readonly #request: QueryRequest;
  readonly #orderBy: readonly SortKey[];
  readonly #compare: (one: Sortable, other: Sortable) => number;
  readonly #sortKeys: readonly Evaluator[];
  readonly #filter: Evaluator;
  readonly #isCovered: boolean;
  readonly #constraints: readonly PathConstraint[];
  readonly #snapshot: ReturnType<Store['snapshot']>;
  readonly #now = Math.floor(Date.now() / 1000);

  constructor(store: Store, planner: QueryPlanner, container: ContainerEntry, request: QueryRequest) {
    this.#store = store;
    this.#planner = planner;
    this.#container = container;
    this.#request = request;
    const { where, orderBy } = request.query;
    this.#orderBy = orderBy;
    this.#compare = sortOrder(orderBy);
    this.#sortKeys = orderBy.map(({ path }) => compile({ kind: 'path', path }, new Map()));
    checkOrderBy(container, orderBy);
    this.#filter = where === undefined ? () => true : compile(where, request.parameters);
    this.#constraints = constraintsOf(where, request.parameters);
    this.#isCovered = [
      ...(where === undefined ? [] : pathsOf(where)),
      ...orderBy.map(({ path }) => path),
    ].every((path) => scalarPathNumber(container, path) >= 0);
    this.#snapshot = store.snapshot();
  }

  async page(): Promise<QueryPage> {
    try {
      const { selection } = this.#request.query;
      return await (selection.kind === 'count' ? this.#count(selection) : this.#select(selection));
    } finally {
      this.#snapshot.done();
    }
  }

  async #select(selection: Exclude<Selection, { kind: 'count' }>): Promise<QueryPage> {
    const { query, from, parameters, maxItems } = this.#request;
    const { top, offset = 0, limit = top ?? Number.POSITIVE_INFINITY } = cutOf(query, parameters);
    const project = projection(selection, parameters);
    const results: (Buffer | string)[] = [];
    const loadedBytes: number[] = [];
    let skipped = from?.skipped ?? 0;
    const alreadyReturned = from?.returned ?? 0;
    const wanted = Math.min(maxItems, limit - alreadyReturned);
    let returned = 0;
    let bytes = 0;
    let last: Found | undefined;
    if (limit <= alreadyReturned) return { results, next: undefined, loadedBytes };
    for await (const found of this.#found(from, offset - skipped + wanted)) {
      if (skipped < offset) {
        skipped += 1;
      } else if (returned >= wanted || bytes >= MAX_PAGE_BYTES) {
        if (last === undefined) break;
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
    const needsItem = pathsOf(operand).length > 0;
    const loadedBytes: number[] = [];
    let count = 0;
    for await (const found of this.#found(undefined, Number.POSITIVE_INFINITY)) {
      if (evaluate(needsItem ? found.item() : {}) !== undefined) count += 1;
      loadedBytes.push(found.head.bodyBytes);
    }
    return { results: [isPartial ? `[{"item":${count}}]` : String(count)], next: undefined, loadedBytes };
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
      // Without sort keys, what is streamed comes by id.
      if (isStreamed && this.#orderBy.length === 0) yield found;
      else group.push(found);
    }
    yield* this.#sorted(group);
  }

  #accessPath(wanted: number): AccessPath {
    const { partitionKey } = this.#request;
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
    const { partitionKey, keys, view } = this.#request;
    if (partitionKey !== undefined && !isWithin(keys, partitionKey)) return [];
    const byId = this.#byId();
    if (byId !== undefined) return byId;
    if (view.overlay !== undefined) return this.#scanWithOverlay();
    const resume = this.#orderBy.length === 0 ? from : undefined;
    if (partitionKey === undefined) return this.#acrossPartitions(resume);
    if (access.kind === 'scan') return this.#scan(partitionKey, resume);
    const descending = access.kind === 'ordered' && access.descending;
    const bounds = from === undefined || access.kind === 'selected' ? access.bounds : resumeAt(access, from);
    return scanIndex(this.#store, this.#container, partitionKey, bounds, descending, this.#snapshot);
  }

  #scan(keys: EpkRange | string, resume: Position | undefined): Generator<Located> {
    return scanItems(this.#store, this.#container, keys, resume, this.#snapshot);
  }

  /** By partition key and id. Each partition is searched by its own indexes, where a constraint allows it. */
  *#acrossPartitions(resume: Position | undefined): Generator<Located | undefined> {
    const { keys } = this.#request;
    const isSelective = this.#constraints.some(({ path }) => scalarPathNumber(this.#container, path) >= 0);
    if (!isSelective) return yield* this.#scan(keys, resume);
    const rest = { ...keys, minInclusive: resume?.partitionKey ?? keys.minInclusive };
    for (const partitionKey of partitionKeys(this.#store, this.#container, rest, this.#snapshot)) {
      yield undefined;
      const access = this.#planned(partitionKey, [], Number.POSITIVE_INFINITY);
      if (access.kind === 'scan') {
        yield* this.#scan(partitionKey, undefined);
      } else {
        const { bounds } = access;
        const found = scanIndex(this.#store, this.#container, partitionKey, bounds, false, this.#snapshot);
        yield* access.kind === 'ordered' ? found : [...found].sort(compareById);
      }
    }
  }

  /** `c.id = x` within a partition is a point read. */
  #byId(): Located[] | undefined {
    const { partitionKey } = this.#request;
    const id = this.#wantedId();
    if (id === undefined || partitionKey === undefined) return undefined;
    const place = { partitionKey, id: idKeyPart(id) };
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
    const { partitionKey: wanted, keys, view } = this.#request;
    const overlay = view.overlay ?? new Map();
    const items = [...this.#scan(wanted ?? keys, undefined)].filter(
      ({ partitionKey, id }) => !overlay.has(overlayKey(partitionKey, id)),
    );
    for (const { partitionKey, id, item } of overlay.values()) {
      const isInScope = wanted === undefined ? isWithin(keys, partitionKey) : wanted === partitionKey;
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
    const sortValues = this.#sortKeys.map((evaluate) => evaluate(known));
    return { ...located, itemNumber: located.head.itemNumber, sortValues, body, item };
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

  /** An index keeps only its own path in order: items that are equal there are sorted by the rest. */
  #isNextGroup(previous: Found, found: Found): boolean {
    const [first] = found.sortValues;
    const [before] = previous.sortValues;
    return (
      cutText(first) !== cutText(before) ||
      (cutText(first) === undefined && compareValues(first, before) !== 0)
    );
  }

  #sorted(group: Found[]): Found[] {
    return group.length < 2 ? group : group.sort(this.#compare);
  }
}

function projection(
  selection: Exclude<Selection, { kind: 'count' }>,
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
