import type { Clock } from '../platform/clock.ts';
import { notFound, type SkerryError } from '../platform/errors.ts';
import { mapConcurrently } from '../platform/map-concurrently.ts';
import { RecentMap } from '../platform/recent-map.ts';
import { type Holder, type Leases, type Records, type Scope, scopeId } from '../records/index.ts';
import { claimants, type InstanceView, masterOf, servicesTag, serviceTag, viewInstance } from './health.ts';
import {
  type InstanceAddress,
  type InstanceRecord,
  type InstanceValue,
  instanceKey,
  instanceScope,
  isMarkedExpired,
  SERVICE_KIND,
  serviceScope,
} from './instance.ts';

/** Services whose instances a process keeps made out. */
const MAX_DERIVED_SERVICES = 1_000;

/** Services that a listing reads at a time. */
const SERVICES_AT_ONCE = 16;

export interface ReadOptions {
  /** Seconds that the answer may be old; without it, it is proven current. */
  readonly maxAgeSeconds?: number | undefined;
  /** Whether `renewedAt` has to be as current as `health` is. */
  readonly needsRenewalTimes?: boolean;
}

export interface InstanceFilter {
  /** Only instances whose health is `passing`. */
  readonly passing?: boolean;
  /** Only instances that have all of these. */
  readonly tags?: readonly string[];
  readonly zone?: string | undefined;
}

export interface ServiceView {
  readonly name: string;
  readonly revision: number;
  /** In the order of their ids. */
  readonly instances: readonly InstanceView[];
  /** Id of the instance that leads, among all of the service; undefined when none claims it. */
  readonly master: string | undefined;
  /** Weak; covers the revision and the states of the instances. */
  readonly etag: string;
  readonly ageSeconds: number;
}

export interface ServicesPage {
  /** Name of the last service on the page before. */
  readonly after?: string | undefined;
  /** All services without it. */
  readonly limit?: number;
}

export interface ServicesView {
  /** In the order of their names. */
  readonly services: readonly ServiceView[];
  readonly etag: string;
  /** The age of the oldest part. */
  readonly ageSeconds: number;
  /** What `after` of the next page is; absent on the last one. */
  readonly next?: string;
}

/** All instances of a service as they were made out once, and what has to stay as it was for that to hold. */
interface DerivedService {
  readonly instances: readonly InstanceView[];
  readonly master: string | undefined;
  readonly etag: string;
  readonly revision: number;
  readonly leaseVersion: number | undefined;
  /** Milliseconds since the Unix epoch: when the first of the instances lapses; in the past where one has. */
  readonly validUntil: number;
}

/** Reads services: the records of their instances, and the leases that tell which of those are alive. */
export class ServiceReader {
  readonly #records: Records;
  readonly #leases: Leases;
  readonly #clock: Clock;
  readonly #derived = new RecentMap<string, DerivedService>(MAX_DERIVED_SERVICES);

  constructor(records: Records, leases: Leases, clock: Clock) {
    this.#records = records;
    this.#leases = leases;
    this.#clock = clock;
  }

  /** One instance, by strong reads; undefined when it does not exist. */
  async getInstance(address: InstanceAddress): Promise<InstanceView | undefined> {
    const scope = instanceScope(address);
    const key = instanceKey(address);
    const [record, held] = await Promise.all([
      this.#records.get<InstanceValue>(scope, key),
      this.#leases.read(scope, key),
    ]);
    if (record === undefined) {
      return undefined;
    }
    const view = viewInstance(record, held?.lease, this.#clock.now());
    if (!view.isLapsed) {
      return view;
    }
    // The lease may have been read before the record, and written in between.
    const current = await this.#leases.read(scope, key);
    return viewInstance(record, current?.lease, this.#clock.now());
  }

  /** A service with those of its instances that satisfy the filter; undefined when it has no instance at all. */
  async getService(
    ns: string,
    name: string,
    options: ReadOptions & InstanceFilter = {},
  ): Promise<ServiceView | undefined> {
    const scope = serviceScope(ns, name);
    const { maxAgeSeconds } = options;
    const { records, revision, ageSeconds } = await this.#records.listAll<InstanceValue>(scope, {
      maxAgeSeconds,
    });
    if (records.length === 0) {
      return undefined;
    }
    const { instances, master, etag } =
      this.#remembered(scope, revision, options) ?? (await this.#derive(scope, revision, records, options));
    const wanted = instances.filter((instance) => satisfies(instance, options));
    return wanted.length === instances.length
      ? { name, revision, instances, master, etag, ageSeconds }
      : { name, revision, instances: wanted, master, etag: serviceTag(revision, wanted, master), ageSeconds };
  }

  /** What was derived before, while neither records nor leases have changed since and nobody has lapsed. */
  #remembered(scope: Scope, revision: number, options: ReadOptions): DerivedService | undefined {
    const derived = this.#derived.get(scopeId(scope));
    const holds =
      derived !== undefined &&
      options.needsRenewalTimes !== true &&
      derived.revision === revision &&
      derived.leaseVersion === this.#leases.version(scope) &&
      derived.validUntil > this.#clock.now();
    return holds ? derived : undefined;
  }

  async #derive(
    scope: Scope,
    revision: number,
    records: readonly InstanceRecord[],
    options: ReadOptions,
  ): Promise<DerivedService> {
    const needsRenewalTimes =
      options.needsRenewalTimes ?? records.filter(({ value }) => value.master).length > 1;
    const leases = await this.#leases.ofHolders(scope, holdersOf(records), {
      allowsAge: options.maxAgeSeconds !== undefined,
      needsRenewalTimes,
    });
    const leaseVersion = this.#leases.version(scope);
    const now = this.#clock.now();
    const instances = records.map((record) => viewInstance(record, leases.get(record.key), now));
    const master = masterOf(instances);
    const isContested = claimants(instances).length > 1;
    const derived = {
      instances,
      master,
      etag: serviceTag(revision, instances, master),
      revision,
      leaseVersion,
      // Who leads among several changes with any renewal, at any process.
      validUntil: isContested ? Number.NEGATIVE_INFINITY : Math.min(...instances.map(endOfValidity)),
    };
    this.#derived.set(scopeId(scope), derived);
    return derived;
  }

  /** A page of the services of a namespace; each is current for itself, all of them together at no one time. */
  async listServices(ns: string, options: ReadOptions & ServicesPage = {}): Promise<ServicesView> {
    const { scopes, ageSeconds } = await this.#records.scopes(ns, SERVICE_KIND, options);
    const { after = '', limit = Number.POSITIVE_INFINITY } = options;
    const names = scopes.map((scope) => scope.name).sort();
    const services: ServiceView[] = [];
    let position = names.findIndex((name) => name > after);
    while (position !== -1 && position < names.length && services.length < limit) {
      const batch = names.slice(position, position + Math.min(SERVICES_AT_ONCE, limit - services.length));
      const views = await mapConcurrently(
        batch,
        SERVICES_AT_ONCE,
        async (name) => await this.getService(ns, name, options),
      );
      services.push(...views.filter((view) => view !== undefined));
      position += batch.length;
    }
    const hasMore = position !== -1 && position < names.length;
    return {
      services,
      etag: servicesTag(services),
      ageSeconds: Math.max(ageSeconds, ...services.map((service) => service.ageSeconds)),
      ...(hasMore && { next: names[position - 1] ?? '' }),
    };
  }
}

/** Instances whose lease decides whether they are alive. */
function holdersOf(records: readonly InstanceRecord[]): Holder[] {
  return records.flatMap((record) => {
    const { key, revision } = record;
    const { ttl } = record.value;
    return ttl === undefined || isMarkedExpired(record) ? [] : { key, ttl, revision };
  });
}

function endOfValidity({ isLapsed, expiresAt }: InstanceView): number {
  if (isLapsed) {
    return Number.NEGATIVE_INFINITY;
  }
  return expiresAt === undefined ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
}

function satisfies({ health, instance }: InstanceView, { passing, tags, zone }: InstanceFilter): boolean {
  return (
    (passing !== true || health === 'passing') &&
    (tags === undefined || tags.every((tag) => instance.tags?.includes(tag))) &&
    (zone === undefined || instance.zone === zone)
  );
}

/** The error for a service without any instance. */
export function unknownService(name: string): SkerryError {
  return notFound(`There is no service "${name}".`, {
    fix: 'Register an instance of it first; a service exists while it has one.',
  });
}
