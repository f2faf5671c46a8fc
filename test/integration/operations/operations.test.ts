import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Executor, StepOutcome, StepRequest } from '../../../shared/operations/index.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { TestClock } from '../registry/registry-fixture.ts';
import { type Built, partKey, placeKey, placeScope } from './build-rule.ts';
import { MemoryBus } from './memory-bus.ts';
import { buildCommand, chain, NS, OperationProcess } from './operation-process.ts';

let cosmos: CosmosFixture;

beforeAll(async () => {
  cosmos = await startCosmos();
});

afterAll(async () => {
  await cosmos?.stop();
});

type Work = (request: StepRequest, handle?: unknown) => StepOutcome | Promise<StepOutcome>;

class World {
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
  readonly process = this.open();

  open(): OperationProcess {
    const { clock, bus, executor } = this;
    return new OperationProcess({ database: cosmos.connect(), clock, queues: bus, executor });
  }

  /** Handles messages until there are none whose time has come. */
  async run(process = this.process): Promise<void> {
    for (;;) {
      const commands = this.bus.takeCommands();
      const messages = this.bus.takeSteps();
      if (commands.length + messages.length === 0) return;
      for (const { command, session } of commands) await process.commands.accept(command, session);
      await Promise.all(
        messages.map((message) =>
          message.task === 'advance' ? process.advance.operation(message) : process.attempts.handle(message),
        ),
      );
    }
  }

  async built(place: string): Promise<string | undefined> {
    const record = await this.process.records.get<Built>(placeScope(place), placeKey(place));
    return record?.value.state;
  }
}

let places = 0;
function newPlace(): string {
  places += 1;
  return `place${places}`;
}

it('builds a chain of steps, one after the other, and tells the end when the place is built', async () => {
  const world = new World();
  const place = newPlace();
  const accepted = await world.process.commands.send(
    buildCommand('1', { place, steps: chain('a', 'b', 'c') }),
  );
  expect(accepted).toMatchObject({ state: 'queued', session: place });
  await world.run();
  const { operation, steps } = await world.process.operations.whole(NS, accepted.id);
  expect(operation).toMatchObject({ state: 'succeeded', stepCount: 3, fence: 1 });
  expect(steps.map(({ id, state, attempts }) => [id, state, attempts])).toEqual([
    ['a', 'succeeded', 1],
    ['b', 'succeeded', 1],
    ['c', 'succeeded', 1],
  ]);
  expect(world.requests.map(({ step }) => step)).toEqual(['a', 'b', 'c']);
  expect(await world.built(place)).toBe('succeeded');
  const part = await world.process.records.get<Built>(placeScope(place), partKey(place, 'c'));
  expect(part?.value).toEqual({ state: 'succeeded', by: accepted.id });
});
