import type { Clock } from '../platform/clock.ts';
import type { Leases, Records, Sweeper } from '../records/index.ts';
import type { InstanceView } from './health.ts';
import type { InstanceAddress, InstanceInput } from './instance.ts';
import { InstanceSweeper } from './instance-sweeper.ts';
import { type RegisterOptions, Registrar, type Registration, type WriteOptions } from './registrar.ts';
import {
  type InstanceFilter,
  type ReadOptions,
  ServiceReader,
  type ServicesPage,
  type ServicesView,
  type ServiceView,
} from './service-reader.ts';

export interface RegistryOptions {
  readonly records: Records;
  readonly leases: Leases;
  readonly clock: Clock;
  /** How long an expired instance stays listed before it is removed. */
  readonly expiredGraceSeconds: number;
}

/** Services and their instances. All methods throw SkerryError `unavailable` when storage does not answer. */
export class Registry {
  readonly #registrar: Registrar;
  readonly #reader: ServiceReader;
  /** Expires and removes instances. */
  readonly sweeper: Sweeper;

  constructor(options: RegistryOptions) {
    const { records, leases, clock } = options;
    this.#registrar = new Registrar(records, leases, clock);
    this.#reader = new ServiceReader(records, leases, clock);
    this.sweeper = new InstanceSweeper(options);
  }

  /** See `Registrar.register`. */
  register(address: InstanceAddress, input: InstanceInput, options: RegisterOptions): Promise<Registration> {
    return this.#registrar.register(address, input, options);
  }

  /** See `Registrar.heartbeat`. */
  heartbeat(address: InstanceAddress): Promise<void> {
    return this.#registrar.heartbeat(address);
  }

  /** See `Registrar.deregister`. */
  deregister(address: InstanceAddress, options: WriteOptions): Promise<number> {
    return this.#registrar.deregister(address, options);
  }

  /** See `ServiceReader.getInstance`. */
  getInstance(address: InstanceAddress): Promise<InstanceView | undefined> {
    return this.#reader.getInstance(address);
  }

  /** See `ServiceReader.getService`. */
  getService(
    ns: string,
    name: string,
    options?: ReadOptions & InstanceFilter,
  ): Promise<ServiceView | undefined> {
    return this.#reader.getService(ns, name, options);
  }

  /** See `ServiceReader.listServices`. */
  listServices(ns: string, options?: ReadOptions & ServicesPage): Promise<ServicesView> {
    return this.#reader.listServices(ns, options);
  }
}
