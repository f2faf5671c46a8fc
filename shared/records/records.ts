import type { Container } from '@azure/cosmos';
import type { Clock } from '../platform/clock.ts';
import { queryAll } from '../platform/cosmos-query.ts';
import type { Random } from '../platform/random.ts';
import { RecentMap } from '../platform/recent-map.ts';
import { countLookup } from '../platform/telemetry/index.ts';
import type { Change, StoredRecord } from './change.ts';
import type { Head } from './history/head.ts';
import { type HistoryPage, type HistoryRequest, readHistory, readRecordAt } from './history/history.ts';
import { checkKey } from './key.ts';
import { type ExpirySummary, expireLapsed } from './leases/expiry-sweep.ts';
import { Lifetimes } from './leases/lifetimes.ts';
import { leaseIsOver, type SessionLeases } from './leases/session-leases.ts';
import { CommitQueue } from './log/commit-queue.ts';
import { type ListedPage, type ListedRequest, readListed } from './log/listed.ts';
import {
  isPinned,
  type Listing,
  listAllPages,
  listFromSnapshot,
  listFromStorage,
  type PageRequest,
  type WholeListing,
} from './log/listing.ts';
import { LogStorage } from './log/log-storage.ts';
import { RecentChanges } from './log/recent-changes.ts';
import { ScopeState, type SnapshotLimits } from './log/scope-state.ts';
import { parseScopeId, type Scope, scopeId } from './scope.ts';
import type { Commit, CommitSet, Decisions, Write, WriteSet } from './write.ts';

const SNAPSHOT_LIMITS: SnapshotLimits = { records: 5_000, bytes: 16 * 1024 * 1024 };
/** Bytes of snapshots that a process holds; the least recently used are dropped beyond it. */
const MAX_SNAPSHOT_BYTES = 256 * 1024 * 1024;
/** Namespaces and kinds whose scopes a process remembers; callers choose the namespaces. */
const MAX_SCOPE_LISTS = 1_000;
/** Bytes of single changes that a process holds for those who read them again. */
const MAX_CHANGE_BYTES = 16 * 1024 * 1024;
/** Scopes whose position a process remembers. */
const MAX_SCOPES = 10_000;

export interface RecordsOptions {
  /** The Cosmos container `records`. */
  readonly container: Container;
  readonly clock: Clock;
  readonly random: Random;
  readonly snapshotLimits?: SnapshotLimits;
  /** May be left out where no record is attached to a lease. */
  readonly sessions?: SessionLeases;
}

export interface ListOptions extends PageRequest {
  /** Seconds that the answer may be old; without it, it is proven current. */
  readonly maxAgeSeconds?: number | undefined;
}

interface ScopeLog {
  readonly storage: LogStorage;
  readonly state: ScopeState<unknown>;
  readonly lifetimes: Lifetimes;
  readonly queue: CommitQueue<unknown>;
  /** How many rely on it being kept. */
  followers: number;
}

/** A scope whose log this process keeps at hand until it is released. */
export interface FollowedScope {
  readonly storage: LogStorage;
  readonly state: ScopeState<unknown>;
  release(): void;
}

type ChangeListener = (scope: Scope, change: Change<unknown>) => void;

/**
 * Every record of Skerry: reads, listings and writes of the values of a scope, which the log keeps in total order.
 * All methods throw SkerryError `unavailable` when the database does not answer.
 */
export class Records {
  readonly #options: RecordsOptions & { readonly snapshotLimits: SnapshotLimits };
  /** In order of use, the most recent last. */
  readonly #logs = new Map<string, ScopeLog>();
  readonly #listeners: ChangeListener[] = [];
  readonly #recentChanges = new RecentChanges(MAX_CHANGE_BYTES);
  readonly #scopeLists = new RecentMap<string, { scopes: readonly Scope[]; readAt: number }>(MAX_SCOPE_LISTS);

  constructor(options: RecordsOptions) {
    this.#options = { snapshotLimits: SNAPSHOT_LIMITS, ...options };
  }

  /**
   * The newest state of one record; undefined where there is none, or it has lapsed. By one strong point read, or from memory
   * where the scope is held there: all who ask at a time share its proof.
   */
  async get<Value>(scope: Scope, key: string): Promise<StoredRecord<Value> | undefined> {
    const { storage, state, queue, lifetimes } = this.#open(scope);
    const isAtHand = state.snapshot !== undefined && !queue.busy;
    if (isAtHand) await state.prove();
    const snapshot = isAtHand ? state.snapshot : undefined;
    countLookup('snapshot', snapshot !== undefined);
    const record = snapshot === undefined ? await storage.readRecord<Value>(key) : snapshot.get(key);
    return (
      record &&
      (await lifetimes.hideGone(false, (isGone) =>
        isGone(record) ? undefined : (record as StoredRecord<Value>),
      ))
    );
  }

  /**
   * The change with a revision, by one point read unless it was read a moment ago; undefined when the scope has not reached it, or the
   * log no longer has it.
   */
  async readChange<Value>(scope: Scope, revision: number): Promise<Change<Value> | undefined> {
    const change = await this.#recentChanges.get(scopeId(scope), revision, () =>
      new LogStorage(this.#options.container, scope).readChange(revision),
    );
    return change as Change<Value> | undefined;
  }

  /** The oldest changes of a scope above one revision, and up to another, in order, as far as the log has them; by one query. */
  async changes<Value>(
    scope: Scope,
    range: { readonly above: number; readonly upTo?: number; readonly limit?: number },
  ): Promise<readonly Change<Value>[]> {
    const changes: Change<Value>[] = [];
    for await (const page of new LogStorage(this.#options.container, scope).readChangePages<Value>(range)) {
      changes.push(...page);
    }
    for (const change of changes) this.#recentChanges.put(scopeId(scope), change);
    return changes;
  }

  /**
   * One record as the log has it at a revision of the scope; undefined when there was none.
   *
   * @throws SkerryError `compacted` when that is gone; `invalid` when the scope has not reached the revision.
   */
  async getAt<Value>(scope: Scope, key: string, revision: number): Promise<StoredRecord<Value> | undefined> {
    return await readRecordAt(this.#open(scope).storage, await this.position(scope), { key, revision });
  }

  /**
   * A page of the scope's changes, as far as they are not compacted.
   *
   * @throws SkerryError `invalid` when `after` is no cursor of such a page.
   */
  async history<Value>(scope: Scope, request: HistoryRequest): Promise<HistoryPage<Value>> {
    return await readHistory(this.#open(scope).storage, await this.position(scope), request);
  }

  /** How far a scope is compacted. What was read before this is right only above its `compactedTo`. */
  async head(scope: Scope): Promise<Head> {
    return await this.#open(scope).storage.readHead();
  }

  /**
   * A page of the scope's records in key order: from memory alone where `maxAgeSeconds` allows it, else proven current
   * by one point read; by queries for a scope that is too large to be held in memory, and for a revision of the past, which is
   * shown as the log has it: with what was about to lapse.
   *
   * @throws SkerryError `invalid` when `after` is no cursor of a listing, or the scope has not reached the revision; `compacted`
   *   when the state at the revision is gone.
   */
  async list<Value>(scope: Scope, options: ListOptions = {}): Promise<Listing<Value>> {
    const { storage, state, lifetimes } = this.#open(scope);
    if (options.revision !== undefined) {
      const position = await this.position(scope);
      return { ...(await listFromStorage<Value>(storage, position, options, () => false)), ageSeconds: 0 };
    }
    const oldest = this.#options.clock.now() - 1000 * (options.maxAgeSeconds ?? -1);
    const needsStorage = isPinned(options);
    countLookup('snapshot', state.snapshot !== undefined && !needsStorage);
    if (state.snapshot === undefined || needsStorage || state.provenAt < oldest) {
      const askedAt = this.#options.clock.now();
      if (state.snapshot === undefined && (await state.loadedSnapshot()) !== undefined) {
        this.#dropExcessSnapshots(state);
      }
      // What was loaded since is proven, as a rule.
      if (state.provenAt <= askedAt) {
        await state.prove();
      }
    }
    const ageSeconds = Math.max(0, Math.floor((this.#options.clock.now() - state.provenAt) / 1000));
    const snapshot = needsStorage ? undefined : state.snapshot;
    const listing = await lifetimes.hideGone(options.maxAgeSeconds !== undefined, async (isGone) =>
      snapshot === undefined
        ? await listFromStorage(storage, await state.knownPosition(), options, isGone)
        : listFromSnapshot(snapshot, options, isGone),
    );
    return { ...(listing as Omit<Listing<Value>, 'ageSeconds'>), ageSeconds };
  }

  /** All pages of `list`, with the revision and the age of the first. */
  async listAll<Value>(
    scope: Scope,
    options: Omit<ListOptions, 'after' | 'limit'> = {},
  ): Promise<WholeListing<Value>> {
    return await listAllPages((after) => this.list<Value>(scope, { ...options, after }));
  }

  /**
   * A page of the records of a kind that carry `listed`, of all scopes and in its order, by one query over all of them: each is as it
   * is when it is read, and what is written between two pages is on the second if it comes behind the first.
   *
   * @throws SkerryError `invalid` when `after` is no cursor of such a listing.
   */
  async listed<Value>(ns: string, kind: string, request: ListedRequest<Value>): Promise<ListedPage<Value>> {
    const { container, clock, sessions } = this.#options;
    return await readListed(container, { ns, kind }, request, ({ scope, record }) =>
      new Lifetimes(scope, clock, sessions).hideGone(false, (isGone) => !isGone(record)),
    );
  }

  /**
   * Writes one key, decided on its newest state.
   *
   * @throws SkerryError whatever the decision threw; `invalid` for a malformed key; `too-large` for a value over 384 KiB.
   */
  async commit<Value>(scope: Scope, write: Write<Value>): Promise<Commit<Value>> {
    const { key, actor, traceparent } = write;
    const { commits } = await this.transact<Value>(scope, {
      keys: [key],
      actor,
      traceparent,
      decide: (current) => ({ writes: [{ key, decision: write.decide(current.get(key)) }] }),
    });
    const commit = commits.get(key);
    if (commit === undefined) {
      throw new Error(`The write of ${key} ended without an outcome.`);
    }
    return commit;
  }

  /**
   * Writes several keys of a scope together or not at all, decided on their newest state: one revision each change, in one
   * batch. There are at most 49 changes and 1.5 MB in it, where each new value counts twice and each that it replaces once.
   *
   * @throws SkerryError whatever the decision threw; `invalid` for a malformed key; `too-large` for a value over 384 KiB, and
   *   for values that are too large together; `unprocessable` for more than 49 changes.
   */
  async transact<Value, Decided extends Decisions<Value> = Decisions<Value>>(
    scope: Scope,
    writes: WriteSet<Value, Decided>,
  ): Promise<CommitSet<Value, Decided>> {
    writes.keys.forEach(checkKey);
    const outcome = await this.#open(scope).queue.submit(writes as WriteSet<unknown>);
    return outcome as CommitSet<Value, Decided>;
  }

  /** Those of the records that have not come to their end. */
  async alive<Value>(
    scope: Scope,
    records: readonly StoredRecord<Value>[],
  ): Promise<readonly StoredRecord<Value>[]> {
    const { lifetimes } = this.#open(scope);
    return await lifetimes.hideGone(false, (isGone) => records.filter((record) => !isGone(record)));
  }

  /**
   * Makes sure that records may be attached to these session leases; to be asked before each write that does so (session-leases.ts, rule 2).
   *
   * @throws SkerryError `not-found` when one is over, or never was.
   */
  async checkLeases(scope: Scope, leases: readonly string[]): Promise<void> {
    await Promise.all(
      [...new Set(leases)].map(async (id) => {
        if ((await this.#options.sessions?.find(scope, id)) === undefined) {
          throw leaseIsOver(id);
        }
      }),
    );
  }

  /** Keys of the records that are attached to a session lease, alive or not, in order; by a query. */
  async attachedKeys(scope: Scope, lease: string): Promise<string[]> {
    return await new LogStorage(this.#options.container, scope).readAttachedKeys(lease);
  }

  /**
   * Writes an `expire` change for each record, of all scopes, whose `expiresAt` has passed; see `expireLapsed`.
   *
   * @param limit records that are taken up.
   */
  async expireLapsed(limit: number): Promise<ExpirySummary> {
    const { container, clock } = this.#options;
    return await expireLapsed(
      { container, clock, commit: (scope, write) => this.commit(scope, write) },
      limit,
    );
  }

  /** The newest revision of a scope, proven after this call began; 0 for a scope that was never written. */
  async position(scope: Scope): Promise<number> {
    const { state } = this.#open(scope);
    await state.prove();
    return state.position ?? 0;
  }

  /**
   * The scopes of a kind that have records, or had some, by a query over record documents.
   *
   * @param options.maxAgeSeconds seconds that the answer may be old; without it, it is asked anew.
   */
  async scopes(
    ns: string,
    kind: string,
    options: { readonly maxAgeSeconds?: number | undefined } = {},
  ): Promise<{ scopes: readonly Scope[]; ageSeconds: number }> {
    const now = this.#options.clock.now();
    const known = this.#scopeLists.get(`${ns}:${kind}`);
    if (known !== undefined && known.readAt >= now - 1000 * (options.maxAgeSeconds ?? -1)) {
      return { scopes: known.scopes, ageSeconds: Math.floor((now - known.readAt) / 1000) };
    }
    const scopes = await this.#queryScopes('c.ns = @ns AND c.kind = @kind', { ns, kind });
    this.#scopeLists.set(`${ns}:${kind}`, { scopes, readAt: now });
    return { scopes, ageSeconds: 0 };
  }

  /** The scopes of a kind in all namespaces, asked anew. */
  async scopesEverywhere(kind: string): Promise<readonly Scope[]> {
    return await this.#queryScopes('c.kind = @kind', { kind });
  }

  async #queryScopes(condition: string, values: Readonly<Record<string, string>>): Promise<Scope[]> {
    const ids = await queryAll<string>(this.#options.container, {
      query: `SELECT VALUE c.scope FROM c WHERE c.type = 'record' AND ${condition}`,
      parameters: Object.entries(values).map(([name, value]) => ({ name: `@${name}`, value })),
    });
    return [...new Set(ids)].sort().map(parseScopeId);
  }

  /** Keeps a scope's log at hand, for those who wait for its changes. */
  follow(scope: Scope): FollowedScope {
    const log = this.#open(scope);
    log.followers += 1;
    return {
      storage: log.storage,
      state: log.state,
      release: () => {
        log.followers -= 1;
      },
    };
  }

  /** Tells of every change that this process writes or reads of, in the order of its scope. */
  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  #open(scope: Scope): ScopeLog {
    const id = scopeId(scope);
    const log = this.#logs.get(id) ?? this.#create(scope);
    this.#logs.delete(id);
    this.#logs.set(id, log);
    this.#forgetExcessScopes();
    return log;
  }

  #create(scope: Scope): ScopeLog {
    const { container, clock, random, snapshotLimits, sessions } = this.#options;
    const storage = new LogStorage(container, scope);
    const state = new ScopeState<unknown>(storage, clock, snapshotLimits);
    state.onChange((change) => {
      for (const listener of this.#listeners) {
        listener(scope, change);
      }
    });
    const lifetimes = new Lifetimes(scope, clock, sessions);
    const queue = new CommitQueue(storage, state, lifetimes, { clock, random });
    return { storage, state, lifetimes, queue, followers: 0 };
  }

  #dropExcessSnapshots(keep: ScopeState<unknown>): void {
    const states = [...this.#logs.values()].map(({ state }) => state);
    let bytes = states.reduce((sum, state) => sum + (state.snapshot?.bytes ?? 0), 0);
    for (const state of states) {
      if (bytes <= MAX_SNAPSHOT_BYTES) {
        return;
      }
      if (state !== keep) {
        bytes -= state.snapshot?.bytes ?? 0;
        state.dropSnapshot();
      }
    }
  }

  #forgetExcessScopes(): void {
    if (this.#logs.size <= MAX_SCOPES) {
      return;
    }
    for (const [id, { queue, followers }] of this.#logs) {
      if (!queue.busy && followers === 0) {
        this.#logs.delete(id);
        return;
      }
    }
  }
}
