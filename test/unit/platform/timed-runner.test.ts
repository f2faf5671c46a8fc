import { expect, it } from 'vitest';
import { createTimedRunner, isOutOfTime } from '../../../shared/platform/timed-runner.ts';

const STILL = new Int32Array(new SharedArrayBuffer(4));

it('stops work that computes for too long', () => {
  const endless = () => {
    for (;;);
  };
  expect(createTimedRunner(50)(endless, isOutOfTime)).toBe(true);
});

it('begins work again for which the machine left no time, and gives up at last', () => {
  const run = createTimedRunner(50);
  let tries = 0;
  const heldUp = (times: number) => () => {
    tries += 1;
    if (tries <= times) Atomics.wait(STILL, 0, 0, 10_000);
    return 'done';
  };
  expect(run(heldUp(1), String)).toBe('done');
  tries = 0;
  expect(run(heldUp(9), (fault) => String(isOutOfTime(fault)))).toBe('true');
  expect(tries).toBe(4);
});
