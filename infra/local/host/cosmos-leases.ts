import type { Container, FeedRange } from '@azure/cosmos';

/** How far a listener has come in one range of the change feed, as it is stored. */
export interface Lease {
  readonly id: string;
  readonly feedRange: FeedRange;
  /** The SDK's own token; absent until something was read. */
  readonly continuation: string | undefined;
}

interface LeaseDocument {
  readonly id: string;
  /** The extension accepts lease containers that are partitioned by either property. */
  readonly partitionKey: string;
  readonly feedRange: FeedRange;
  readonly continuationToken?: string | undefined;
  readonly timestamp: string;
}

/** The leases of one trigger in its lease container. */
export class CosmosLeases {
  readonly #container: Container;
  readonly #prefix: string;

  /** Leases of several triggers share a container as long as their prefixes differ. */
  constructor(container: Container, prefix: string) {
    this.#container = container;
    // What Cosmos DB forbids in an id, and resource ids contain.
    this.#prefix = prefix.replaceAll(/[/\\?#]/g, '-');
  }

  /**
   * The stored leases as they are if they cover the whole feed, else one for each of `ranges`. A container whose
   * ranges have split keeps its old leases: their tokens lead on into the new ranges. A lease that has no token yet
   * must take its range from `ranges`, because the SDK reads only from ranges that it made itself.
   */
  async load(ranges: readonly FeedRange[]): Promise<Lease[]> {
    const stored = await this.#readAll();
    if (stored.every(({ continuation }) => continuation !== undefined) && coverEverything(stored)) {
      return stored;
    }
    const storedById = new Map(stored.map((lease) => [lease.id, lease]));
    return ranges.map((feedRange) => {
      const id = `${this.#prefix}..${feedRange.minInclusive}-${feedRange.maxExclusive}`;
      return { id, feedRange, continuation: storedById.get(id)?.continuation };
    });
  }

  async save({ id, feedRange, continuation }: Lease): Promise<void> {
    await this.#container.items.upsert<LeaseDocument>({
      id,
      partitionKey: id,
      feedRange,
      continuationToken: continuation,
      timestamp: new Date().toISOString(),
    });
  }

  async #readAll(): Promise<Lease[]> {
    const query = {
      query: 'SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)',
      parameters: [{ name: '@prefix', value: `${this.#prefix}..` }],
    };
    const { resources } = await this.#container.items.query<LeaseDocument>(query).fetchAll();
    return resources.map(({ id, feedRange, continuationToken }) => ({
      id,
      feedRange,
      continuation: continuationToken,
    }));
  }
}

/** Whether leases reach from the lowest effective partition key to the highest without a gap. */
function coverEverything(leases: readonly Lease[]): boolean {
  let reached = '';
  const byStart = leases.map(({ feedRange }) => feedRange);
  byStart.sort((left, right) => (left.minInclusive < right.minInclusive ? -1 : 1));
  for (const { minInclusive, maxExclusive } of byStart) {
    if (minInclusive > reached) return false;
    if (maxExclusive > reached) reached = maxExclusive;
  }
  return reached === 'FF';
}
