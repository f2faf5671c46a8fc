import { type Clock, toTimestamp } from '../platform/clock.ts';
import { conflict, notFound, SkerryError } from '../platform/errors.ts';
import { type Author, canonicalPath } from '../platform/http/index.ts';
import type {
  AttachedRecords,
  Records,
  Scope,
  SessionLease,
  SessionLeases,
  Watches,
} from '../records/index.ts';

export interface ElectionAddress {
  readonly ns: string;
  readonly name: string;
}

/** Who leads, and until when nobody else can. */
export interface Leadership {
  readonly name: string;
  readonly candidate: string;
  /**
   * The fencing token: greater than those of all grants before. What a leader writes elsewhere should carry it and be refused
   * where a greater one was seen, because a leader may be slow to learn that it leads no more.
   */
  readonly token: number;
  /** Seconds that every renewal buys at least. */
  readonly ttl: number;
  /** RFC 3339: when the leadership ends unless it is renewed. */
  readonly expiresAt: string;
}

export interface Candidacy {
  readonly candidate: string;
  /** Whole seconds. */
  readonly ttl: number;
  /** How long to wait for the leadership, in seconds. */
  readonly wait: number;
}

/** The value of `/election/NAME`. */
interface Grant {
  readonly candidate: string;
  readonly ttl: number;
}

export interface ElectionsOptions {
  readonly records: Records;
  readonly sessions: SessionLeases;
  readonly attached: AttachedRecords;
  readonly clock: Clock;
  readonly watches: Pick<Watches, 'untilChanged'>;
}

/**
 * One leader at a time. A grant is given only where no record stands, and a record stands until its lease was turned `expired`:
 * from then on the former leader's renewals are refused. All methods throw SkerryError `unavailable`.
 */
export class Elections {
  readonly #records: Records;
  readonly #sessions: SessionLeases;
  readonly #attached: AttachedRecords;
  readonly #clock: Clock;
  readonly #watches: Pick<Watches, 'untilChanged'>;

  constructor({ records, sessions, attached, clock, watches }: ElectionsOptions) {
    this.#records = records;
    this.#sessions = sessions;
    this.#attached = attached;
    this.#clock = clock;
    this.#watches = watches;
  }

  /**
   * Takes the leadership, as soon as nobody has it.
   *
   * @param checkRight throws where the candidate may not do so any more, who has waited meanwhile.
   * @throws SkerryError `conflict`, with the `leader`, when somebody has it until the wait is over; `too-many-requests` when as many
   *   wait in this process as may.
   */
  async campaign(
    address: ElectionAddress,
    candidacy: Candidacy,
    author: Author,
    checkRight: () => Promise<void> = async () => {},
  ): Promise<Leadership> {
    const deadline = this.#clock.now() + 1000 * candidacy.wait;
    const scope = scopeOf(address);
    for (;;) {
      const position = candidacy.wait > 0 ? await this.#records.position(scope) : 0; // To wait from, so before the look.
      const leader = await this.get(address);
      if (leader === undefined) {
        const leadership = await this.#take(address, candidacy, author);
        if (leadership !== undefined) {
          return leadership;
        }
      } else if (this.#clock.now() >= deadline) {
        throw hasLeader(leader);
      } else {
        const until = Math.min(deadline, Date.parse(leader.expiresAt));
        if (!(await this.#watches.untilChanged(scope, keyOf(address), position, until, author.actor))) {
          throw hasLeader(leader);
        }
        await checkRight();
      }
    }
  }

  /**
   * Keeps the leadership.
   *
   * @throws SkerryError `not-found` when the token leads no more.
   */
  async renew(address: ElectionAddress, token: number): Promise<Leadership> {
    const { grant, lease } = await this.#grantOf(address, token);
    return await orLost(address, async () => {
      return toLeadership(address, grant, token, await this.#sessions.renew(scopeOf(address), lease));
    });
  }

  /**
   * Gives the leadership up.
   *
   * @throws SkerryError `not-found` when the token leads no more.
   */
  async resign(address: ElectionAddress, token: number, author: Author): Promise<void> {
    const { lease } = await this.#grantOf(address, token);
    await orLost(address, () => this.#attached.revoke(scopeOf(address), lease, author));
  }

  /** Who leads, by strong reads; undefined when nobody does. */
  async get(address: ElectionAddress): Promise<Leadership | undefined> {
    const record = await this.#records.get<Grant>(scopeOf(address), keyOf(address));
    if (record?.lease === undefined) {
      return undefined;
    }
    const lease = await this.#sessions.find(scopeOf(address), record.lease);
    return lease && toLeadership(address, record.value, record.revision, lease);
  }

  /** Undefined when another candidate came first. */
  async #take(
    address: ElectionAddress,
    { candidate, ttl }: Candidacy,
    author: Author,
  ): Promise<Leadership | undefined> {
    const scope = scopeOf(address);
    const lease = await this.#sessions.grant(scope, ttl);
    const value: Grant = { candidate, ttl };
    try {
      const { revision } = await this.#records.commit<Grant>(scope, {
        key: keyOf(address),
        ...author,
        decide: (current) => {
          if (current !== undefined) {
            throw new CameSecond();
          }
          return { type: 'put', value, lease: lease.id };
        },
      });
      return toLeadership(address, value, revision, lease);
    } catch (error) {
      if (error instanceof CameSecond) {
        await this.#sessions.discard(scope, lease.id);
        return undefined;
      }
      // The grant may stand, and nobody would know of it.
      await this.#sessions.end(scope, lease.id).catch(() => undefined);
      throw error;
    }
  }

  /** @throws SkerryError `not-found`. */
  async #grantOf(address: ElectionAddress, token: number): Promise<{ grant: Grant; lease: string }> {
    const record = await this.#records.get<Grant>(scopeOf(address), keyOf(address));
    if (record?.revision !== token || record.lease === undefined) {
      throw leadsNoMore(address);
    }
    return { grant: record.value, lease: record.lease };
  }
}

class CameSecond extends Error {}

/** The error for an election that nobody leads. */
export function isNotLed({ ns, name }: ElectionAddress): SkerryError {
  return notFound(`Nobody leads "${name}".`, {
    fix: `Stand for it with POST ${canonicalPath(ns, `elections/${name}/campaign`)}.`,
  });
}

function hasLeader({ name, candidate, token, expiresAt }: Leadership): SkerryError {
  return conflict(`The election "${name}" has a leader: "${candidate}".`, {
    fix: 'Wait for your turn with "wait", up to 200 seconds a call.',
    extensions: { leader: { candidate, token, expiresAt } },
  });
}

/** The error for a token that does not lead. */
export function leadsNoMore({ name }: Pick<ElectionAddress, 'name'>): SkerryError {
  return notFound(`The token does not lead "${name}", or does so no more.`, {
    fix: 'Stop what only the leader may do, and stand for it again.',
  });
}

/** A lease that is over is a leadership that is lost. */
async function orLost<Answer>(address: ElectionAddress, work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof SkerryError && error.kind === 'not-found' ? leadsNoMore(address) : error;
  }
}

function toLeadership(
  { name }: ElectionAddress,
  { candidate, ttl }: Grant,
  token: number,
  { expiresAt }: SessionLease,
): Leadership {
  return { name, candidate, token, ttl, expiresAt: toTimestamp(expiresAt) };
}

function scopeOf({ ns, name }: ElectionAddress): Scope {
  return { ns, kind: 'election', name };
}

function keyOf({ name }: ElectionAddress): string {
  return `/election/${name}`;
}
