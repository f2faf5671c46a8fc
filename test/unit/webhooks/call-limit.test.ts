import { expect, test } from 'vitest';
import { CallLimit, type Leave } from '../../../shared/webhooks/endpoint/call-limit.ts';
import { SteppedClock } from './stepped-clock.ts';

async function enterTimes(limit: CallLimit, count: number): Promise<Leave[]> {
  const leaves = await Promise.all(Array.from({ length: count }, () => limit.enter()));
  return leaves.filter((leave) => leave !== undefined);
}

test('ten calls run at a time, and a burst to a fast endpoint waits for its turn', async () => {
  const clock = new SteppedClock();
  const limit = new CallLimit(clock);
  const running = await enterTimes(limit, 10);
  const burst = Array.from({ length: 100 }, () => limit.enter());
  let served = 0;
  for (const turn of burst) {
    running.shift()?.();
    const leave = await turn;
    expect(leave).toBeDefined();
    running.push(leave as Leave);
    served += 1;
  }
  expect(served).toBe(100);
});

test('who waits in vain is turned away after a moment', async () => {
  const clock = new SteppedClock();
  const limit = new CallLimit(clock);
  await enterTimes(limit, 10);
  const late = limit.enter();
  await clock.advance(200);
  expect(await late).toBeUndefined();
});

test('at a slow endpoint nobody waits', async () => {
  const clock = new SteppedClock();
  const limit = new CallLimit(clock);
  const [first] = await enterTimes(limit, 10);
  await clock.advance(5_000);
  expect(await limit.enter()).toBeUndefined();
  first?.();
  expect(await limit.enter()).toBeDefined();
  expect(await limit.enter()).toBeUndefined();
});

test('a call that is over twice makes room once', async () => {
  const limit = new CallLimit(new SteppedClock());
  const [first] = await enterTimes(limit, 10);
  first?.();
  first?.();
  const late = await Promise.race([
    Promise.all([limit.enter(), limit.enter()]),
    new Promise<'waits'>((resolve) => setImmediate(() => resolve('waits'))),
  ]);
  expect(late).toBe('waits');
});
