import type { ContainerEntry } from './catalog.ts';
import { badRequest, CosmosError, notFound, SUB_STATUS } from './cosmos-error.ts';
import { buildItem, type Item, isExpired, itemId } from './item.ts';
import { readCounters, writeCounters, writeItem } from './item-store.ts';
import type { JsonObject } from './json.ts';
import { type PartitionKey, partitionKeyOfItem } from './partition-key.ts';
import { type PartitionRange, rangeOf } from './partition-ranges.ts';
import { createCharge, deleteCharge, readCharge, replaceCharge, SMALLEST_CHARGE } from './request-charge.ts';
import { idKeyPart } from './storage-key.ts';
import type { ItemHead, Store } from './store.ts';

export type OperationType = 'Create' | 'Upsert' | 'Replace' | 'Read' | 'Delete';

export interface ItemOperation {
  readonly type: OperationType;
  /** Required for all but Create and Upsert. */
  readonly id?: string | undefined;
  /** Required for Create, Upsert and Replace. */
  readonly body?: JsonObject | undefined;
  readonly ifMatch?: string | undefined;
}

export interface OperationResult {
  readonly status: number;
  readonly subStatus?: number | undefined;
  /** Request units. */
  readonly charge: number;
  readonly item?: Item | undefined;
}

/** What one item was before an atomic group of operations; stale reads are answered from it. */
export interface ItemBefore {
  readonly partitionKey: string;
  readonly id: string;
  readonly item: Item | undefined;
}

export interface Executed {
  readonly results: readonly OperationResult[];
  /** The physical partition. */
  readonly range: PartitionRange;
  /** Its sequence number after the operations. */
  readonly lsn: number;
  readonly changed: readonly ItemBefore[];
}

/** Says which operation refused, so that a batch can answer 424 for the others. */
export class OperationRefused extends CosmosError {
  readonly index: number;

  constructor(refusal: CosmosError, index: number) {
    super(refusal.status, refusal.message, refusal.subStatus);
    this.index = index;
  }
}

interface Draft {
  /** The rows in storage, expired or not. */
  readonly stored: ItemHead | undefined;
  readonly before: Item | undefined;
  current: Item | undefined;
  changed: boolean;
}

/**
 * Runs operations of one logical partition, all or none, under one sequence number. Call it inside a transaction.
 * Nothing is written before all have been checked.
 * @param keepBefore whether `changed` is wanted; without it old bodies need not be read
 * @throws OperationRefused for the first operation that cannot be done
 */
export function executeAtomically(
  store: Store,
  container: ContainerEntry,
  partitionKey: PartitionKey,
  operations: readonly ItemOperation[],
  keepBefore: boolean,
): Executed {
  return new AtomicGroup(store, container, partitionKey, keepBefore).execute(operations);
}

class AtomicGroup {
  readonly #store: Store;
  readonly #container: ContainerEntry;
  readonly #partitionKey: PartitionKey;
  readonly #range: PartitionRange;
  readonly #keepBefore: boolean;
  readonly #now = Math.floor(Date.now() / 1000);
  readonly #drafts = new Map<string, Draft>();
  #lsn: number;
  #itemNumber: number;

  constructor(store: Store, container: ContainerEntry, partitionKey: PartitionKey, keepBefore: boolean) {
    this.#store = store;
    this.#keepBefore = keepBefore;
    this.#container = container;
    this.#partitionKey = partitionKey;
    this.#range = rangeOf(container.ranges, partitionKey.keyPart);
    const counters = readCounters(store, container, this.#range.id);
    this.#lsn = counters.lsn;
    this.#itemNumber = counters.itemNumber;
  }

  execute(operations: readonly ItemOperation[]): Executed {
    const results = operations.map((operation, index) => {
      try {
        return this.#apply(operation, index);
      } catch (error) {
        throw error instanceof CosmosError ? new OperationRefused(error, index) : error;
      }
    });
    const changed = this.#write();
    return { results, range: this.#range, lsn: this.#lsn, changed };
  }

  #apply(operation: ItemOperation, sequence: number): OperationResult {
    switch (operation.type) {
      case 'Create':
      case 'Upsert':
        return this.#createOrUpsert(operation, sequence);
      case 'Replace':
        return this.#replace(operation, sequence);
      case 'Read': {
        const { item } = this.#existing(operation);
        // Read now: a later operation of the group may replace it.
        return { status: 200, charge: readCharge(item.head.bodyBytes), item: copy(item) };
      }
      case 'Delete':
        return this.#delete(operation);
    }
  }

  #createOrUpsert(operation: ItemOperation, sequence: number): OperationResult {
    const body = this.#bodyOf(operation);
    const draft = this.#draft(itemId(body));
    const { current } = draft;
    if (current !== undefined && operation.type === 'Create') {
      throw new CosmosError(409, 'Entity with the specified id already exists in the system.');
    }
    checkIfMatch(operation, current);
    if (current !== undefined) return this.#overwrite(draft, current, body, sequence);
    this.#itemNumber += 1;
    const item = this.#build(body, this.#itemNumber, sequence);
    setCurrent(draft, item);
    return { status: 201, charge: createCharge(item.head.bodyBytes, item.head.terms.length), item };
  }

  #replace(operation: ItemOperation, sequence: number): OperationResult {
    const body = this.#bodyOf(operation);
    const { draft, item } = this.#existing(operation);
    if (itemId(body) !== operation.id) throw badRequest('Replacing the id of an item is not allowed.');
    checkIfMatch(operation, item);
    return this.#overwrite(draft, item, body, sequence);
  }

  #overwrite(draft: Draft, old: Item, body: JsonObject, sequence: number): OperationResult {
    const item = this.#build(body, old.head.itemNumber, sequence);
    const oldTerms = new Set(old.head.terms);
    const changedTerms = item.head.terms.filter((term) => !oldTerms.has(term)).length;
    setCurrent(draft, item);
    return { status: 200, charge: replaceCharge(item.head.bodyBytes, changedTerms), item };
  }

  #delete(operation: ItemOperation): OperationResult {
    const { draft, item } = this.#existing(operation);
    checkIfMatch(operation, item);
    setCurrent(draft, undefined);
    return { status: 204, charge: deleteCharge(item.head.bodyBytes, item.head.terms.length) };
  }

  #build(body: JsonObject, itemNumber: number, sequence: number): Item {
    return buildItem(this.#container, body, { lsn: this.#lsn + 1, sequence, itemNumber, now: this.#now });
  }

  #bodyOf(operation: ItemOperation): JsonObject {
    const { body } = operation;
    if (body === undefined) throw badRequest('The operation needs an item.');
    const own = partitionKeyOfItem(this.#container.partitionKeyPath, body);
    if (own.canonical !== this.#partitionKey.canonical) {
      throw badRequest(
        "PartitionKey extracted from document doesn't match the one specified in the header.",
        SUB_STATUS.partitionKeyMismatch,
      );
    }
    return body;
  }

  #existing(operation: ItemOperation): { draft: Draft; item: Item } {
    if (operation.id === undefined) throw badRequest('The operation needs the id of an item.');
    const draft = this.#draft(operation.id);
    if (draft.current === undefined) throw notFound();
    return { draft, item: draft.current };
  }

  #draft(id: string): Draft {
    const idPart = idKeyPart(id);
    const known = this.#drafts.get(idPart);
    if (known !== undefined) return known;
    const key = [this.#container.number, this.#partitionKey.keyPart, idPart];
    const stored = this.#store.heads.get(key);
    const isThere = stored !== undefined && !isExpired(stored, this.#now);
    const before = isThere ? storedItem(stored, () => this.#store.bodies.get(key)) : undefined;
    const draft: Draft = { stored, before, current: before, changed: false };
    this.#drafts.set(idPart, draft);
    return draft;
  }

  #write(): ItemBefore[] {
    const partitionKey = this.#partitionKey.keyPart;
    const changed = [...this.#drafts].filter(([, draft]) => draft.changed);
    const before = this.#keepBefore
      ? changed.map(([id, { before: item }]) => ({ partitionKey, id, item: copy(item) }))
      : [];
    for (const [id, draft] of changed) {
      const place = { container: this.#container, partitionKey, id };
      writeItem(this.#store, place, draft.stored, draft.current);
    }
    if (changed.length > 0) {
      this.#lsn += 1;
      writeCounters(this.#store, this.#container, this.#range.id, {
        lsn: this.#lsn,
        itemNumber: this.#itemNumber,
      });
    }
    return before;
  }
}

/** Most writes need only the head of what they replace, so the body is read when it is asked for. */
function storedItem(head: ItemHead, load: () => Buffer | undefined): Item {
  return {
    head,
    get body() {
      const body = load();
      if (body === undefined) throw new Error('The body of an item is missing.');
      return body;
    },
  };
}

function copy(item: Item | undefined): Item | undefined {
  return item && { head: item.head, body: item.body };
}

function setCurrent(draft: Draft, item: Item | undefined): void {
  draft.current = item;
  draft.changed = true;
}

function checkIfMatch({ ifMatch }: ItemOperation, item: Item | undefined): void {
  if (ifMatch === undefined || (ifMatch === '*' && item !== undefined) || ifMatch === item?.head.etag) return;
  throw new CosmosError(412, 'One of the specified pre-condition is not met.');
}

/** What each operation of a batch answers when number `refusedIndex` was refused. */
export function batchFailure(operations: number, refused: OperationRefused): OperationResult[] {
  return Array.from({ length: operations }, (_, index) =>
    index === refused.index
      ? { status: refused.status, subStatus: refused.subStatus, charge: SMALLEST_CHARGE }
      : { status: 424, charge: 0 },
  );
}
