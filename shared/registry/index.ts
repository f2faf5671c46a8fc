/**
 * Services and their instances: who is there, and who is alive. `registrar.ts` announces and renews, `service-reader.ts`
 * reads, `instance-sweeper.ts` expires and removes; the protocol that binds them is in shared/records/leases/leases.ts.
 */
export type { Health, InstanceView } from './health.ts';
export {
  DEFAULT_WEIGHT,
  type Instance,
  type InstanceAddress,
  type InstanceInput,
  type InstanceValue,
  instanceSchema,
} from './instance.ts';
export { type RegisterOptions, type Registration, unknownInstance, type WriteOptions } from './registrar.ts';
export { Registry, type RegistryOptions } from './registry.ts';
export {
  type InstanceFilter,
  type ReadOptions,
  type ServicesPage,
  type ServicesView,
  type ServiceView,
  unknownService,
} from './service-reader.ts';
