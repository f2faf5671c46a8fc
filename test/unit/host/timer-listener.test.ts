import { describe, expect, it } from 'vitest';
import type { FunctionDefinition, TimerTrigger } from '../../../infra/local/host/function-definition.ts';
import type { TriggerEvent } from '../../../infra/local/host/invocation.ts';
import { Log } from '../../../infra/local/host/log.ts';
import { TimerListener } from '../../../infra/local/host/timer-listener.ts';
import type { TimerStatus } from '../../../infra/local/host/timer-status.ts';
import { ManualClock } from './manual-clock.ts';

const MINUTE = 60_000;
const NOON = new Date('2026-03-01T12:00:00').getTime();

interface Run {
  readonly at: number;
  readonly isPastDue: boolean;
}

/** A timer that fires each five minutes, looked at from noon. */
async function startTimer(
  options: { stored?: TimerStatus; trigger?: Partial<TimerTrigger>; now?: number } = {},
) {
  const clock = new ManualClock(options.now ?? NOON);
  let { stored } = options;
  const statuses = {
    read: async () => stored,
    write: async (_: string, status: TimerStatus) => {
      stored = status;
    },
  };
  const runs: Run[] = [];
  let running: (() => Promise<void>) | undefined;
  const listener = new TimerListener({
    definition: definition(options.trigger),
    clock,
    statuses,
    log: new Log({ default: 'none' }),
    run: async ({ input }: TriggerEvent) => {
      const { IsPastDue } = JSON.parse((input as { json: string }).json) as { IsPastDue: boolean };
      runs.push({ at: clock.now(), isPastDue: IsPastDue });
      await running?.();
    },
  });
  const stop = new AbortController();
  await listener.start(stop.signal);
  await clock.settle();
  return {
    clock,
    runs,
    stop,
    status: statuses.read,
    whileRunning: (behaviour: () => Promise<void>) => {
      running = behaviour;
    },
  };
}

function definition(trigger: Partial<TimerTrigger> = {}): FunctionDefinition<TimerTrigger> {
  return {
    name: 'timer',
    metadata: { name: 'timer', bindings: {} },
    callback: () => undefined,
    bindingName: 'timer',
    disabled: false,
    trigger: {
      type: 'timerTrigger',
      schedule: '0 */5 * * * *',
      runOnStartup: false,
      useMonitor: true,
      ...trigger,
    },
  };
}

describe('a timer', () => {
  it('waits for its next occurrence and remembers each run', async () => {
    const { clock, runs, status } = await startTimer();
    expect(await status()).toEqual({ last: 0, next: NOON + 5 * MINUTE, lastUpdated: NOON });
    await clock.advance(5 * MINUTE - 1);
    expect(runs).toEqual([]);
    await clock.advance(1);
    await clock.advance(5 * MINUTE);
    expect(runs.map(({ at }) => at)).toEqual([NOON + 5 * MINUTE, NOON + 10 * MINUTE]);
    const ran = NOON + 10 * MINUTE;
    expect(await status()).toEqual({ last: ran, next: ran + 5 * MINUTE, lastUpdated: ran });
  });

  it('makes up for what it missed, once', async () => {
    const stored = { last: NOON - 20 * MINUTE, next: NOON - 15 * MINUTE, lastUpdated: NOON - 20 * MINUTE };
    const { clock, runs } = await startTimer({ stored });
    expect(runs).toEqual([{ at: NOON, isPastDue: true }]);
    await clock.advance(5 * MINUTE);
    expect(runs[1]).toEqual({ at: NOON + 5 * MINUTE, isPastDue: false });
  });

  it('does not make up for a schedule that has changed', async () => {
    const stored = { last: NOON - 20 * MINUTE, next: NOON - 13 * MINUTE, lastUpdated: NOON - 20 * MINUTE };
    const { runs, status } = await startTimer({ stored });
    expect(runs).toEqual([]);
    expect((await status())?.next).toBe(NOON + 5 * MINUTE);
  });

  it('remembers nothing without useMonitor', async () => {
    const stored = { last: NOON - 20 * MINUTE, next: NOON - 15 * MINUTE, lastUpdated: NOON - 20 * MINUTE };
    const { runs, clock, status } = await startTimer({ stored, trigger: { useMonitor: false } });
    await clock.advance(5 * MINUTE);
    expect(runs).toEqual([{ at: NOON + 5 * MINUTE, isPastDue: false }]);
    expect(await status()).toEqual(stored);
  });

  it('never runs twice at once: what it slept through becomes one run, which is not past due', async () => {
    const { clock, runs, whileRunning } = await startTimer();
    whileRunning(() => clock.sleep(12 * MINUTE, new AbortController().signal));
    await clock.advance(5 * MINUTE);
    await clock.advance(11 * MINUTE);
    expect(runs).toHaveLength(1);
    await clock.advance(MINUTE);
    expect(runs).toEqual([
      { at: NOON + 5 * MINUTE, isPastDue: false },
      { at: NOON + 17 * MINUTE, isPastDue: false },
    ]);
  });

  it('goes on after a failure', async () => {
    const { clock, runs, whileRunning } = await startTimer();
    whileRunning(async () => {
      throw new Error('no luck');
    });
    await clock.advance(5 * MINUTE);
    await clock.advance(5 * MINUTE);
    expect(runs).toHaveLength(2);
  });

  it('fires no more once it is stopped', async () => {
    const { clock, runs, stop } = await startTimer({ trigger: { runOnStartup: true } });
    stop.abort();
    await clock.advance(50 * MINUTE);
    expect(runs).toHaveLength(1);
    expect(clock.pending).toEqual([]);
  });
});
