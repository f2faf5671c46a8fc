import { benchCosts } from './bench-costs.ts';
import { benchLatency } from './bench-latency.ts';

/** What webhooks and notifications cost, and how soon they come. */
export async function benchWebhooks(quick: boolean): Promise<void> {
  await benchCosts();
  await benchLatency(quick);
}
