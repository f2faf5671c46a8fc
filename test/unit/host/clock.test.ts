import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { hostClock } from '../../../infra/local/host/clock.ts';

const DAY = 86_400_000;

it('lets all else have its turn even in a sleep of no length', async () => {
  let turns = 0;
  const turn = () => {
    turns += 1;
  };
  setImmediate(turn);
  await hostClock.sleep(0, new AbortController().signal);
  expect(turns).toBe(1);
});

it('takes a time that has passed for one of no length, without a warning', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  await hostClock.sleep(-5, new AbortController().signal);
  expect(warnings).toEqual([]);
});

it('sleeps longer than a timer can, until the signal aborts', async () => {
  const stop = new AbortController();
  const sleep = hostClock.sleep(30 * DAY, stop.signal).then(() => 'awake');
  expect(await Promise.race([sleep, delay(20, 'asleep')])).toBe('asleep');
  stop.abort();
  expect(await sleep).toBe('awake');
});
