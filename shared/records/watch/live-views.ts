import type { Container } from '@azure/cosmos';
import type { Clock } from '../../platform/clock.ts';
import { Coalesced } from '../../platform/coalesced.ts';
import { SkerryError, unavailable } from '../../platform/errors.ts';
import { recordAfter, type StoredRecord } from '../change.ts';
import { readAllRecords } from '../log/all-records.ts';
import type { Scope } from '../scope.ts';
import { ChangeFeed, type FeedPage, type FeedReader } from './change-feed.ts';
import type { FeedPosition } from './feed-position.ts';
import { readToEnd } from './read-to-end.ts';

/** What a process keeps in memory of the records of a namespace, to answer questions about all of them. */
export interface View {
  /** A record as it is now; the last that is told of a key holds. */
  put(scope: Scope, record: StoredRecord<unknown>): void;
  remove(scope: Scope, key: string): void;
  /** Of memory, about. */
  readonly bytes: number;
  /** Whether it takes no more, so that reading all records may end. */
  readonly isFull: boolean;
}

export interface LiveViewsOptions<Of extends View> {
  /** The Cosmos container `records`. */
  readonly container: Container;
  readonly clock: Clock;
  readonly kinds: readonly string[];
  readonly create: () => Of;
  /** Bytes of all views together; those that were not asked for the longest are dropped beyond it. */
  readonly maxBytes: number;
}

interface Building<Of extends View> {
  readonly view: Of;
  /** Keys that the feed has told of since the building began: it is what tells their newest state. */
  readonly told: Set<string>;
  readonly done: Promise<void>;
  /** Whether the feed was begun anew meanwhile. */
  isVoid: boolean;
}

/** Views that are kept, however small. */
const MAX_VIEWS = 100;
/** After so long without a question it is cheaper to begin anew; well before compaction may remove changes, in milliseconds. */
const FORGOTTEN_AFTER = 600_000;
/** Pages of the feed that are read for a question before beginning anew. */
const MAX_FEED_PAGES = 200;
/** How often a view may be lost while it is asked for. */
const MAX_TRIES = 4;

/**
 * Views of namespaces that are current whenever they are asked for, whoever wrote: made by one query over all records, and then kept
 * by the change feed of the container, which is read when somebody asks, once for all who do. Nothing is read meanwhile.
 */
export class LiveViews<Of extends View> {
  readonly #options: LiveViewsOptions<Of>;
  readonly #feed: ChangeFeed;
  readonly #catchUp = new Coalesced(() => this.#readFeed());
  /** In order of use, the most recent last. */
  readonly #views = new Map<string, Of>();
  readonly #building = new Map<string, Building<Of>>();
  #position: FeedPosition | undefined;
  #reader: FeedReader | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(options: LiveViewsOptions<Of>) {
    this.#options = options;
    this.#feed = new ChangeFeed(options.container, options.clock);
  }

  /**
   * The view of a namespace, as it was at some moment after this call began. To be used at once: it goes on changing.
   *
   * @throws SkerryError `unavailable`.
   */
  async current(ns: string): Promise<Of> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      await this.#catchUp.ask();
      const view = this.#views.get(ns);
      if (view !== undefined) {
        this.#views.delete(ns);
        this.#views.set(ns, view);
        this.#dropExcess(view);
        return view;
      }
      // What is written from here on is told by the feed, and what was written before is read.
      const { done } = this.#building.get(ns) ?? this.#begin(ns);
      await done;
    }
    throw unavailable('Too much changes at the moment for all of it to be looked through.');
  }

  #begin(ns: string): Building<Of> {
    const { promise: done, resolve, reject } = Promise.withResolvers<void>();
    const building = { view: this.#options.create(), told: new Set<string>(), done, isVoid: false };
    this.#building.set(ns, building);
    this.#build(ns, building).then(resolve, reject);
    return building;
  }

  async #build(ns: string, building: Building<Of>): Promise<void> {
    const { view, told } = building;
    try {
      for await (const page of readAllRecords(this.#options.container, ns, this.#options.kinds)) {
        for (const { scope, record } of page) {
          if (!told.has(record.key)) view.put(scope, record);
        }
        if (view.isFull || building.isVoid) break;
      }
      if (!building.isVoid) this.#views.set(ns, view);
    } finally {
      this.#building.delete(ns);
    }
  }

  async #readFeed(): Promise<void> {
    if (this.#position === undefined || this.#readAt < this.#options.clock.now() - FORGOTTEN_AFTER) {
      await this.#beginAnew();
      return;
    }
    const reader = this.#reader ?? this.#feed.from(this.#position);
    this.#reader = undefined;
    try {
      if (await readToEnd(this.#feed, reader, MAX_FEED_PAGES, (page) => this.#take(page))) {
        this.#reader = reader;
      } else {
        await this.#beginAnew();
      }
    } catch (error) {
      if (!(error instanceof SkerryError) || error.kind !== 'compacted') throw error;
      await this.#beginAnew();
    }
  }

  async #beginAnew(): Promise<void> {
    this.#views.clear();
    for (const building of this.#building.values()) building.isVoid = true;
    this.#reader = undefined;
    this.#position = undefined;
    const { position, askedAt } = await this.#feed.fromNow().read();
    this.#position = position;
    this.#readAt = askedAt;
  }

  #take({ changes, position, askedAt }: FeedPage): void {
    for (const { scope, change } of changes) {
      const building = this.#building.get(scope.ns);
      const view = building?.view ?? this.#views.get(scope.ns);
      if (view === undefined || !this.#options.kinds.includes(scope.kind)) continue;
      building?.told.add(change.key);
      const record = recordAfter(change);
      if (record === undefined) view.remove(scope, change.key);
      else view.put(scope, record);
    }
    this.#position = position;
    this.#readAt = askedAt;
  }

  #dropExcess(keep: Of): void {
    let bytes = [...this.#views.values()].reduce((sum, view) => sum + view.bytes, 0);
    for (const [ns, view] of this.#views) {
      if (bytes <= this.#options.maxBytes && this.#views.size <= MAX_VIEWS) return;
      if (view !== keep) {
        bytes -= view.bytes;
        this.#views.delete(ns);
      }
    }
  }
}
