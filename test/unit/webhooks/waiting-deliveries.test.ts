import { expect, test } from 'vitest';
import { Deliveries, type DeliveriesOptions, type WaitForEndpoint } from '../../../shared/webhooks/index.ts';
import { anyMaker } from '../../integration/any-maker.ts';
import { SteppedClock } from './stepped-clock.ts';
import { subscriptionTo } from './subscription-to.ts';

const clock = new SteppedClock();

/** When the message that was put off for the third time is scheduled, in milliseconds from now. */
async function timeAfter(wait: Omit<WaitForEndpoint, 'kind'>): Promise<number> {
  const times: number[] = [];
  const parts = {
    clock,
    random: { fraction: () => 1 },
    records: { readChange: async () => ({ at: new Date(clock.now()).toISOString() }) },
    subscriptions: { find: async () => subscriptionTo('http://127.0.0.1:1/') },
    storage: { create: async (delivery: unknown) => ({ delivery, etag: '' }), read: async () => undefined },
    queue: { schedule: async (_: unknown, at: number) => times.push(at - clock.now()) },
    gate: { call: async () => ({ kind: 'wait', ...wait }) },
    callerOf: anyMaker,
    clockSkewMilliseconds: 0,
  };
  const message = { scope: 'default:app:', revision: 1, key: '/app/a', subscription: 's', attempt: 1 };
  await new Deliveries(parts as unknown as DeliveriesOptions).handle(
    { ...message, postponed: 2, replay: 1 },
    console,
  );
  expect(times).toHaveLength(1);
  return times[0] ?? 0;
}

test('what waits for an endpoint comes at the time that is its own, or else later each time and not with all others', async () => {
  const until = clock.now() + 1_000;
  expect(await timeAfter({ until, isOwn: true })).toBe(1_000);
  expect(await timeAfter({ until })).toBe(1.2 * 4_000);
});
