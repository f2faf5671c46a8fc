import type { Container, JSONValue } from '@azure/cosmos';
import { askCosmos, COSMOS_STATUS, cosmosStatusOf } from '../../platform/ask-cosmos.ts';
import { queryAll } from '../../platform/cosmos-query.ts';
import { readCursor, writeCursor } from '../../platform/cursor.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import { type DeliveryDocument, fromDocument, type VersionedDelivery } from '../delivery/delivery-storage.ts';

export interface DeadLetterRequest {
  /** Only those of this subscription. */
  readonly subscription?: string | undefined;
  /** Deliveries of a page. */
  readonly limit: number;
  /** Cursor: the `next` of the page before. */
  readonly after?: string | undefined;
}

export interface DeadLetterPage {
  readonly deliveries: readonly VersionedDelivery[];
  /** Cursor of the next page; absent on the last one. */
  readonly next?: string;
}

/** The last delivery of a page. */
interface Place {
  readonly createdAt: string;
  readonly id: string;
}

type StoredDelivery = DeliveryDocument & { readonly _etag: string };

const CONCURRENT_REMOVALS = 16;

/** The Cosmos calls for deliveries that are dead, of all subscriptions of a namespace. All methods throw SkerryError `unavailable`. */
export class DeadLetterStorage {
  readonly #container: Container;

  /** @param container the Cosmos container `deliveries`. */
  constructor(container: Container) {
    this.#container = container;
  }

  /**
   * The newest first; of equal times by their ids, which no index orders: those of one time are read together.
   *
   * @throws SkerryError `invalid` when `after` is no cursor of such a listing.
   */
  async list(ns: string, { subscription, limit, after }: DeadLetterRequest): Promise<DeadLetterPage> {
    const place = after === undefined ? undefined : readCursor(after, takePlace);
    const query = (condition: string, createdAt: string | undefined, top = '') =>
      this.#query(ns, subscription, { condition, createdAt, top });

    const begun = place === undefined ? [] : await query('c.createdAt = @createdAt', place.createdAt);
    const rest = begun.filter(({ id }) => place !== undefined && id > place.id).sort(byId);
    const condition = place === undefined ? "c.createdAt > ''" : 'c.createdAt < @createdAt';
    const older = await query(condition, place?.createdAt, `TOP ${limit + 1}`);
    const oldest = older.length > limit ? older.at(-1) : undefined;
    const younger = older.filter(({ createdAt }) => createdAt !== oldest?.createdAt);
    const cut = oldest === undefined ? [] : await query('c.createdAt = @createdAt', oldest.createdAt);
    const found = [...rest, ...[...younger, ...cut].sort(byTimeAndId)];
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const goesOn = oldest !== undefined || found.length > limit;
    return {
      deliveries: page.map((document) => ({ delivery: fromDocument(document), etag: document._etag })),
      ...(last !== undefined && goesOn && { next: writeCursor([last.createdAt, last.id]) }),
    };
  }

  async read(ns: string, subscription: string, id: string): Promise<VersionedDelivery | undefined> {
    const { resource, etag } = await askCosmos((abortSignal) =>
      this.#container.item(id, subscription).read<DeliveryDocument>({ abortSignal }),
    );
    return resource?.ns === ns && resource.state === 'dead'
      ? { delivery: fromDocument(resource), etag }
      : undefined;
  }

  /** Removes what nobody changed since it was read. @returns how many. */
  async remove(dead: readonly VersionedDelivery[]): Promise<number> {
    const removals = await mapConcurrently(dead, CONCURRENT_REMOVALS, ({ delivery, etag }) =>
      askCosmos(async (abortSignal) => {
        try {
          const item = this.#container.item(delivery.id, delivery.subscription);
          await item.delete({ accessCondition: { type: 'IfMatch', condition: etag }, abortSignal });
          return 1;
        } catch (error) {
          if (GONE_OR_CHANGED.has(cosmosStatusOf(error))) {
            return 0;
          }
          throw error;
        }
      }),
    );
    return removals.reduce<number>((sum, count) => sum + count, 0);
  }

  async #query(
    ns: string,
    subscription: string | undefined,
    part: { readonly condition: string; readonly createdAt: string | undefined; readonly top: string },
  ): Promise<StoredDelivery[]> {
    const values: Record<string, JSONValue | undefined> = { ns, subscription, createdAt: part.createdAt };
    const conditions = ["c.state = 'dead'", 'c.ns = @ns', part.condition];
    if (subscription !== undefined) {
      conditions.push('c.subscription = @subscription');
    }
    return await queryAll<StoredDelivery>(
      this.#container,
      {
        query: `SELECT ${part.top} * FROM c WHERE ${conditions.join(' AND ')} ORDER BY c.createdAt DESC`,
        parameters: Object.entries(values).flatMap(([name, value]) =>
          value === undefined ? [] : [{ name: `@${name}`, value }],
        ),
      },
      subscription === undefined ? {} : { partitionKey: subscription },
    );
  }
}

const GONE_OR_CHANGED: ReadonlySet<number | undefined> = new Set([
  COSMOS_STATUS.notFound,
  COSMOS_STATUS.preconditionFailed,
]);

function byId(one: Place, other: Place): number {
  return one.id < other.id ? -1 : 1;
}

function byTimeAndId(one: Place, other: Place): number {
  return one.createdAt === other.createdAt ? byId(one, other) : one.createdAt > other.createdAt ? -1 : 1;
}

function takePlace([createdAt, id]: readonly unknown[]): Place | undefined {
  return typeof createdAt === 'string' && typeof id === 'string' ? { createdAt, id } : undefined;
}
