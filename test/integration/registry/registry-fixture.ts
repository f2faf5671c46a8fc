import type { Clock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import {
  Leases,
  Records,
  type RecordsOptions,
  Sweep,
  type SweepSummary,
} from '../../../shared/records/index.ts';
import { type InstanceAddress, type InstanceInput, Registry } from '../../../shared/registry/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import type { Gate } from '../interleaving.ts';

export const GRACE_SECONDS = 300;
export const AUTHOR = { actor: 'test' };
export const PLAIN: InstanceInput = { endpoints: { http: 'http://10.0.0.1:80' } };

/** A clock that stands still until a test moves it; pauses of retries pass at once. */
export class TestClock implements Clock {
  #now = Date.parse('2030-01-01T00:00:00Z');

  now(): number {
    return this.#now;
  }

  advance(seconds: number): void {
    this.#now += 1000 * seconds;
  }

  async sleep(): Promise<void> {
    await new Promise(setImmediate);
  }
}

/** What one process of the app holds, over a connection of its own. */
export interface Process {
  readonly registry: Registry;
  readonly records: Records;
  readonly leases: Leases;
  sweep(): Promise<SweepSummary>;
}

export interface RegistryFixture {
  readonly cosmos: CosmosFixture;
  readonly clock: TestClock;
  openProcess(gate?: Gate): Process;
  stop(): Promise<void>;
}

export async function startRegistry(): Promise<RegistryFixture> {
  const cosmos = await startCosmos();
  const clock = new TestClock();
  return {
    cosmos,
    clock,
    openProcess(gate = (_step, run) => run()) {
      const database = cosmos.connect();
      const records = new GatedRecords(
        { container: database.container(COSMOS_CONTAINERS.records.id), clock, random: systemRandom },
        gate,
      );
      const leases = new GatedLeases(
        { container: database.container(COSMOS_CONTAINERS.leases.id), clock },
        gate,
      );
      const registry = new Registry({ records, leases, clock, expiredGraceSeconds: GRACE_SECONDS });
      const sweep = new Sweep({ records, leases, clock, sweepers: [registry.sweeper] });
      return { registry, records, leases, sweep: () => sweep.run() };
    },
    stop: () => cosmos.stop(),
  };
}

let namespaces = 0;

/** An address in a namespace that no other test uses. */
export function freshAddress(id = 'host1'): InstanceAddress {
  namespaces += 1;
  return { ns: `n${namespaces}`, service: 'web', id };
}

class GatedRecords extends Records {
  readonly #gate: Gate;

  constructor(options: RecordsOptions, gate: Gate) {
    super(options);
    this.#gate = gate;
  }

  override get: Records['get'] = (scope, key) => this.#gate('read record', () => super.get(scope, key));

  override commit: Records['commit'] = (scope, write) =>
    this.#gate('commit', () => super.commit(scope, write));
}

class GatedLeases extends Leases {
  readonly #gate: Gate;

  constructor(options: ConstructorParameters<typeof Leases>[0], gate: Gate) {
    super(options);
    this.#gate = gate;
  }

  override read: Leases['read'] = (scope, key) => this.#gate('read lease', () => super.read(scope, key));

  override write: Leases['write'] = (scope, lease, over) =>
    this.#gate('write lease', () => super.write(scope, lease, over));

  override remove: Leases['remove'] = (stored) => this.#gate('remove lease', () => super.remove(stored));

  override due: Leases['due'] = (now, limit) => this.#gate('read due', () => super.due(now, limit));
}
