import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ChannelValue,
  isUnderWay,
  percentOf,
  versionOfChannel,
} from '../../../shared/bundles/channels/channel.ts';
import {
  abort,
  activate,
  advance,
  checkStrategy,
  countFailure,
  dueAt,
  pause,
  resume,
  startRollout,
  takeFailureBack,
} from '../../../shared/bundles/channels/rollout.ts';
import { SkerryError } from '../../../shared/platform/errors.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const T0 = Date.parse('2030-01-01T00:00:00Z');
const OLD: ChannelValue = { version: 1 };
const STEPS = [
  { percent: 10, bake: 60 },
  { percent: 50, bake: 120 },
];
const ONE_FAILURE = { steps: STEPS, maxFailures: 1 };
const CONSUMERS = Array.from({ length: 40 }, (_, index) => `host-${index}`);

const started = startRollout(OLD, 2, ONE_FAILURE, T0);

function kindOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(SkerryError);
    return (error as SkerryError).kind;
  }
}

describe('a rollout', () => {
  it('goes step by step until everybody has the new version', () => {
    expect(started).toMatchObject({ version: 1, rollout: { version: 2, state: 'rolling', step: 0 } });
    expect(dueAt(started.rollout)).toBe(T0 + 60_000);
    const second = advance(started, T0 + 60_000);
    expect(second).toMatchObject({ version: 1, rollout: { step: 1 } });
    expect(advance(second, T0 + 180_000)).toMatchObject({
      version: 2,
      previous: 1,
      rollout: { version: 2, state: 'done' },
    });
  });

  it('lets each step bake from its own beginning, however late that is', () => {
    const late = advance(started, T0 + 1_000_000);
    expect(late.rollout?.step).toBe(1);
    expect(dueAt(late.rollout)).toBe(T0 + 1_120_000);
    expect(kindOf(() => advance(late, T0 + 1_119_999))).toBe('conflict');
  });

  it('does not bake while it is paused', () => {
    const paused = pause(started, T0 + 45_500);
    expect(paused.rollout).toMatchObject({ state: 'paused', baked: 45.5 });
    expect(dueAt(paused.rollout)).toBeUndefined();
    const resumed = resume(paused, T0 + 1_000_000);
    expect(dueAt(resumed.rollout)).toBe(T0 + 1_014_500);
    expect(resumed.rollout).not.toHaveProperty('baked');
  });

  it('refuses what its state forbids, and says what it allows', () => {
    const paused = pause(started, T0);
    const aborted = abort(paused, 'Enough.');
    expect(aborted.rollout).toMatchObject({ state: 'aborted', reason: 'Enough.' });
    const refused = [
      () => advance(paused, T0 + 1e9),
      () => pause(aborted, T0),
      () => resume(aborted, T0),
      () => abort(activate(started, 2), ''),
      () => pause(OLD, T0),
    ];
    expect(refused.map(kindOf)).toEqual(refused.map(() => 'conflict'));
    expect(() => resume(aborted, T0)).toThrow('The rollout of version 2 is aborted: nothing to resume.');
  });

  it('stays as it is where it is so already', () => {
    const paused = pause(started, T0);
    const aborted = abort(paused, 'Enough.');
    expect(pause(paused, T0 + 1)).toBe(paused);
    expect(resume(started, T0 + 1)).toBe(started);
    expect(abort(aborted, 'Again.')).toBe(aborted);
  });

  it('fails with the last failure that is tolerated, each consumer counted once', () => {
    const two = startRollout(OLD, 2, { steps: STEPS, maxFailures: 2 }, T0);
    const once = countFailure(two, 2, { consumer: 'a' });
    expect(countFailure(once, 2, { consumer: 'a' })).toBe(once);
    expect(countFailure(once, 3, { consumer: 'b' })).toBe(once);
    const failed = countFailure(once, 2, { consumer: 'b', detail: 'no listener' });
    expect(failed).toMatchObject({
      version: 1,
      rollout: {
        state: 'failed',
        failures: ['a', 'b'],
        reason: '2 consumers, the last of them "b", reported failure: no listener',
      },
    });
    expect(takeFailureBack(failed, 2, 'a')).toBe(failed);
    const takenBack = takeFailureBack(once, 2, 'a');
    expect(takenBack.rollout?.failures).toEqual([]);
    expect(countFailure(takenBack, 2, { consumer: 'b' }).rollout?.state).toBe('rolling');
  });

  it('ends when a version is activated', () => {
    expect(activate(started, 2)).toMatchObject({ version: 2, previous: 1, rollout: { state: 'done' } });
    expect(activate(started, 3)).toMatchObject({ version: 3, rollout: { version: 2, state: 'aborted' } });
    expect(activate(started, 1)).toMatchObject({ version: 1, rollout: { state: 'aborted' } });
    expect(activate(OLD, 1)).toBe(OLD);
    const percents = [activate(started, 2), activate(activate(started, 2), 1), activate(started, 3)].map(
      (channel) => channel.rollout && percentOf(channel, channel.rollout),
    );
    expect(percents, 'of those who get its version at present').toEqual([100, 0, 0]);
    expect(startRollout(started, 1, ONE_FAILURE, T0)).toEqual(activate(started, 1));
    expect(startRollout(started, 3, ONE_FAILURE, T0).rollout).toMatchObject({ version: 3, step: 0 });
  });

  it('goes on when it is asked for again, even where it is paused', () => {
    const paused = pause(started, T0 + 1);
    expect(startRollout(paused, 2, ONE_FAILURE, T0 + 2)).toBe(paused);
    expect(startRollout(paused, 2, { ...ONE_FAILURE, maxFailures: 2 }, T0 + 2).rollout?.state).toBe(
      'rolling',
    );
  });

  it('reaches more consumers with each step', () => {
    expect(kindOf(() => checkStrategy(ONE_FAILURE))).toBeUndefined();
    const falling = [...STEPS, { percent: 50, bake: 1 }];
    expect(kindOf(() => checkStrategy({ steps: falling, maxFailures: 1 }))).toBe('unprocessable');
  });

  it('reaches about as many consumers as its step says', () => {
    const many = Array.from({ length: 4000 }, (_, index) => `consumer-${index}`);
    const reached = many.filter((consumer) => versionOfChannel(started, consumer) === 2).length;
    expect(reached).toBeGreaterThan(300);
    expect(reached).toBeLessThan(500);
    expect(versionOfChannel(started, undefined)).toBe(1);
  });
});

const strategies = fc.record({
  steps: fc
    .uniqueArray(
      fc.record({ percent: fc.integer({ min: 1, max: 100 }), bake: fc.integer({ min: 1, max: 50 }) }),
      {
        minLength: 1,
        maxLength: 5,
        selector: ({ percent }) => percent,
      },
    )
    .map((steps) => steps.toSorted((a, b) => a.percent - b.percent)),
  maxFailures: fc.integer({ min: 1, max: 3 }),
});

const moves = fc.record({
  what: fc.constantFrom('wait', 'wait', 'advance', 'pause', 'resume', 'fail', 'take back', 'abort'),
  seconds: fc.integer({ min: 0, max: 60 }),
  consumer: fc.constantFrom('host-1', 'host-2', 'host-3'),
});
type Move = typeof moves extends fc.Arbitrary<infer Value> ? Value : never;

function make(channel: ChannelValue, { what, consumer }: Move, now: number): ChannelValue {
  switch (what) {
    case 'advance':
      return advance(channel, now);
    case 'pause':
      return pause(channel, now);
    case 'resume':
      return resume(channel, now);
    case 'abort':
      return abort(channel, 'Enough.');
    case 'fail':
      return countFailure(channel, 2, { consumer });
    case 'take back':
      return takeFailureBack(channel, 2, consumer);
    default:
      return channel;
  }
}

function reached(channel: ChannelValue): Set<string> {
  return new Set(CONSUMERS.filter((consumer) => versionOfChannel(channel, consumer) === 2));
}

describe('whatever happens to a rollout', () => {
  it('nobody loses the new version while it is under way, no step is short of baking, and it ends', () => {
    const seed = printedSeed('rollout');
    fc.assert(
      fc.property(strategies, fc.array(moves, { maxLength: 40 }), (strategy, story) => {
        let now = T0;
        let channel = startRollout(OLD, 2, strategy, now);
        /** Milliseconds that the present step has been rolling. */
        let rolled = 0;
        const step = (move: Move) => {
          if (move.what === 'wait') {
            rolled += channel.rollout?.state === 'rolling' ? 1000 * move.seconds : 0;
            now += 1000 * move.seconds;
          }
          const before = channel;
          try {
            channel = make(channel, move, now);
          } catch (error) {
            expect(error).toMatchObject({ kind: 'conflict', fix: expect.any(String) });
          }
          const [was, is] = [before.rollout, channel.rollout];
          const bake = 1000 * (was?.steps[was.step]?.bake ?? 0);
          if (was?.step !== is?.step || (is?.state === 'done' && was?.state !== 'done')) {
            expect(rolled).toBeGreaterThanOrEqual(bake);
            rolled = 0;
          }
          if (isUnderWay(is) || is?.state === 'done') {
            expect(percentOf(channel, is)).toBeGreaterThanOrEqual(
              was === undefined ? 0 : percentOf(before, was),
            );
            expect([...reached(channel)]).toEqual(expect.arrayContaining([...reached(before)]));
          } else {
            expect(reached(channel).size).toBe(0);
            expect(channel.version).toBe(1);
          }
        };
        story.forEach(step);
        if (channel.rollout?.state === 'paused') {
          channel = resume(channel, now);
        }
        for (let left = strategy.steps.length; isUnderWay(channel.rollout); left -= 1) {
          expect(left).toBeGreaterThan(0);
          now = dueAt(channel.rollout) ?? now;
          channel = advance(channel, now);
        }
        expect(channel.version).toBe(channel.rollout?.state === 'done' ? 2 : 1);
      }),
      { seed, numRuns: runs(200, 20_000) },
    );
  });
});
