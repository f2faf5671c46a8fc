import type {
  CommandRule,
  Executor,
  OperationLimits,
  StepOutcome,
  StepRequest,
} from '../../../shared/operations/index.ts';
import type { CallerOf } from '../../../shared/platform/http/index.ts';
import { anyMaker } from '../any-maker.ts';
import type { CosmosFixture } from '../cosmos-fixture.ts';
import type { Gate } from '../interleaving.ts';
import { TestClock } from '../registry/registry-fixture.ts';
import { type Built, laneKey, placeKey, placeScope } from './build-rule.ts';
import { MemoryBus } from './memory-bus.ts';
import { OperationProcess } from './operation-process.ts';

export const DONE = { state: 'succeeded' } as const;

type Work = (request: StepRequest, handle?: unknown) => StepOutcome | Promise<StepOutcome>;

/** Operations of one process, whose bus, clock and executor are a test's. */
export class World {
  readonly clock = new TestClock();
  readonly bus = new MemoryBus(this.clock);
  readonly requests: StepRequest[] = [];
  work: Work = () => ({ state: 'succeeded' });
  readonly executor: Executor = {
    start: async (request) => {
      this.requests.push(request);
      return await this.work(request);
    },
    poll: async (request, handle) => await this.work(request, handle),
    cancel: async ({ step }) => {
      this.cancelled.push(step);
    },
  };
  readonly cancelled: string[] = [];
  /** What senders of commands may do. */
  callerOf: CallerOf = anyMaker;
  readonly process: OperationProcess;
  readonly #cosmos: CosmosFixture;
  readonly #limits: Partial<OperationLimits>;

  constructor(cosmos: CosmosFixture, limits: Partial<OperationLimits> = {}) {
    this.#cosmos = cosmos;
    this.#limits = limits;
    this.process = this.open();
  }

  /** A process over the same database and bus. */
  open(gate?: Gate, rules?: readonly CommandRule[]): OperationProcess {
    const { clock, bus, executor } = this;
    const limits = this.#limits;
    return new OperationProcess({
      database: this.#cosmos.connect(),
      clock,
      queues: bus,
      executor,
      limits,
      callerOf: (maker) => this.callerOf(maker),
      ...(gate !== undefined && { gate }),
      ...(rules !== undefined && { rules }),
    });
  }

  /** Handles messages until there are none whose time has come. */
  readonly run = async (): Promise<void> => {
    const { process } = this;
    for (;;) {
      const commands = this.bus.takeCommands();
      const messages = this.bus.takeSteps();
      if (commands.length + messages.length === 0) return;
      for (const { command, session } of commands) await process.commands.accept(command, session);
      await Promise.all(messages.map((message) => process.handle(message)));
    }
  };

  readonly built = async (place: string): Promise<string | undefined> => {
    const record = await this.process.records.get<Built>(placeScope(place), placeKey(place));
    return record?.value.state;
  };
}

export function laneOf(place: string) {
  return { scope: placeScope(place), key: laneKey(place), session: place };
}

let places = 0;
export function newPlace(): string {
  places += 1;
  return `place${places}`;
}
