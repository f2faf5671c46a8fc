import type { Clock } from '../platform/clock.ts';
import {
  isRefusal,
  isUnavailable,
  notFound,
  type SkerryError,
  tooLarge,
  unavailable,
} from '../platform/errors.ts';
import { type Author, canonicalPath, checkPrecondition, type Precondition } from '../platform/http/index.ts';
import {
  type Commit,
  hasWholeTtlLeft,
  isAlive,
  type Lease,
  type Leases,
  MAX_VALUE_BYTES,
  type Records,
  type StoredLease,
} from '../records/index.ts';
import { type InstanceView, viewInstance } from './health.ts';
import {
  type Instance,
  type InstanceAddress,
  type InstanceInput,
  type InstanceRecord,
  type InstanceValue,
  instanceKey,
  instanceScope,
  isSameInstance,
  nextInstance,
} from './instance.ts';
import {
  endedLease,
  isOfTerm,
  isRenewable,
  type Look,
  leaseAfterRemoval,
  renewedLease,
} from './lease-terms.ts';
import { isRenewalTimeStale } from './renewal-time.ts';

/** How often a writer looks again because another writer of the same lease came first. */
const MAX_ATTEMPTS = 20;

export interface WriteOptions {
  readonly author: Author;
  readonly precondition?: Precondition | undefined;
}

export interface RegisterOptions extends WriteOptions {
  /** Stores a renewal that the lease alone does not need where `renewedAt` would otherwise grow stale (see renewal-time.ts). */
  readonly keepsRenewalTime?: boolean;
}

export interface Registration {
  readonly instance: InstanceView;
  readonly created: boolean;
  /** Whether a change was written; registering what stands there already only renews. */
  readonly changed: boolean;
}

/** Announces, renews and removes instances: a record and its lease, by the protocol in shared/records/leases/leases.ts. */
export class Registrar {
  readonly #records: Records;
  readonly #leases: Leases;
  readonly #clock: Clock;

  constructor(records: Records, leases: Leases, clock: Clock) {
    this.#records = records;
    this.#leases = leases;
    this.#clock = clock;
  }

  /**
   * Creates, replaces or revives an instance. Registering what stands there already is a renewal and changes nothing.
   *
   * @throws SkerryError `precondition-failed`; `too-large`; `unavailable`, also when others renew it all the time.
   */
  async register(
    address: InstanceAddress,
    input: InstanceInput,
    options: RegisterOptions,
  ): Promise<Registration> {
    return await this.#untilFirst(
      address,
      async (look) => await this.#register(address, input, options, look),
    );
  }

  /**
   * Renews the lease of an instance, where it has one.
   *
   * @throws SkerryError `not-found` when the instance is unknown or expired.
   */
  async heartbeat(address: InstanceAddress): Promise<void> {
    const scope = instanceScope(address);
    const key = instanceKey(address);
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const held = await this.#leases.read(scope, key);
      const now = this.#clock.now();
      const hasTimeLeft = held !== undefined && hasWholeTtlLeft(held.lease, now);
      if (hasTimeLeft && held.lease.recordRevision === undefined) {
        return;
      }
      const record = await this.#records.get<InstanceValue>(scope, key);
      const ttl = record?.value.ttl;
      if (record === undefined || (ttl !== undefined && !isRenewable(record, held?.lease, now))) {
        throw cannotRenew(address, record);
      }
      const isCurrent =
        ttl === undefined
          ? !isRenewalTimeStale(record, held?.lease, now)
          : hasTimeLeft && held.lease.ttl === ttl;
      const renewed = renewedLease(key, ttl, { record, held }, now);
      if (isCurrent || (await this.#leases.write(scope, renewed, held)) !== undefined) {
        return;
      }
    }
    throw tooManyWriters(address);
  }

  /**
   * Removes an instance.
   *
   * @returns the revision of its removal.
   * @throws SkerryError `not-found`, `precondition-failed`.
   */
  async deregister(address: InstanceAddress, { author, precondition }: WriteOptions): Promise<number> {
    const scope = instanceScope(address);
    const key = instanceKey(address);
    const held = await this.#leases.read(scope, key);
    const { revision } = await this.#records.commit<InstanceValue>(scope, {
      key,
      ...author,
      decide: (current) => {
        if (current === undefined) {
          throw unknownInstance(address);
        }
        checkPrecondition(precondition, current);
        return { type: 'delete' };
      },
    });
    await this.#releaseRemoved(address, revision, held);
    return revision;
  }

  /** One attempt; undefined when another writer of the lease came first. */
  async #register(
    address: InstanceAddress,
    input: InstanceInput,
    options: RegisterOptions,
    look: Look,
  ): Promise<Registration | undefined> {
    const { record, held } = look;
    checkPrecondition(options.precondition, record);
    const wanted = nextInstance(input, record?.value);
    checkSize(wanted);
    const mustWrite = wanted.ttl !== undefined && !isOfTerm(look, wanted.ttl);
    const keeps = record !== undefined && !mustWrite && isSameInstance(record.value, wanted);

    const lease = this.#leaseToWrite(address, wanted, look, keeps && options.keepsRenewalTime === true);
    const standing =
      lease === undefined ? held : await this.#leases.write(instanceScope(address), lease, held);
    if (lease !== undefined && standing === undefined) {
      return undefined;
    }
    if (keeps) {
      return { instance: this.#view(record, standing?.lease), created: false, changed: false };
    }
    const commit = await this.#commit(address, input, options, { look, mustWrite }).catch(async (error) => {
      if (lease !== undefined && standing !== undefined) {
        await this.#realign(address, standing, error);
      }
      throw error;
    });
    const stored = storedBy(commit, address);
    const mustConfirm =
      commit.previous?.revision !== record?.revision ||
      (record !== undefined && record.value.ttl !== wanted.ttl) ||
      (standing !== undefined && !isAlive(standing.lease, this.#clock.now()));
    return {
      instance:
        wanted.ttl !== undefined && mustConfirm
          ? await this.#confirm(address, stored, options.author)
          : this.#view(stored, standing?.lease),
      created: commit.changed && commit.previous === undefined,
      changed: commit.changed,
    };
  }

  /** The lease that has to be written before the record; undefined where the one that is held will do. */
  #leaseToWrite(
    address: InstanceAddress,
    wanted: Instance,
    look: Look,
    keepsRenewalTime: boolean,
  ): Lease | undefined {
    const { record, held } = look;
    const now = this.#clock.now();
    const isTimeStale =
      keepsRenewalTime && record !== undefined && isRenewalTimeStale(record, held?.lease, now);
    const stands =
      wanted.ttl === undefined ||
      (record?.value.ttl === wanted.ttl &&
        held !== undefined &&
        isOfTerm(look, wanted.ttl) &&
        hasWholeTtlLeft(held.lease, now));
    return stands && !isTimeStale ? undefined : renewedLease(instanceKey(address), wanted.ttl, look, now);
  }

  async #commit(
    address: InstanceAddress,
    input: InstanceInput,
    { author, precondition }: RegisterOptions,
    { look, mustWrite }: { look: Look; mustWrite: boolean },
  ): Promise<Commit<InstanceValue>> {
    return await this.#records.commit<InstanceValue>(instanceScope(address), {
      key: instanceKey(address),
      ...author,
      decide: (current) => {
        checkPrecondition(precondition, current);
        const value = nextInstance(input, current?.value);
        const isAsSeen = current?.revision === look.record?.revision;
        return current !== undefined && !(mustWrite && isAsSeen) && isSameInstance(current.value, value)
          ? { type: 'keep' }
          : { type: 'put', value };
      },
    });
  }

  /** Makes sure that the lease stands behind what was committed, unless that has been replaced or removed since. */
  async #confirm(address: InstanceAddress, committed: InstanceRecord, author: Author): Promise<InstanceView> {
    const scope = instanceScope(address);
    const key = instanceKey(address);
    return await this.#untilFirst(address, async (look) => {
      const { record, held } = look;
      if (record === undefined || !isOrWas(record, committed)) {
        return this.#view(committed, held?.lease);
      }
      const lease = renewedLease(key, committed.value.ttl, look, this.#clock.now());
      if ((await this.#leases.write(scope, lease, held)) === undefined) {
        return undefined;
      }
      if (lease.recordRevision === undefined) {
        return this.#view(record, lease);
      }
      const { value } = committed;
      const revival = await this.#records.commit<InstanceValue>(scope, {
        key,
        ...author,
        decide: (current) =>
          current?.revision === record.revision ? { type: 'put', value } : { type: 'keep' },
      });
      return revival.changed ? this.#view(storedBy(revival, address), lease) : undefined;
    });
  }

  /** A write that was refused after its lease had been written: puts the lease right for what stands there. */
  async #realign(address: InstanceAddress, written: StoredLease, error: unknown): Promise<void> {
    if (!isRefusal(error)) {
      return;
    }
    const record = await this.#records.get<InstanceValue>(instanceScope(address), instanceKey(address));
    const ttl = record?.value.ttl;
    if (record === undefined) {
      await this.#release(written, endedLease(written.lease, this.#clock.now()));
    } else if (ttl !== undefined && ttl !== written.lease.ttl) {
      const lease = renewedLease(written.lease.key, ttl, { record, held: written }, this.#clock.now());
      await this.#leases.write(written.scope, lease, written);
    }
  }

  /** Ends the lease of a removed record, whichever renewals come between, but not that of a record to come. */
  async #releaseRemoved(
    address: InstanceAddress,
    removal: number,
    asRead: StoredLease | undefined,
  ): Promise<void> {
    let held = asRead;
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      if (held !== undefined) {
        const left = leaseAfterRemoval(held.lease, removal, this.#clock.now());
        if (left === undefined || (await this.#release(held, left))) {
          return;
        }
      }
      // Where none stood when the removal began, a registration that came between may have written one.
      held = await this.#leases.read(instanceScope(address), instanceKey(address));
      const record = await this.#records.get<InstanceValue>(instanceScope(address), instanceKey(address));
      if (held?.lease.state !== 'live' || record !== undefined) {
        return;
      }
    }
  }

  /**
   * Writes what is left of a lease over it as it was read; false when it has been written since. The record is gone already,
   * so a failure of the storage is not the caller's: the lease lapses by itself, and the sweep collects it.
   */
  async #release(held: StoredLease, left: Lease): Promise<boolean> {
    try {
      return (await this.#leases.write(held.scope, left, held)) !== undefined;
    } catch (error) {
      if (isUnavailable(error)) {
        return true;
      }
      throw error;
    }
  }

  /** Looks and attempts until no other writer of the lease comes first. */
  async #untilFirst<Answer>(
    address: InstanceAddress,
    attempt: (look: Look) => Promise<Answer | undefined>,
  ): Promise<Answer> {
    const scope = instanceScope(address);
    const key = instanceKey(address);
    for (let count = 1; count <= MAX_ATTEMPTS; count += 1) {
      // The lease first: writing over it then fails if anything was written for a newer record than the one read here.
      const held = await this.#leases.read(scope, key);
      const record = await this.#records.get<InstanceValue>(scope, key);
      const answer = await attempt({ record, held });
      if (answer !== undefined) {
        return answer;
      }
    }
    throw tooManyWriters(address);
  }

  #view(record: InstanceRecord, lease: Lease | undefined): InstanceView {
    return viewInstance(record, lease, this.#clock.now());
  }
}

/** The error for an instance that does not exist. */
export function unknownInstance({ ns, service, id }: InstanceAddress): SkerryError {
  return notFound(`There is no instance "${id}" of the service "${service}".`, {
    fix: `Register it with PUT ${canonicalPath(ns, `services/${service}/instances/${id}`)}.`,
  });
}

/** Whether a record is the one that was committed, perhaps with the sweep's mark on it. */
function isOrWas(record: InstanceRecord, committed: InstanceRecord): boolean {
  const { expiredAt, renewedAt: _, ...unmarked } = record.value;
  return (
    record.revision === committed.revision ||
    (expiredAt !== undefined && isSameInstance(unmarked, committed.value))
  );
}

function storedBy(commit: Commit<InstanceValue>, { id }: InstanceAddress): InstanceRecord {
  if (commit.record === undefined) {
    throw new Error(`The record of instance ${id} is gone after it was put.`);
  }
  return commit.record;
}

function checkSize(instance: Instance): void {
  const bytes = Buffer.byteLength(JSON.stringify(instance));
  if (bytes > MAX_VALUE_BYTES) {
    throw tooLarge(`The instance has ${bytes} bytes; ${MAX_VALUE_BYTES} are allowed.`, {
      fix: 'Send less metadata.',
    });
  }
}

function cannotRenew(address: InstanceAddress, record: InstanceRecord | undefined): SkerryError {
  const { ns, service, id } = address;
  return record === undefined
    ? unknownInstance(address)
    : notFound(`The instance "${id}" of the service "${service}" has expired.`, {
        fix: `Register it again with PUT ${canonicalPath(ns, `services/${service}/instances/${id}`)}.`,
      });
}

function tooManyWriters({ service, id }: InstanceAddress): SkerryError {
  return unavailable(`Too many writers renew the instance "${id}" of the service "${service}" at once.`);
}
