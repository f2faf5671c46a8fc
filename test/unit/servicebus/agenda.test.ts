import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Agenda } from '../../../infra/local/servicebus/broker/agenda.ts';
import { ManualClock } from './manual-clock.ts';

it('keeps what is still current in the order of its times, never early', async () => {
  const plan = fc.array(fc.record({ delay: fc.nat(5_000), current: fc.boolean() }), { maxLength: 3_000 });
  await fc.assert(
    fc.asyncProperty(plan, async (items) => {
      const clock = new ManualClock();
      const start = clock.now();
      const ran: number[] = [];
      const agenda = new Agenda(clock);
      for (const { delay, current } of items) {
        const keep = () => {
          expect(clock.now()).toBeGreaterThanOrEqual(start + delay);
          ran.push(delay);
        };
        agenda.add(start + delay, { isCurrent: () => current, keep });
      }
      await clock.advance(5_000);
      const current = items.filter((item) => item.current).map(({ delay }) => delay);
      expect(ran).toEqual(current.sort((left, right) => left - right));
    }),
    { numRuns: 20 },
  );
});
