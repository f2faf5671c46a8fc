import { describe, expect, it } from 'vitest';
import { momentOf, Renewal } from '../../../client/election/renewal.ts';
import { type ManualTiming, manualTiming } from './manual-timing.ts';

const TTL = 15;

describe('what is renewed', () => {
  it('is held as long as its renewals are granted, three times a ttl', async () => {
    const timing = manualTiming();
    let renewals = 0;
    const renewal = hold(timing, async () => {
      renewals += 1;
      return true;
    });
    await timing.pass(60_000);
    expect(renewal.isHeld).toBe(true);
    expect(renewals).toBe(12);
    renewal.end(new Error('enough'));
    await timing.pass(60_000);
    expect(renewals).toBe(12);
  });

  it('is lost a ttl after the last renewal that was granted was sent, however long its answer took', async () => {
    const timing = manualTiming();
    let attempts = 0;
    // Sent after 5 s, answered after 9 s; nothing is answered any more from then on.
    const renewal = hold(timing, async (signal) => {
      attempts += 1;
      if (attempts > 1) throw new Error('unreachable');
      await timing.wait(4_000, signal);
      return true;
    });
    await timing.pass(19_999);
    expect(renewal.isHeld).toBe(true);
    await timing.pass(1);
    expect(renewal.signal.aborted).toBe(true);
    expect(attempts).toBeGreaterThan(3);
  });

  it('is lost at once when Skerry says so', async () => {
    const timing = manualTiming();
    const renewal = hold(timing, async () => false);
    await timing.pass(5_000);
    expect(renewal.isHeld).toBe(false);
    expect(renewal.signal.reason).toMatchObject({ message: 'The test is held no more.' });
  });

  it('is known to be lost before any timer says so, when the machine has slept', () => {
    const timing = manualTiming();
    const renewal = hold(timing, async () => true);
    timing.jump(TTL * 1000);
    expect(renewal.isHeld).toBe(false);
    renewal.end(undefined);
  });
});

function hold(timing: ManualTiming, renew: (signal: AbortSignal) => Promise<boolean>): Renewal {
  return new Renewal({ name: 'The test', ttl: TTL, sentAt: momentOf(timing), renew, timing });
}
