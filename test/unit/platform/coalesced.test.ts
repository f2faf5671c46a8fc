import { describe, expect, it } from 'vitest';
import { Coalesced } from '../../../shared/platform/coalesced.ts';

describe('Coalesced', () => {
  it('answers who asked during a run by a later run, shared with all who asked meanwhile', async () => {
    const runs: PromiseWithResolvers<number>[] = [];
    const coalesced = new Coalesced(() => {
      const run = Promise.withResolvers<number>();
      runs.push(run);
      return run.promise;
    });
    const first = coalesced.ask();
    await expect.poll(() => runs.length).toBe(1);
    const second = coalesced.ask();
    const third = coalesced.ask();
    runs[0]?.resolve(1);
    expect(await first).toBe(1);
    await expect.poll(() => runs.length).toBe(2);
    runs[1]?.resolve(2);
    expect(await Promise.all([second, third])).toEqual([2, 2]);
    expect(runs.length).toBe(2);
  });

  it('runs again after a failure', async () => {
    let run = 0;
    const coalesced = new Coalesced(async () => {
      run += 1;
      if (run === 1) {
        throw new Error('first');
      }
      return run;
    });
    await expect(coalesced.ask()).rejects.toThrow('first');
    expect(await coalesced.ask()).toBe(2);
  });
});
