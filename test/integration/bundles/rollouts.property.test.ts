import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundleScope, channelKey } from '../../../shared/bundles/bundle.ts';
import { isUnderWay } from '../../../shared/bundles/channels/channel.ts';
import { Actor } from '../interleaving.ts';
import { printedSeed, runs, seededRandom } from '../seeded-runs.ts';
import { AUTHOR, type ChannelsFixture, NS, type Process, PUT, startChannels } from './channels-fixture.ts';

const BAKE = 40;
const STRATEGY = {
  steps: [
    { percent: 10, bake: BAKE },
    { percent: 50, bake: BAKE },
  ],
  maxFailures: 1,
};
const SWEEP_INTERVAL = 30;
/** Seconds by which the clock of the writer is ahead or behind. */
const MAX_SKEW = 60;
/** Sweeps until a step has baked, and one to look after what died. */
const SWEEPS_PER_STEP = Math.ceil((BAKE + MAX_SKEW) / SWEEP_INTERVAL) + 1;
/** Seconds that pass while a write is under way; the protocol bears 100. */
const MAX_DELAY = 90;

let fixture: ChannelsFixture;

beforeAll(async () => {
  fixture = await startChannels();
});

afterAll(async () => {
  await fixture?.stop();
});

const moments = fc.record({
  move: fc.constantFrom('roll 2', 'roll 2', 'roll 3', 'pause', 'resume', 'resume', 'abort'),
  /** Steps of the storage after which the writer dies, and the sweep. */
  writerDies: fc.option(fc.integer({ min: 0, max: 8 })),
  sweepDies: fc.option(fc.integer({ min: 0, max: 8 })),
  /** Before which step of both so many seconds pass. */
  delayAt: fc.nat(8),
  delay: fc.nat(MAX_DELAY),
  seconds: fc.nat(90),
  schedule: fc.nat(2 ** 31),
  /** Of the next writer. */
  secondsAhead: fc.integer({ min: -MAX_SKEW, max: MAX_SKEW }),
});
type Moment = typeof moments extends fc.Arbitrary<infer Value> ? Value : never;

interface Mortal {
  readonly actor: Actor;
  readonly process: Process;
}

function birth(secondsAhead = 0): Mortal {
  const actor = new Actor();
  return { actor, process: fixture.openProcess(actor.gate, secondsAhead) };
}

async function make({ channels }: Process, name: string, move: Moment['move']): Promise<unknown> {
  const address = { ns: NS, name, channel: 'prod' };
  return move === 'roll 2' || move === 'roll 3'
    ? await channels.put(address, { version: move.slice(-1), strategy: STRATEGY }, PUT)
    : await channels.move(address, move, AUTHOR);
}

/** A writer and a sweep take their steps in any order, and each may die between two of them. */
async function live(name: string, moment: Moment, writer: Mortal, sweeper: Mortal): Promise<void> {
  const random = seededRandom(moment.schedule);
  const lives = [
    { ...writer, left: moment.writerDies ?? Number.POSITIVE_INFINITY },
    { ...sweeper, left: moment.sweepDies ?? Number.POSITIVE_INFINITY },
  ];
  void writer.actor.start(() => make(writer.process, name, moment.move));
  void sweeper.actor.start(() => sweeper.process.sweep());
  await Promise.all(lives.map(({ actor }) => actor.arrive()));
  for (let step = 0; ; step += 1) {
    if (step === moment.delayAt) fixture.clock.advance(moment.delay);
    const acting = lives.filter(({ actor }) => !actor.isFinished);
    const chosen = acting[Math.floor(random() * acting.length)];
    if (chosen === undefined) return;
    if (chosen.left === 0) {
      chosen.actor.kill();
    } else {
      chosen.left -= 1;
      await chosen.actor.step();
    }
  }
}

it('every rollout ends in time, whoever dies between which steps', async () => {
  const seed = printedSeed('rollouts');
  const healthy = fixture.openProcess();
  await fc.assert(
    fc.asyncProperty(fc.array(moments, { minLength: 1, maxLength: 5 }), async (story) => {
      const name = await fixture.newBundle(3);
      const address = { ns: NS, name, channel: 'prod' };
      await healthy.channels.put(address, { version: '1' }, PUT);
      let [writer, sweeper] = [birth(-MAX_SKEW), birth()];
      for (const moment of story) {
        await live(name, moment, writer, sweeper);
        if (moment.writerDies !== null) writer = birth(moment.secondsAhead);
        if (moment.sweepDies !== null) sweeper = birth();
        fixture.clock.advance(moment.seconds);
      }
      if ((await healthy.channels.get(address)).rollout?.state === 'paused') {
        await healthy.channels.move(address, 'resume', AUTHOR);
      }
      let sweeps = 0;
      while (isUnderWay((await healthy.channels.get(address)).rollout)) {
        expect(sweeps).toBeLessThan(STRATEGY.steps.length * SWEEPS_PER_STEP);
        fixture.clock.advance(SWEEP_INTERVAL);
        expect(await healthy.sweep()).toMatchObject({ failed: [] });
        sweeps += 1;
      }
      fixture.clock.advance(300);
      await healthy.sweep();
      fixture.clock.advance(2 * BAKE); // An alarm that was moved for a rollout that was ended before.
      await healthy.sweep();
      expect(await healthy.leases.read(bundleScope(NS, name), channelKey(name, 'prod'))).toBeUndefined();
    }),
    { seed, numRuns: runs(8, 300) },
  );
});
