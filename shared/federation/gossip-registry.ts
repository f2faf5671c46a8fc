import type { Author } from '../platform/http/index.ts';
import type { Decision, Records, Scope, StoredRecord } from '../records/index.ts';
import type { GossipEntry } from './gossip-entry.ts';

/** Gossip knows no namespaces. */
const SCOPE: Scope = { ns: 'default', kind: 'reg', name: '' };

/** Writes under way at a time: enough to fill the log's batches, few enough that none waits long for its turn. */
const MAX_CONCURRENT_WRITES = 200;

/**
 * The list of nodes that gossip spreads. Entries are merged, never replaced: a node's `lastUpdate` only rises, its name
 * stays what it was first called, and nothing expires; how old `lastUpdate` is, is for the reader to judge.
 */
export class GossipRegistry {
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
  }

  /** All nodes in the order of their addresses. */
  async list(): Promise<readonly GossipEntry[]> {
    const { records } = await this.#records.listAll<GossipEntry>(SCOPE);
    return records.map(({ value }) => value);
  }

  /** Adds a node, or raises its `lastUpdate` where the entry is newer than what is known; else does nothing. */
  async register(entry: GossipEntry, { actor, traceparent }: Author): Promise<void> {
    await this.#records.commit<GossipEntry>(SCOPE, {
      key: `/reg/${entry.address}`,
      actor,
      traceparent,
      decide: (current) => merge(entry, current),
    });
  }

  /**
   * Registers many nodes. Most of a pushed list is known already, and because entries never age, what a listing shows
   * to be no news needs no write.
   *
   * @throws SkerryError `unavailable`, in which case some entries may stand; repeating the call does no harm.
   */
  async registerAll(entries: readonly GossipEntry[], author: Author): Promise<void> {
    const known = new Map((await this.list()).map((entry) => [entry.address, entry]));
    const news = entries.filter((entry) => isNews(entry, known.get(entry.address)));
    for (let start = 0; start < news.length; start += MAX_CONCURRENT_WRITES) {
      const portion = news.slice(start, start + MAX_CONCURRENT_WRITES);
      await Promise.all(portion.map((entry) => this.register(entry, author)));
    }
  }
}

function merge(entry: GossipEntry, current: StoredRecord<GossipEntry> | undefined): Decision<GossipEntry> {
  if (!isNews(entry, current?.value)) {
    return { type: 'keep' };
  }
  return { type: 'put', value: { ...entry, appName: current?.value.appName ?? entry.appName } };
}

function isNews(entry: GossipEntry, known: GossipEntry | undefined): boolean {
  return known === undefined || entry.lastUpdate > known.lastUpdate;
}
