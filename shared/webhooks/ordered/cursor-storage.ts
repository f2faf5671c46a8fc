import type { Container, JSONObject, OperationInput } from '@azure/cosmos';
import { askCosmos, COSMOS_STATUS, unlessPreceded } from '../../platform/ask-cosmos.ts';
import { queryAll } from '../../platform/cosmos-query.ts';
import { unavailable } from '../../platform/errors.ts';
import type { Delivery } from '../delivery/delivery.ts';
import { toDocument, type VersionedDelivery } from '../delivery/delivery-storage.ts';
import { type Cursor, cursorId, type VersionedCursor } from './cursor.ts';

interface CursorDocument extends Cursor {
  readonly id: string;
  readonly schemaVersion: number;
}

const SCHEMA_VERSION = 1;

/**
 * The Cosmos calls for the cursors of ordered subscriptions, which stand in the partition of their deliveries. All methods
 * throw SkerryError `unavailable` when the database does not answer; a write may stand then.
 */
export class CursorStorage {
  readonly #container: Container;

  /** @param container the Cosmos container `deliveries`. */
  constructor(container: Container) {
    this.#container = container;
  }

  /** Stores a new cursor; undefined when there is one already. */
  async create(cursor: Cursor): Promise<VersionedCursor | undefined> {
    const response = await unlessPreceded(() => this.#container.items.create(toCursorDocument(cursor)));
    return response && { cursor, etag: response.etag };
  }

  async read(subscription: string, scope: string): Promise<VersionedCursor | undefined> {
    const { resource, etag, statusCode } = await askCosmos((abortSignal) =>
      this.#container.item(cursorId({ scope }), subscription).read<CursorDocument>({ abortSignal }),
    );
    return statusCode === COSMOS_STATUS.notFound || resource === undefined
      ? undefined
      : { cursor: fromCursorDocument(resource), etag, writtenAt: 1000 * resource._ts };
  }

  /** All cursors of a subscription, in no particular order. */
  async list(subscription: string): Promise<Cursor[]> {
    const documents = await queryAll<CursorDocument>(
      this.#container,
      { query: "SELECT * FROM c WHERE STARTSWITH(c.id, 'cursor:')", parameters: [] },
      { partitionKey: subscription },
    );
    return documents.map(fromCursorDocument);
  }

  /** Replaces a cursor that nobody changed since it was read; undefined when somebody did, or removed it. */
  async replace(known: VersionedCursor, cursor: Cursor): Promise<VersionedCursor | undefined> {
    const response = await unlessPreceded(() =>
      this.#container.item(cursorId(cursor), cursor.subscription).replace(toCursorDocument(cursor), {
        accessCondition: { type: 'IfMatch', condition: known.etag },
      }),
    );
    return response && { cursor, etag: response.etag };
  }

  /** Removes a cursor, unless somebody changed it since it was read. */
  async remove({ cursor, etag }: VersionedCursor): Promise<void> {
    await unlessPreceded(() =>
      this.#container
        .item(cursorId(cursor), cursor.subscription)
        .delete({ accessCondition: { type: 'IfMatch', condition: etag } }),
    );
  }

  /**
   * Writes a delivery and the cursor that moves by it, together or not at all.
   *
   * @param delivery.known as it was read; absent for a delivery that is stored for the first time.
   * @returns undefined when somebody changed one of them, or removed it.
   */
  async replaceWithDelivery(
    known: VersionedCursor,
    cursor: Cursor,
    delivery: { readonly known?: VersionedDelivery | undefined; readonly next: Delivery },
  ): Promise<VersionedCursor | undefined> {
    const operations: OperationInput[] = [
      delivery.known === undefined
        ? { operationType: 'Create', resourceBody: asJson(toDocument(delivery.next)) }
        : replaceOperation(delivery.next.id, toDocument(delivery.next), delivery.known.etag),
      replaceOperation(cursorId(cursor), toCursorDocument(cursor), known.etag),
    ];
    const results = await this.#batch(operations, cursor.subscription);
    const refusal = results.find(
      ({ statusCode }) => statusCode >= 400 && statusCode !== COSMOS_STATUS.failedDependency,
    );
    if (refusal === undefined) {
      return { cursor, etag: results[1]?.eTag ?? '' };
    }
    if (PRECEDED.has(refusal.statusCode)) {
      return undefined;
    }
    if (refusal.statusCode === COSMOS_STATUS.throttled || refusal.statusCode === COSMOS_STATUS.retryWith) {
      throw unavailable('The database is over its request limit at the moment.');
    }
    throw new Error(`Cosmos DB refused a delivery and its cursor with status ${refusal.statusCode}.`);
  }

  async #batch(operations: OperationInput[], subscription: string) {
    const { result } = await askCosmos(async (abortSignal) => {
      try {
        return await this.#container.items.batch(operations, subscription, { abortSignal });
      } catch (wrapped) {
        throw wrapped instanceof Error ? (wrapped.cause ?? wrapped) : wrapped; // `items.batch` hides status and code behind a plain Error.
      }
    });
    return result ?? [];
  }
}

const PRECEDED: ReadonlySet<number> = new Set([
  COSMOS_STATUS.conflict,
  COSMOS_STATUS.preconditionFailed,
  COSMOS_STATUS.notFound,
]);

function replaceOperation(id: string, document: object, ifMatch: string): OperationInput {
  return { operationType: 'Replace', id, resourceBody: asJson(document), ifMatch } as OperationInput;
}

function asJson(document: object): JSONObject {
  return document as JSONObject;
}

function toCursorDocument(cursor: Cursor): CursorDocument {
  return { id: cursorId(cursor), schemaVersion: SCHEMA_VERSION, ...cursor };
}

function fromCursorDocument(document: CursorDocument): Cursor {
  const { subscription, scope, revision, holder, heldUntil, blocker, blockedUntil } = document;
  return {
    subscription,
    scope,
    revision,
    ...(holder !== undefined && { holder }),
    ...(heldUntil !== undefined && { heldUntil }),
    ...(blocker !== undefined && { blocker }),
    ...(blockedUntil !== undefined && { blockedUntil }),
  };
}
