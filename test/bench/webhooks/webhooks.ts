import { benchBurst } from './bench-burst.ts';
import { benchCosts } from './bench-costs.ts';
import { benchLatency } from './bench-latency.ts';
import { benchPending } from './bench-pending.ts';
import { benchSpending } from './bench-spending.ts';
import { benchTimeouts } from './bench-timeouts.ts';

/** What webhooks and notifications cost, and how soon they come. */
export async function benchWebhooks(quick: boolean): Promise<void> {
  await benchSpending();
  await benchCosts();
  await benchLatency(quick);
  await benchBurst(quick);
  await benchTimeouts(quick);
  await benchPending(quick);
}
