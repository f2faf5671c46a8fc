import { Elections } from '../../../shared/elections/index.ts';
import type { Clock } from '../../../shared/platform/clock.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { COSMOS_CONTAINERS } from '../../../shared/platform/topology.ts';
import {
  AttachedRecords,
  Leases,
  Records,
  type RecordsOptions,
  SessionLeases,
  Sweep,
  type SweepSummary,
  type Watches,
} from '../../../shared/records/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import type { Gate } from '../interleaving.ts';
import { TestClock } from '../registry/registry-fixture.ts';
import { gatedContainer } from './gated-container.ts';

/** What one process of the app holds, over a connection of its own and with a clock of its own. */
export interface Process {
  readonly records: Records;
  readonly leases: Leases;
  readonly sessions: SessionLeases;
  readonly attached: AttachedRecords;
  readonly elections: Elections;
  readonly clock: SkewedClock;
  sweep(): Promise<SweepSummary>;
}

export interface SessionsFixture {
  readonly cosmos: CosmosFixture;
  /** True time. */
  readonly clock: TestClock;
  /** @param gate is passed by every single call of the storage. */
  openProcess(gate?: Gate, options?: Partial<RecordsOptions>): Process;
  stop(): Promise<void>;
}

export async function startSessions(): Promise<SessionsFixture> {
  const cosmos = await startCosmos();
  const trueClock = new TestClock();
  return {
    cosmos,
    clock: trueClock,
    openProcess(gate = (_step, run) => run(), options = {}) {
      const database = cosmos.connect();
      const clock = new SkewedClock(trueClock);
      const container = (id: string) => gatedContainer(database.container(id), gate);
      const leases = new Leases({ container: container(COSMOS_CONTAINERS.leases.id), clock });
      const sessions = new SessionLeases(leases, clock, systemRandom);
      const records = new Records({
        container: container(COSMOS_CONTAINERS.records.id),
        clock,
        random: systemRandom,
        sessions,
        ...options,
      });
      const attached = new AttachedRecords(records, sessions);
      const watches = { untilChanged: pollingFor(records, clock) };
      const elections = new Elections({ records, sessions, attached, watches, clock });
      const sweep = new Sweep({ records, leases, clock, sweepers: [attached] });
      return { records, leases, sessions, attached, elections, clock, sweep: () => sweep.run() };
    },
    stop: () => cosmos.stop(),
  };
}

/** Waits as `Watches` does, but by steps of the storage alone, which a test takes one at a time. */
function pollingFor(records: Records, clock: Clock): Watches['untilChanged'] {
  return async (scope, _key, since, until) => {
    while (clock.now() < until && (await records.position(scope)) === since) {
      await clock.sleep(1);
    }
    return true;
  };
}

/** True time as one process sees it. */
export class SkewedClock implements Clock {
  readonly #trueClock: TestClock;
  /** Milliseconds by which it is fast. */
  skew = 0;

  constructor(trueClock: TestClock) {
    this.#trueClock = trueClock;
  }

  now(): number {
    return this.#trueClock.now() + this.skew;
  }

  sleep(): Promise<void> {
    return this.#trueClock.sleep();
  }
}
