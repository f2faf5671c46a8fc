import type { Container, JSONValue, SqlParameter } from '@azure/cosmos';
import { askCosmos, COSMOS_STATUS, unlessPreceded } from '../../platform/ask-cosmos.ts';
import { queryAll } from '../../platform/cosmos-query.ts';
import { readCursor, writeCursor } from '../../platform/cursor.ts';
import { DELIVERY_PREFIX, type Delivery, type DeliveryState } from './delivery.ts';

/** A delivery as it was read, with what proves at the next write that nobody changed it meanwhile. */
export interface VersionedDelivery {
  readonly delivery: Delivery;
  readonly etag: string;
}

export interface DeliveryPageRequest {
  readonly state?: DeliveryState | undefined;
  /** Deliveries of a page. */
  readonly limit: number;
  /** Cursor: the `next` of the page before. */
  readonly after?: string | undefined;
}

/** A page of a subscription's deliveries, the newest first. */
export interface DeliveryListing {
  readonly deliveries: readonly Delivery[];
  /** Cursor of the next page; absent on the last one. */
  readonly next?: string;
}

export interface DeliveryDocument extends Delivery {
  readonly schemaVersion: number;
  /** Seconds until it is removed. */
  readonly ttl?: number;
}

const SCHEMA_VERSION = 1;

/** What is done expires; a change that the feed repeats after that would be delivered anew. */
const DONE_TTL_SECONDS = 30 * 24 * 60 * 60;

/** The Cosmos calls for deliveries. All methods throw SkerryError `unavailable` when the database does not answer. */
export class DeliveryStorage {
  readonly #container: Container;

  /** @param container the Cosmos container `deliveries`. */
  constructor(container: Container) {
    this.#container = container;
  }

  /** Stores a new delivery; undefined when it is known already. */
  async create(delivery: Delivery): Promise<VersionedDelivery | undefined> {
    const response = await unlessPreceded(() => this.#container.items.create(toDocument(delivery)));
    return response && { delivery, etag: response.etag };
  }

  async read(subscription: string, id: string): Promise<VersionedDelivery | undefined> {
    const { resource, etag, statusCode } = await askCosmos((abortSignal) =>
      this.#container.item(id, subscription).read<DeliveryDocument>({ abortSignal }),
    );
    return statusCode === COSMOS_STATUS.notFound || resource === undefined
      ? undefined
      : { delivery: fromDocument(resource), etag };
  }

  /** Replaces a delivery that nobody changed since it was read; undefined when somebody did, or removed it. */
  async replace(known: VersionedDelivery, delivery: Delivery): Promise<VersionedDelivery | undefined> {
    const response = await unlessPreceded(() =>
      this.#container
        .item(delivery.id, delivery.subscription)
        .replace(toDocument(delivery), { accessCondition: { type: 'IfMatch', condition: known.etag } }),
    );
    return response && { delivery, etag: response.etag };
  }

  /** @throws SkerryError `invalid` when `after` is no cursor of such a listing. */
  async list(subscription: string, { state, limit, after }: DeliveryPageRequest): Promise<DeliveryListing> {
    const cursor = after === undefined ? undefined : readCursor(after, takeCursor);
    // The partition also holds what is known of the endpoint.
    const conditions = ['c.subscription = @subscription', 'STARTSWITH(c.id, @deliveries)'];
    const parameters: SqlParameter[] = [
      { name: '@subscription', value: subscription },
      { name: '@deliveries', value: DELIVERY_PREFIX },
    ];
    const add = (condition: string, name: string, value: JSONValue) => {
      conditions.push(condition);
      parameters.push({ name, value });
    };
    if (state !== undefined) {
      add('c.state = @state', '@state', state);
    }
    if (cursor !== undefined) {
      add('c.createdAt <= @createdAt', '@createdAt', cursor.createdAt);
    }
    const seen = cursor?.seen ?? 0;
    const query = `SELECT TOP ${seen + limit + 1} * FROM c WHERE ${conditions.join(' AND ')} ORDER BY c.createdAt DESC`;
    const resources = await queryAll<DeliveryDocument>(
      this.#container,
      { query, parameters },
      { partitionKey: subscription },
    );
    const deliveries = resources.slice(seen, seen + limit).map(fromDocument);
    const last = deliveries.at(-1);
    if (last === undefined || resources.length <= seen + limit) {
      return { deliveries };
    }
    const withEqualTime = resources
      .slice(0, seen + limit)
      .filter(({ createdAt }) => createdAt === last.createdAt);
    return { deliveries, next: writeCursor([last.createdAt, withEqualTime.length]) };
  }

  /** Of the oldest deliveries of a subscription that are held what a replay needs. */
  async held(subscription: string, limit: number): Promise<Pick<Delivery, 'id' | 'replays'>[]> {
    const query = `SELECT TOP ${limit} c.id, c.replays FROM c WHERE c.state = 'held' ORDER BY c.createdAt`;
    return await queryAll(this.#container, { query, parameters: [] }, { partitionKey: subscription });
  }

  /** Deliveries of a subscription that are not done, in no particular order. */
  async unfinished(subscription: string, limit: number): Promise<VersionedDelivery[]> {
    const query = `SELECT TOP ${limit} * FROM c WHERE c.state IN ('pending', 'held')`;
    const documents = await queryAll<DeliveryDocument & { readonly _etag: string }>(
      this.#container,
      { query, parameters: [] },
      { partitionKey: subscription },
    );
    return documents.map((document) => ({ delivery: fromDocument(document), etag: document._etag }));
  }

  /** How many deliveries of a subscription are in a state. */
  async count(subscription: string, state: DeliveryState): Promise<number> {
    const query = 'SELECT VALUE COUNT(1) FROM c WHERE c.subscription = @subscription AND c.state = @state';
    const parameters = [
      { name: '@subscription', value: subscription },
      { name: '@state', value: state },
    ];
    const counts = await queryAll<number>(
      this.#container,
      { query, parameters },
      { partitionKey: subscription },
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Of the newest deliveries of a subscription what tells how they went. */
  async latest(
    subscription: string,
    limit: number,
  ): Promise<Pick<Delivery, 'state' | 'createdAt' | 'attempts'>[]> {
    const query = `SELECT TOP ${limit} c.state, c.createdAt, c.attempts FROM c WHERE c.createdAt > '' ORDER BY c.createdAt DESC`;
    return await queryAll(this.#container, { query, parameters: [] }, { partitionKey: subscription });
  }
}

/** Where a page ends: a time, and how many deliveries of exactly that time stood on the pages so far. */
interface Cursor {
  readonly createdAt: string;
  readonly seen: number;
}

function takeCursor([createdAt, seen]: readonly unknown[]): Cursor | undefined {
  return typeof createdAt === 'string' && typeof seen === 'number' && seen > 0 && seen <= MAX_SEEN
    ? { createdAt, seen: Math.floor(seen) }
    : undefined;
}

/** Deliveries of one subscription within one millisecond; a cursor that claims more was made up. */
const MAX_SEEN = 100_000;

/** A delivery as it is stored, for those who write it together with something else. */
export function toDocument(delivery: Delivery): DeliveryDocument {
  const isDone = delivery.state === 'delivered' || delivery.state === 'dead';
  return { ...delivery, schemaVersion: SCHEMA_VERSION, ...(isDone && { ttl: DONE_TTL_SECONDS }) };
}

/** Leaves out what is the document's and not the delivery's. */
export function fromDocument(document: DeliveryDocument): Delivery {
  const { id, subscription, ns, scope, revision, key, state, reason, createdAt, attempts } = document;
  const { replays, earlierAttempts, lastResponse, nextAt } = document;
  return {
    id,
    subscription,
    ns,
    scope,
    revision,
    key,
    state,
    ...(reason !== undefined && { reason }),
    createdAt,
    attempts,
    ...(replays !== undefined && { replays }),
    ...(earlierAttempts !== undefined && { earlierAttempts }),
    ...(lastResponse !== undefined && { lastResponse }),
    ...(nextAt !== undefined && { nextAt }),
  };
}
