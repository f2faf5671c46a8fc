import { toTimestamp } from '../platform/clock.ts';
import { digestOf } from '../platform/http/index.ts';
import { countsFor, isAlive, type Lease } from '../records/index.ts';
import { type Instance, type InstanceRecord, instanceIdOf, isMarkedExpired } from './instance.ts';

export type Health = 'passing' | 'draining' | 'expired';

/** An instance and how it is, at one moment. */
export interface InstanceView {
  readonly id: string;
  readonly instance: Instance;
  readonly health: Health;
  /** RFC 3339: when the instance expires unless it renews, at the earliest; absent where nothing is going to expire. */
  readonly expiresAt?: string;
  /** Whether the lease has lapsed and the record does not say so yet: then the revision does not tell the health. */
  readonly isLapsed: boolean;
  /** RFC 3339: the last stored renewal or change. */
  readonly renewedAt: string;
  readonly revision: number;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/**
 * How an instance is at `now`, in milliseconds since the Unix epoch.
 *
 * @param lease its lease, where it has one; decides for an instance with a ttl that is not marked as expired.
 */
export function viewInstance(record: InstanceRecord, lease: Lease | undefined, now: number): InstanceView {
  const { expiredAt: _, renewedAt = lastSignOfLife(record, lease), ...instance } = record.value;
  const isMarked = isMarkedExpired(record);
  const isLapsed = !isMarked && instance.ttl !== undefined && !isHeld(record, lease, now);
  const showsExpiry =
    !isMarked && instance.ttl !== undefined && lease?.state === 'live' && lease.expiresAt !== undefined;
  return {
    id: instanceIdOf(record.key),
    instance,
    health: isMarked || isLapsed ? 'expired' : (instance.status ?? 'passing'),
    ...(showsExpiry && { expiresAt: toTimestamp(lease.expiresAt) }),
    isLapsed,
    renewedAt,
    revision: record.revision,
    createdAt: record.createdAt,
    updatedAt: record.updatedAt,
  };
}

/** When an instance that is not marked as expired was last changed or renewed, RFC 3339. */
export function lastSignOfLife({ updatedAt }: InstanceRecord, lease: Lease | undefined): string {
  return lease !== undefined && lease.renewedAt > Date.parse(updatedAt)
    ? toTimestamp(lease.renewedAt)
    : updatedAt;
}

/** Whether the lease keeps the instance alive at `now`. */
export function isHeld(record: InstanceRecord, lease: Lease | undefined, now: number): boolean {
  return lease !== undefined && isAlive(lease, now) && countsFor(lease, record.revision);
}

/**
 * The entity tag of a service's listing. It covers the revision, the state of every instance and who leads, so that an expiry or
 * a revival is never hidden behind a 304; it is weak because `expiresAt` moves without it.
 */
export function serviceTag(
  revision: number,
  instances: readonly InstanceView[],
  master: string | undefined,
): string {
  const states = instances.map(({ id, health }) => `${id} ${health}${id === master ? ' master' : ''}`);
  return `W/"${revision}-${digestOf(states)}"`;
}

/** The instances that are alive and say of themselves that they lead the service. */
export function claimants(instances: readonly InstanceView[]): readonly InstanceView[] {
  return instances.filter(({ instance, health }) => instance.master === true && health !== 'expired');
}

/**
 * The id of the instance that leads: of several that claim it the one with the newest sign of life (Nesoi README, "If a leader
 * among all service instances …"); undefined when none does.
 */
export function masterOf(instances: readonly InstanceView[]): string | undefined {
  const [newest] = claimants(instances).toSorted((one, other) =>
    one.renewedAt === other.renewedAt
      ? one.id.localeCompare(other.id)
      : Date.parse(other.renewedAt) - Date.parse(one.renewedAt),
  );
  return newest?.id;
}

/** The entity tag of a listing over several services: covers the tags of all of them. */
export function servicesTag(services: readonly { readonly name: string; readonly etag: string }[]): string {
  return `W/"${digestOf(services.map(({ name, etag }) => `${name} ${etag}`))}"`;
}
