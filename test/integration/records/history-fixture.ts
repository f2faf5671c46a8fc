import type { Container } from '@azure/cosmos';
import type { Clock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import { Compaction, type Json, Records, type Scope } from '../../../shared/records/index.ts';
import type { SnapshotLimits } from '../../../shared/records/log/scope-state.ts';
import type { CosmosFixture } from '../cosmos-fixture.ts';

export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** The true time and what a test adds to it; nobody waits longer than a millisecond. */
export class ShiftedClock implements Clock {
  #shift = 0;

  now(): number {
    return Date.now() + this.#shift;
  }

  advance(milliseconds: number): void {
    this.#shift += milliseconds;
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, Math.min(milliseconds, 1)));
  }
}

/** What one process has, over a connection of its own. */
export function openProcess(cosmos: CosmosFixture, clock: Clock, limits?: SnapshotLimits) {
  const container = cosmos.connect().container(COSMOS_CONTAINERS.records.id);
  return {
    container,
    compaction: new Compaction({ container, clock }),
    records: new Records({
      container,
      clock,
      random: systemRandom,
      ...(limits && { snapshotLimits: limits }),
    }),
  };
}

export async function put(records: Records, scope: Scope, key: string, value: Json): Promise<number> {
  const write = { key, actor: 'test', decide: () => ({ type: 'put', value }) as const };
  return (await records.commit<Json>(scope, write)).revision;
}

export async function remove(records: Records, scope: Scope, key: string): Promise<number> {
  const write = { key, actor: 'test', decide: () => ({ type: 'delete' }) as const };
  return (await records.commit(scope, write)).revision;
}

/** What a dead process throws at every step after its last. */
export class Crash extends Error {}

/** A container whose process dies when it has made so many calls: the next one is never made, or never answered. */
export function dyingAfter(
  container: Container,
  calls: number,
  lastCall: 'not made' | 'not answered',
): Container {
  let made = 0;
  const step = <Answer>(call: () => Promise<Answer>): Promise<Answer> => {
    made += 1;
    if (made <= calls) return call();
    if (made > calls + 1 || lastCall === 'not made') return Promise.reject(new Crash());
    return call().then(() => Promise.reject(new Crash()));
  };
  const watched = <Target extends object>(target: Target): Target =>
    new Proxy(target, {
      get(_, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (name === 'items') return watched(member as object);
        if (typeof member !== 'function') return member;
        return (...given: unknown[]) => {
          if (name === 'item' || name === 'query')
            return watched(Reflect.apply(member, target, given) as object);
          const call = () => Reflect.apply(member, target, given) as unknown;
          return CALLS.has(String(name)) ? step(() => call() as Promise<unknown>) : call();
        };
      },
    });
  return watched(container);
}

const CALLS = new Set(['read', 'create', 'replace', 'delete', 'batch', 'fetchNext']);
