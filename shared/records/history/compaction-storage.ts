import type { Container, OperationInput } from '@azure/cosmos';
import { askCosmos, COSMOS_STATUS, unlessPreceded } from '../../platform/ask-cosmos.ts';
import { queryAll } from '../../platform/cosmos-query.ts';
import { unavailable } from '../../platform/errors.ts';
import {
  changeDocumentId,
  HEAD_ID,
  type HeadDocument,
  type RecordDocument,
  recordDocumentId,
  toHeadDocument,
} from '../documents.ts';
import { parseScopeId, type Scope, scopeId } from '../scope.ts';
import { type Head, NEVER_COMPACTED } from './head.ts';

/** A head as it was read, with the entity tag that writing it needs. */
export interface StoredHead {
  readonly head: Head;
  /** Whether changes up to `compactedTo` may still have to be removed. */
  readonly mustRemove: boolean;
  /** Absent where there is no head document yet. */
  readonly etag?: string;
}

/** What is known of a change that is to be removed. */
export interface RemovableChange {
  readonly revision: number;
  readonly key: string;
  /** Whether the change left a tombstone behind. */
  readonly endsRecord: boolean;
  /** When it was written by the clock of its writer (RFC 3339), and by that of the database (seconds since the Unix epoch). */
  readonly at: string;
  readonly storedAt: number;
}

/** The Cosmos calls of compaction, each one operation. All throw SkerryError `unavailable`. */
export class CompactionStorage {
  readonly #container: Container;
  readonly #scope: Scope;
  readonly #partition: string;

  constructor(container: Container, scope: Scope) {
    this.#container = container;
    this.#scope = scope;
    this.#partition = scopeId(scope);
  }

  async readHead(): Promise<StoredHead> {
    const { resource, statusCode } = await askCosmos((abortSignal) =>
      this.#container.item(HEAD_ID, this.#partition).read<HeadDocument>({ abortSignal }),
    );
    if (statusCode === COSMOS_STATUS.notFound || resource === undefined) {
      return { head: NEVER_COMPACTED, mustRemove: false };
    }
    const { compactedTo, compactedUntil, revision, _etag } = resource;
    return { head: { compactedTo, compactedUntil }, mustRemove: revision !== undefined, etag: _etag };
  }

  /** Replaces the head as it was read. @returns false when it has been written since. */
  async writeHead({ etag }: StoredHead, head: Head, mustRemove: boolean): Promise<boolean> {
    const document = toHeadDocument(this.#scope, head, mustRemove);
    const written = await unlessPreceded(() =>
      etag === undefined
        ? this.#container.items.create(document)
        : this.#container
            .item(HEAD_ID, this.#partition)
            .replace(document, { accessCondition: { type: 'IfMatch', condition: etag } }),
    );
    return written !== undefined;
  }

  /** The first change after `above` and up to `upTo` that was written at `horizon` (RFC 3339) or later; undefined where all are older. */
  async readFirstSince(horizon: string, above: number, upTo: number): Promise<number | undefined> {
    const [first] = await queryAll<number>(
      this.#container,
      {
        query:
          "SELECT TOP 1 VALUE c.revision FROM c WHERE c.type = 'change' AND c.revision > @above AND c.revision <= @upTo AND c.at >= @horizon ORDER BY c.revision",
        parameters: [
          { name: '@above', value: above },
          { name: '@upTo', value: upTo },
          { name: '@horizon', value: horizon },
        ],
      },
      { partitionKey: this.#partition },
    );
    return first;
  }

  /** The oldest changes that are there, up to a revision. */
  async readOldest(upTo: number, limit: number): Promise<RemovableChange[]> {
    return await queryAll<RemovableChange>(
      this.#container,
      {
        query: `SELECT TOP ${limit} c.revision, c.key, NOT IS_DEFINED(c["value"]) AS endsRecord, c.at, c._ts AS storedAt FROM c WHERE c.type = 'change' AND c.revision <= @upTo ORDER BY c.revision`,
        parameters: [{ name: '@upTo', value: upTo }],
      },
      { partitionKey: this.#partition, maxItemCount: limit },
    );
  }

  /** Removes the tombstone of a key, if there still is one and it is of this revision or an older one. */
  async removeTombstone(key: string, revision: number): Promise<void> {
    const item = this.#container.item(recordDocumentId(key), this.#partition);
    const { resource, statusCode } = await askCosmos((abortSignal) =>
      item.read<RecordDocument<unknown>>({ abortSignal }),
    );
    if (
      statusCode === COSMOS_STATUS.notFound ||
      resource === undefined ||
      resource.value !== undefined ||
      resource.revision > revision
    ) {
      return;
    }
    await unlessPreceded(() =>
      item.delete({ accessCondition: { type: 'IfMatch', condition: resource._etag } }),
    );
  }

  /**
   * Removes changes, all or none.
   *
   * @returns the request units that it took; undefined when one of them was gone already.
   */
  async removeChanges(revisions: readonly number[]): Promise<number | undefined> {
    const operations: OperationInput[] = revisions.map((revision) => ({
      operationType: 'Delete',
      id: changeDocumentId(revision),
    }));
    const results = await askCosmos(async (abortSignal) => {
      try {
        const { result } = await this.#container.items.batch(operations, this.#partition, { abortSignal });
        return result ?? [];
      } catch (wrapped) {
        throw wrapped instanceof Error ? (wrapped.cause ?? wrapped) : wrapped; // `items.batch` hides status and code behind a plain Error.
      }
    });
    const fault = results.find(
      ({ statusCode }) => statusCode >= 400 && statusCode !== COSMOS_STATUS.failedDependency,
    );
    if (fault === undefined) {
      return results.reduce((sum, { requestCharge }) => sum + requestCharge, 0);
    }
    if (fault.statusCode === COSMOS_STATUS.notFound) {
      return undefined;
    }
    throw unavailable(`The database refused to remove changes, with status ${fault.statusCode}.`);
  }
}

/**
 * Scopes that may have something to compact: those with a milestone before `horizon` (RFC 3339), and those where changes were cut
 * off and may not be removed yet. Both come from the index alone; a scope that keeps old changes because they are few comes again
 * each time, and is found out by two small reads.
 */
export async function findCompactable(container: Container, horizon: string): Promise<Scope[]> {
  const [aged, begun] = await Promise.all([
    queryAll<string>(container, {
      query: 'SELECT VALUE c.scope FROM c WHERE c.milestone < @horizon',
      parameters: [{ name: '@horizon', value: horizon }],
    }),
    queryAll<string>(container, {
      query: "SELECT VALUE c.scope FROM c WHERE c.type = 'head' AND c.revision > 0",
      parameters: [],
    }),
  ]);
  return [...new Set([...aged, ...begun])].map(parseScopeId);
}
