import type { Container, FeedOptions, ItemDefinition, SqlQuerySpec } from '@azure/cosmos';
import { askCosmos, COSMOS_STATUS, unlessPreceded } from '../../platform/ask-cosmos.ts';
import { queryPages } from '../../platform/cosmos-query.ts';
import { encodeKey } from '../key.ts';
import { parseScopeId, type Scope, scopeId } from '../scope.ts';
import type { Lease } from './lease.ts';

/** A lease as it was read or written, with the entity tag that a conditional write of it needs. */
export interface StoredLease {
  readonly scope: Scope;
  readonly lease: Lease;
  readonly etag: string;
}

interface LeaseDocument extends Lease {
  readonly id: string;
  readonly scope: string;
}

const PAGE_SIZE = 1000;

/** The Cosmos calls for leases: each method is one operation. All throw SkerryError `unavailable`. */
export class LeaseStorage {
  readonly #container: Container;

  constructor(container: Container) {
    this.#container = container;
  }

  async read(scope: Scope, key: string): Promise<StoredLease | undefined> {
    const { resource, statusCode } = await askCosmos((abortSignal) =>
      this.#container.item(encodeKey(key), scopeId(scope)).read<LeaseDocument>({ abortSignal }),
    );
    return statusCode === COSMOS_STATUS.notFound || resource === undefined
      ? undefined
      : fromDocument(resource, resource._etag);
  }

  async readScope(scope: Scope): Promise<StoredLease[]> {
    return await this.#query(
      { query: 'SELECT * FROM c', parameters: [] },
      { partitionKey: scopeId(scope) },
      Number.POSITIVE_INFINITY,
    );
  }

  /** Leases of all scopes with `expiresAt` up to `now`, in no particular order, about `limit` of them at most. */
  async readDue(now: number, limit: number): Promise<StoredLease[]> {
    return await this.#query(
      {
        query: 'SELECT * FROM c WHERE c.expiresAt <= @now',
        parameters: [{ name: '@now', value: now }],
      },
      {},
      limit,
    );
  }

  /** Creates a lease where there is none; undefined when there is one. */
  async create(scope: Scope, lease: Lease): Promise<StoredLease | undefined> {
    const response = await unlessPreceded(() => this.#container.items.create(toDocument(scope, lease)));
    return response && { scope, lease, etag: response.etag };
  }

  /** Replaces a lease as it was read; undefined when it has been written or removed since. */
  async replace(stored: StoredLease, lease: Lease): Promise<StoredLease | undefined> {
    const { scope } = stored;
    const response = await unlessPreceded(() =>
      this.#item(stored).replace(toDocument(scope, lease), ifMatch(stored)),
    );
    return response && { scope, lease, etag: response.etag };
  }

  /** Removes a lease as it was read, unless it has been written since. */
  async remove(stored: StoredLease): Promise<void> {
    await unlessPreceded(() => this.#item(stored).delete(ifMatch(stored)));
  }

  #item({ scope, lease }: StoredLease) {
    return this.#container.item(encodeKey(lease.key), scopeId(scope));
  }

  async #query(specification: SqlQuerySpec, options: FeedOptions, limit: number): Promise<StoredLease[]> {
    const pages = queryPages<LeaseDocument & ItemDefinition>(this.#container, specification, {
      ...options,
      maxItemCount: PAGE_SIZE,
    });
    const found: StoredLease[] = [];
    for await (const page of pages) {
      for (const document of page) {
        found.push(fromDocument(document, String(document._etag)));
      }
      if (found.length >= limit) {
        break;
      }
    }
    return found;
  }
}

function ifMatch({ etag }: StoredLease) {
  return { accessCondition: { type: 'IfMatch', condition: etag } };
}

function toDocument(scope: Scope, lease: Lease): LeaseDocument {
  return { id: encodeKey(lease.key), scope: scopeId(scope), ...lease };
}

function fromDocument(document: LeaseDocument, etag: string): StoredLease {
  const { key, state, ttl, expiresAt, renewedAt, recordRevision } = document;
  return {
    scope: parseScopeId(document.scope),
    lease: {
      key,
      state,
      ...(ttl !== undefined && { ttl }),
      ...(expiresAt !== undefined && { expiresAt }),
      renewedAt,
      ...(recordRevision !== undefined && { recordRevision }),
    },
    etag,
  };
}
