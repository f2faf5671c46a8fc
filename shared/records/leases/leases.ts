import type { Container } from '@azure/cosmos';
import type { Clock } from '../../platform/clock.ts';
import { Coalesced } from '../../platform/coalesced.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import { type Scope, scopeId } from '../scope.ts';
import { countsFor, isAlive, type Lease } from './lease.ts';
import { LeaseStorage, type StoredLease } from './lease-storage.ts';

/*
 * The lease protocol. A record whose value carries a ttl is held by a lease, a document of its own that renewals touch
 * instead of the log. Who follows these rules may die between any two steps:
 *
 * 1. Every lease write is conditional on the lease as it was read (`create`, or If-Match); who loses reads again.
 * 2. Before a record with a ttl is written, its lease stands live with that ttl and a whole ttl left: so the sweep
 *    finds a lease for every such record.
 * 3. A renewal stores now + 1.5 ttl, and is accepted without a write while a whole ttl is left: the holder counts as
 *    alive for at least one ttl, and at most 1.5 ttl, after its last accepted renewal. For one ttl `expiresAt` never
 *    moves back, which is why a remembered one is a lower bound.
 * 4. Expiry: the lease turns `expired` and names the record's revision; then the record is marked if it still has that
 *    revision; then the lease's `expiresAt` moves to the time of removal. Until that last step the lease stays due,
 *    so that the next sweep goes on where one was cut off.
 * 5. Who registers where there is no record, a marked one, or no live lease writes a provisional lease, which counts
 *    only for a higher revision, and then always writes the record, equal or not. So nobody relies on a lease whose
 *    record may never come, and a sweep between its steps is refused by the new revision. Who finds a live lease of
 *    another ttl always writes the record too: that tells the writer of the other ttl that it was overtaken.
 * 6. A writer whose record moved between its look and its commit, whose lease lapsed meanwhile, or who changed the ttl,
 *    confirms: it looks again and, if its value still stands, writes the lease once more. That refuses whoever is
 *    about to take the lease away, or to write it for the record as it was.
 * 7. Removal commits the delete, then turns the lease as it was read before into an expired one; where another writer of
 *    the lease came between, it does so again while there is no record. A provisional lease may be for a record to come, so
 *    it stays and counts from the delete's revision on: who confirms (rule 6) what was deleted is refused by that write.
 *    Leases are deleted by the sweep alone, and without a record only a minute after they lapsed, when no writer can still
 *    count on them.
 *
 * What remains: a process that dies between a delete and its release leaves a lease that takes renewals until half a
 * ttl is used up; a conditional write that is refused only at its commit may have renewed the lease of the record that
 * refused it; a holder that has no ttl and is removed by a process that dies leaves a lease without an end, which
 * nobody looks for.
 */

/** Scopes whose leases a process remembers; the least recently asked for are forgotten beyond it. */
const MAX_SCOPES = 1_000;
/** Single leases that are remembered of a scope before all of them are forgotten: callers may ask for any, and ended ones stay. */
const MAX_LEASES_LOOKED_AT = 10_000;
/** How often, in milliseconds, a caller who allows age may cause a holder that looks expired to be read again. */
const STALE_READ_INTERVAL = 1_000;

/** A record that is held by a lease. */
export interface Holder {
  readonly key: string;
  /** The ttl in the record's value, in seconds. */
  readonly ttl: number;
  /** The record's revision. */
  readonly revision: number;
}

export interface LeaseQuestion {
  /** Whether the answer may be a second old where a holder looks expired. */
  readonly allowsAge: boolean;
  /** Whether `renewedAt` must be current too, not only whether the holders are alive. */
  readonly needsRenewalTimes: boolean;
}

interface RememberedScope {
  leases: Map<string, Lease>;
  /** Differs whenever `leases` does, and between scopes. */
  version: number;
  /** Milliseconds since the Unix epoch. */
  readAt: number;
  readonly refresh: Coalesced<void>;
}

/** Leases of keys, stored beside the log; see the protocol above. All methods throw SkerryError `unavailable`. */
export class Leases {
  readonly #storage: LeaseStorage;
  readonly #clock: Clock;
  readonly #remembered = new RecentMap<string, RememberedScope>(MAX_SCOPES);
  #lastVersion = 0;

  /** @param options.container the Cosmos container `leases`. */
  constructor(options: { readonly container: Container; readonly clock: Clock }) {
    this.#storage = new LeaseStorage(options.container);
    this.#clock = options.clock;
  }

  /** The lease as it stands, by one strong point read. */
  async read(scope: Scope, key: string): Promise<StoredLease | undefined> {
    return await this.#storage.read(scope, key);
  }

  /** As `read`, and remembers what it found. */
  async look(scope: Scope, key: string): Promise<StoredLease | undefined> {
    const remembered = this.#open(scope);
    const stored = await this.#storage.read(scope, key);
    if (remembered.leases.size >= MAX_LEASES_LOOKED_AT) {
      remembered.leases = new Map();
    }
    remembered.leases.set(key, stored?.lease ?? absentLease(key));
    remembered.version = this.#nextVersion();
    return stored;
  }

  /**
   * Reads all leases of a scope by one strong query, and remembers which of the given ones there are, and which not.
   *
   * @param allowsAge whether an answer that is a second old will do.
   */
  async lookAtAll(
    scope: Scope,
    keys: readonly string[],
    allowsAge: boolean,
  ): Promise<ReadonlyMap<string, Lease>> {
    const remembered = this.#open(scope);
    const isRecent = this.#clock.now() - remembered.readAt < STALE_READ_INTERVAL;
    if (allowsAge && isRecent && keys.every((key) => remembered.leases.has(key))) {
      return remembered.leases;
    }
    await remembered.refresh.ask();
    rememberAbsence(
      remembered.leases,
      keys.map((key) => ({ key })),
    );
    return remembered.leases;
  }

  /** The lease as this process saw or wrote it last; `expired` also where there was none. */
  remembered(scope: Scope, key: string): Lease | undefined {
    return this.#remembered.get(scopeId(scope))?.leases.get(key);
  }

  /**
   * Writes a lease over the one that was read, or over none. An end without an answer is forgotten, as it may stand; of a renewal
   * the lease as it was before stays a lower bound.
   *
   * @returns the lease as it is stored now; undefined when another writer came first.
   */
  async write(scope: Scope, lease: Lease, over: StoredLease | undefined): Promise<StoredLease | undefined> {
    try {
      const stored =
        over === undefined
          ? await this.#storage.create(scope, lease)
          : await this.#storage.replace(over, lease);
      if (stored !== undefined) {
        this.#change(scope, (leases) => leases.set(lease.key, lease));
      }
      return stored;
    } catch (error) {
      if (lease.state === 'expired') {
        this.#change(scope, (leases) => leases.delete(lease.key));
      }
      throw error;
    }
  }

  /** Deletes a lease as it was read, unless it has been written since. */
  async remove(stored: StoredLease): Promise<void> {
    await this.#storage.remove(stored);
  }

  /** Leases of all scopes that lapsed, or are to be looked at, by `now`; about `limit` of them at most. */
  async due(now: number, limit: number): Promise<StoredLease[]> {
    return await this.#storage.readDue(now, limit);
  }

  /**
   * Leases by key that tell which of the holders are alive: from memory where that proves all of them alive, otherwise
   * by one strong query over the scope. A holder without a lease in the answer has none.
   */
  async ofHolders(
    scope: Scope,
    holders: readonly Holder[],
    question: LeaseQuestion,
  ): Promise<ReadonlyMap<string, Lease>> {
    const remembered = this.#open(scope);
    if (question.needsRenewalTimes || this.#isInDoubt(remembered, holders, question.allowsAge)) {
      await remembered.refresh.ask();
      rememberAbsence(remembered.leases, holders);
    }
    return remembered.leases;
  }

  /**
   * A number that differs when what this process remembers of a scope's leases does; undefined when it remembers none. While
   * it stays, what was derived from `ofHolders` holds for as long as all the holders in it are alive.
   */
  version(scope: Scope): number | undefined {
    return this.#remembered.get(scopeId(scope))?.version;
  }

  #isInDoubt({ leases, readAt }: RememberedScope, holders: readonly Holder[], allowsAge: boolean): boolean {
    const now = this.#clock.now();
    const mayReadAgain = !allowsAge || now - readAt >= STALE_READ_INTERVAL;
    return holders.some(({ key, ttl, revision }) => {
      const lease = leases.get(key);
      return (
        lease === undefined ||
        lease.ttl !== ttl ||
        (mayReadAgain && !(isAlive(lease, now) && countsFor(lease, revision)))
      );
    });
  }

  #open(scope: Scope): RememberedScope {
    return this.#remembered.get(scopeId(scope)) ?? this.#remember(scope);
  }

  #change(scope: Scope, change: (leases: Map<string, Lease>) => void): void {
    const remembered = this.#remembered.get(scopeId(scope));
    if (remembered !== undefined) {
      change(remembered.leases);
      remembered.version = this.#nextVersion();
    }
  }

  #nextVersion(): number {
    this.#lastVersion += 1;
    return this.#lastVersion;
  }

  #remember(scope: Scope): RememberedScope {
    const remembered: RememberedScope = {
      leases: new Map(),
      version: this.#nextVersion(),
      readAt: Number.NEGATIVE_INFINITY,
      refresh: new Coalesced(async () => {
        const readAt = this.#clock.now();
        const stored = await this.#storage.readScope(scope);
        remembered.leases = new Map(stored.map(({ lease }) => [lease.key, lease]));
        remembered.version = this.#nextVersion();
        remembered.readAt = readAt;
      }),
    };
    this.#remembered.set(scopeId(scope), remembered);
    return remembered;
  }
}

/** So that a holder without a lease is not looked for again at every question. */
function rememberAbsence(
  leases: Map<string, Lease>,
  holders: readonly { readonly key: string; readonly ttl?: number }[],
): void {
  for (const { key, ttl } of holders) {
    if (!leases.has(key)) {
      leases.set(key, absentLease(key, ttl));
    }
  }
}

function absentLease(key: string, ttl?: number): Lease {
  return { key, ...(ttl !== undefined && { ttl }), state: 'expired', renewedAt: Number.NEGATIVE_INFINITY };
}
