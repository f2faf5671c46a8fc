import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RestartPauses } from '../../../infra/local/host/restart-pauses.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('starts what ended at once, then ever later, as long as it keeps ending', () => {
  const pauses = new RestartPauses();
  const next = () => {
    vi.advanceTimersByTime(59_000);
    return pauses.next();
  };
  expect([next(), next(), next(), next(), next(), next(), next()]).toEqual([0, 1, 2, 4, 8, 10, 10]);
});

it('begins anew after a minute without an end', () => {
  const pauses = new RestartPauses();
  expect([pauses.next(), pauses.next()]).toEqual([0, 1]);
  vi.advanceTimersByTime(60_001);
  expect(pauses.next()).toBe(0);
});
