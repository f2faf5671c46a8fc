/**
 * Executors: what does the work of actions, elsewhere. One file each, loaded when it is used; `outbound/` is their way to other
 * systems. docs/executors.md says what their commands look like, and how one is added.
 */

import type { Executor, FindExecutor } from '../operations/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { CallerOf } from '../platform/http/index.ts';
import type { ConfigStores } from './config.ts';
import type { Outbound } from './outbound/index.ts';

export type { ConfigStores } from './config.ts';
export { Outbound, type OutboundOptions } from './outbound/index.ts';

/** What executors are made of. */
export interface ExecutorParts {
  readonly outbound: Outbound;
  readonly stores: ConfigStores;
  /** What those may do now in whose name steps are done. */
  readonly callerOf: CallerOf;
  readonly clock: Clock;
  /** The setting `SKERRY_PUBLIC_URL`. */
  readonly publicUrl: string | undefined;
}

/** By the name that actions have for them. */
const EXECUTORS = new Map<string, (parts: ExecutorParts) => Promise<Executor>>([
  ['config', async (parts) => new (await import('./config.ts')).ConfigExecutor(parts)],
  ['http', async (parts) => new (await import('./http.ts')).HttpExecutor(parts)],
  ['terraform', async (parts) => new (await import('./terraform.ts')).TerraformExecutor(parts)],
  ['consul-kv', async (parts) => new (await import('./consul-kv.ts')).ConsulKvExecutor(parts)],
  ['vault', async (parts) => new (await import('./vault.ts')).VaultExecutor(parts)],
]);

/** Whether there is an executor of a name. */
export function isExecutor(name: string): boolean {
  return EXECUTORS.has(name);
}

/** Finds executors by their names, and keeps those that were asked for. */
export function executorFinder(parts: ExecutorParts): FindExecutor {
  const loaded = new Map<string, Promise<Executor>>();
  return async (name) => {
    const load = EXECUTORS.get(name);
    if (load !== undefined && !loaded.has(name)) {
      loaded.set(name, load(parts));
    }
    return await loaded.get(name);
  };
}
