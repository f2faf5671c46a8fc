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

/** What the operations before made of one item. */
interface Draft {
  /** The head of the rows in storage, expired or not. */
  readonly stored: ItemHead | undefined;
  /** As it stands now; undefined = not there. */
  head: ItemHead | undefined;
  /** The version that one of the operations wrote. */
  written: Item | undefined;
  isChanged: boolean;
}

/**
 * Operations of one logical partition, done all or none, under one sequence number. Make and execute it inside a transaction.
 * Nothing is written before all have been checked.
 */
export class AtomicGroup {
  readonly #store: Store;
  readonly #container: ContainerEntry;
  readonly #partitionKey: PartitionKey;
  readonly #range: PartitionRange;
  readonly #now = Math.floor(Date.now() / 1000);
  readonly #drafts = new Map<string, Draft>();
  #lsn: number;
  #itemNumber: number;

  constructor(store: Store, container: ContainerEntry, partitionKey: PartitionKey) {
    this.#store = store;
    this.#container = container;
    this.#partitionKey = partitionKey;
    this.#range = rangeOf(container.ranges, partitionKey.keyPart);
    const { lsn, itemNumber } = readCounters(store, container, this.#range.id);
    this.#lsn = lsn;
    this.#itemNumber = itemNumber;
  }

  /**
   * @param keepBefore whether `changed` is wanted; without it old bodies need not be read
   * @throws OperationRefused for the first operation that cannot be done
   */
  execute(operations: readonly ItemOperation[], keepBefore: boolean): Executed {
    const results = operations.map((operation, index) => {
      try {
        return this.#apply(operation, index);
      } catch (error) {
        throw error instanceof CosmosError ? new OperationRefused(error, index) : error;
      }
    });
    const drafts = [...this.#drafts].filter(([, { isChanged }]) => isChanged);
    const partitionKey = this.#partitionKey.keyPart;
    const changed = keepBefore
      ? drafts.map(([id, { stored }]) => ({ partitionKey, id, item: this.#visible(id, stored) }))
      : [];
    for (const [id, { stored, written }] of drafts) {
      writeItem(this.#store, { container: this.#container, partitionKey, id }, stored, written);
    }
    if (drafts.length > 0) {
      this.#lsn += 1;
      const counters = { lsn: this.#lsn, itemNumber: this.#itemNumber };
      writeCounters(this.#store, this.#container, this.#range.id, counters);
    }
    return { results, range: this.#range, lsn: this.#lsn, changed };
  }

  #apply(operation: ItemOperation, sequence: number): OperationResult {
    if (operation.type === 'Create' || operation.type === 'Upsert') {
      const body = this.#bodyOf(operation);
      const draft = this.#draft(idKeyPart(itemId(body)));
      if (draft.head !== undefined && operation.type === 'Create') {
        throw new CosmosError(409, 'Entity with the specified id already exists in the system.');
      }
      checkIfMatch(operation, draft.head);
      return this.#put(draft, body, sequence);
    }
    const { id } = operation;
    if (id === undefined) throw badRequest('The operation needs the id of an item.');
    const body = operation.type === 'Replace' ? this.#bodyOf(operation) : undefined;
    const draft = this.#draft(idKeyPart(id));
    const { head } = draft;
    if (head === undefined) throw notFound();
    if (operation.type === 'Read') {
      // Read now: a later operation of the group may replace it.
      const item = draft.written ?? this.#visible(idKeyPart(id), head);
      return { status: 200, charge: readCharge(head.bodyBytes), item };
    }
    if (body !== undefined && itemId(body) !== id) {
      throw badRequest('Replacing the id of an item is not allowed.');
    }
    checkIfMatch(operation, head);
    if (body !== undefined) return this.#put(draft, body, sequence);
    change(draft, undefined);
    return { status: 204, charge: deleteCharge(head.bodyBytes, head.terms.length) };
  }

  #put(draft: Draft, body: JsonObject, sequence: number): OperationResult {
    const { head: old } = draft;
    if (old === undefined) this.#itemNumber += 1;
    const itemNumber = old?.itemNumber ?? this.#itemNumber;
    const placement = { lsn: this.#lsn + 1, sequence, itemNumber, now: this.#now };
    const item = buildItem(this.#container, body, placement);
    const { bodyBytes, terms } = item.head;
    change(draft, item);
    if (old === undefined) return { status: 201, charge: createCharge(bodyBytes, terms.length), item };
    const oldTerms = new Set(old.terms);
    const changedTerms = terms.filter((term) => !oldTerms.has(term)).length;
    return { status: 200, charge: replaceCharge(bodyBytes, changedTerms), item };
  }

  #bodyOf({ body }: ItemOperation): JsonObject {
    if (body === undefined) throw badRequest('The operation needs an item.');
    const own = partitionKeyOfItem(this.#container.partitionKeyPath, body);
    if (own.canonical === this.#partitionKey.canonical) return body;
    throw badRequest(
      "PartitionKey extracted from document doesn't match the one specified in the header.",
      SUB_STATUS.partitionKeyMismatch,
    );
  }

  #draft(id: string): Draft {
    const known = this.#drafts.get(id);
    if (known !== undefined) return known;
    const stored = this.#store.heads.get([this.#container.number, this.#partitionKey.keyPart, id]);
    const head = stored && isExpired(stored, this.#now) ? undefined : stored;
    const draft: Draft = { stored, head, written: undefined, isChanged: false };
    this.#drafts.set(id, draft);
    return draft;
  }

  /** The item in storage, unless it has expired. */
  #visible(id: string, head: ItemHead | undefined): Item | undefined {
    if (head === undefined || isExpired(head, this.#now)) return undefined;
    const body = this.#store.bodies.get([this.#container.number, this.#partitionKey.keyPart, id]);
    return body && { head, body };
  }
}

function change(draft: Draft, item: Item | undefined): void {
  draft.head = item?.head;
  draft.written = item;
  draft.isChanged = true;
}

function checkIfMatch({ ifMatch }: ItemOperation, head: ItemHead | undefined): void {
  if (ifMatch === undefined || (ifMatch === '*' && head !== undefined) || ifMatch === head?.etag) return;
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
