import type { Database } from '@azure/cosmos';
import type { BlobServiceClient } from '@azure/storage-blob';
import type { RetentionRule } from '../../../../shared/bundles/index.ts';
import { BLOB_CONTAINERS } from '../../../../shared/platform/topology.ts';
import { seededRandom } from '../../seeded-runs.ts';
import { StandingClock } from '../bundle-world.ts';
import type { BundlesFixture } from '../bundles-fixture.ts';
import { MortalProcess } from './mortal-process.ts';
import { errorOf, type FaultRates, StepFaults } from './step-faults.ts';

export type Outcome<Answer> =
  | { readonly kind: 'done'; readonly answer: Answer }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'lost' };

export interface WorldOptions {
  readonly seed: number;
  readonly processes: number;
  readonly faultRates: FaultRates;
  readonly rule: RetentionRule;
}

/** Servers that worlds share, one after the other. */
export interface CrashServers {
  readonly fixture: BundlesFixture;
  /** Through the write-once policy, which counts retention by `policy`. */
  readonly blobConnection: string;
  readonly policy: { isRetained: boolean };
}

/** No operation lasts longer than this by the clock: an upload is published, and a file that was found is read, within minutes. */
const LONGEST_OPERATION_MILLISECONDS = 8 * 60_000;

/** For longer than a process that could not write a use does not try again, and took to find out. */
const USES_FAIL_FOR = LONGEST_OPERATION_MILLISECONDS + 60_000;

interface Living {
  readonly process: MortalProcess;
  readonly death: Promise<void>;
}

const NEVER = new Promise<never>(() => {});

/** Whoever waits for others to be done with something gives them time for it. */
class CrashClock extends StandingClock {
  override async sleep(milliseconds = 0): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
}

/** Processes of the app that die at any step, and are followed by others; and the time that passes for them. */
export class CrashWorld {
  readonly clock = new CrashClock();
  readonly faults: StepFaults;
  readonly random: () => number;
  /** Who reads and cleans up without faults. */
  readonly observer: MortalProcess;
  readonly policy: CrashServers['policy'];
  readonly #database: Database;
  readonly #blobConnection: string;
  readonly #service: BlobServiceClient;
  readonly #options: WorldOptions;
  readonly #living: Living[];
  /** When what is under way began. */
  readonly #underWay = new Set<{ readonly since: number }>();
  #requests = 0;
  #usesFailedAt = Number.NEGATIVE_INFINITY;
  #standstill: Promise<void> | undefined;

  constructor({ fixture, blobConnection, policy }: CrashServers, options: WorldOptions) {
    this.random = seededRandom(options.seed);
    this.faults = new StepFaults(this.random, options.faultRates);
    this.policy = policy;
    this.#database = fixture.cosmos.connect();
    this.#blobConnection = blobConnection;
    this.#options = options;
    this.#living = Array.from({ length: options.processes }, () => this.#bear());
    this.#service = fixture.blob.service;
    this.observer = this.newObserver();
  }

  /** A process without faults, that knows nothing yet. */
  newObserver(): MortalProcess {
    return this.#compose((_step, run) => run());
  }

  /** Deletes all that is left, which the next world has nothing to do with. */
  async close(): Promise<void> {
    for (const id of BLOB_CONTAINERS) {
      const container = this.#service.getContainerClient(id);
      for (const name of await this.blobs(id, '')) await container.deleteBlob(name);
    }
  }

  /** Names of the blobs below a path, in order. */
  async blobs(container: (typeof BLOB_CONTAINERS)[number], prefix: string): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.#service.getContainerClient(container).listBlobsFlat({ prefix })) {
      names.push(name.slice(prefix.length));
    }
    return names.sort();
  }

  /** Does something in one of the processes, as a request does. */
  async ask<Answer>(work: (process: MortalProcess) => Promise<Answer>): Promise<Outcome<Answer>> {
    while (this.#standstill !== undefined) await this.#standstill;
    const living = this.pick(this.#living);
    const operation = { since: this.clock.now() };
    this.#underWay.add(operation);
    try {
      return await Promise.race([
        work(living.process).then(
          (answer) => ({ kind: 'done', answer }) as const,
          (error: unknown) => ({ kind: 'failed', error }) as const,
        ),
        living.death.then(() => ({ kind: 'lost' }) as const),
      ]);
    } finally {
      this.#underWay.delete(operation);
    }
  }

  /** Whether whoever was served since then has the use of what was read: readers are served too where it cannot be written. */
  hasUsesSince(then: number): boolean {
    return then - this.#usesFailedAt > USES_FAIL_FOR;
  }

  /** Lets some time pass, as long as nothing takes longer for it than it may. */
  pass(milliseconds: number): void {
    const end = this.clock.now() + milliseconds;
    if ([...this.#underWay].every(({ since }) => end - since < LONGEST_OPERATION_MILLISECONDS)) {
      this.clock.advance(milliseconds);
    }
  }

  /** Lets any time pass, while nothing is under way. */
  async passLong(milliseconds: number): Promise<void> {
    while (this.#standstill !== undefined) await this.#standstill;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#standstill = promise;
    while (this.#underWay.size > 0 || this.#requests > 0) {
      await new Promise((turn) => setTimeout(turn, 1));
    }
    this.clock.advance(milliseconds);
    this.#standstill = undefined;
    resolve();
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[Math.floor(this.random() * items.length)];
    if (item === undefined) throw new Error('There is nothing to choose from.');
    return item;
  }

  #bear(): Living {
    const { promise: death, resolve: die } = Promise.withResolvers<void>();
    let isDead = false;
    const process = this.#compose(async (step, run) => {
      if (isDead) return await NEVER;
      const fault = this.faults.next(step);
      const fail = async () => {
        if (fault?.kind !== 'kill') {
          if (step.startsWith('leases')) this.#usesFailedAt = this.clock.now();
          throw errorOf(fault ?? { kind: 'bug', moment: 'before' }, step);
        }
        isDead = true;
        this.#living[this.#living.indexOf(living)] = this.#bear();
        die();
        return await NEVER;
      };
      if (fault?.moment === 'before') return await fail();
      const answer = await this.#count(run);
      if (isDead) return await NEVER;
      return fault === undefined ? answer : await fail();
    });
    const living = { process, death };
    return living;
  }

  #compose(gate: ConstructorParameters<typeof MortalProcess>[0]['gate']): MortalProcess {
    const { rule } = this.#options;
    return new MortalProcess({
      database: this.#database,
      blobConnection: this.#blobConnection,
      clock: this.clock,
      rule,
      gate,
    });
  }

  /** What a dead process has sent goes on taking effect. */
  async #count<Answer>(run: () => Promise<Answer>): Promise<Answer> {
    this.#requests += 1;
    try {
      return await run();
    } finally {
      this.#requests -= 1;
    }
  }
}
