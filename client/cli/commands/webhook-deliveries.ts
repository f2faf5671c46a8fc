import type { Delivery } from '../../webhooks/delivery.ts';
import type { Percentiles } from '../../webhooks/statistics.ts';
import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { formatTable } from '../format-table.ts';
import { notFound } from '../not-found.ts';
import { oneLine } from '../one-line.ts';
import { readTime } from '../read-time.ts';
import { showFacts } from '../show-facts.ts';
import { DELIVERY_COLUMNS, deliveryRow } from '../webhooks/delivery-row.ts';
import { findSubscriptionId } from '../webhooks/find-subscription.ts';

/** Of deliveries, each with up to 50 attempts. */
const PAGE = 100;

const deliveries = defineCommand({
  name: 'webhooks deliveries',
  summary: 'Shows what became of the changes that a subscription is told of, the newest first',
  notes: 'With DELIVERY only that one, with its attempts and the beginning of the last answer.',
  args: ['<subscription>', '[delivery]'],
  flags: {
    state: {
      placeholder: 'STATE',
      choices: ['pending', 'held', 'delivered', 'dead'],
      summary: 'only those in this state',
    },
    limit: { placeholder: 'N', isNumber: true, summary: 'at most so many (100)' },
  },
  examples: [
    'skerry webhooks deliveries billing --state dead',
    'skerry webhooks deliveries billing dlv_k5anp5hjqefzv4hyqsm8kbwpw0',
  ],
  async run({ args, flags, client, output, signal }) {
    const { state, limit = 100 } = flags;
    const id = await findSubscriptionId(args.subscription, { client, signal });
    if (args.delivery !== undefined) {
      const delivery = await client.webhooks.delivery(id, args.delivery, { signal });
      if (delivery === undefined) throw notFound(`There is no delivery "${args.delivery}" to ${id}.`);
      output.document(delivery, () => describeDelivery(delivery));
      return undefined;
    }
    const newest = client.webhooks.deliveries(id, { state, limit: Math.min(limit, PAGE) || 1, signal });
    const items = await collect(newest, limit);
    output.table({ items }, DELIVERY_COLUMNS, () => items.map(deliveryRow));
    return undefined;
  },
});

const retry = defineCommand({
  name: 'webhooks retry',
  summary: 'Makes a delivery again at once, whatever became of it before',
  args: ['<subscription>', '<delivery>'],
  flags: {},
  examples: ['skerry webhooks retry billing dlv_k5anp5hjqefzv4hyqsm8kbwpw0'],
  async run({ args, client, output, signal }) {
    const id = await findSubscriptionId(args.subscription, { client, signal });
    const before = await client.webhooks.retry(id, args.delivery, { signal });
    output.document(before, () => `${before.id}, which was ${before.state}, is delivered again`);
    return undefined;
  },
});

const recover = defineCommand({
  name: 'webhooks recover',
  summary: 'Delivers what a subscription did not get since a time: what is dead, or was never tried',
  notes:
    'SINCE is a time (2026-11-26T12:00:00Z) or how long ago that was (90s, 15m, 6h, 2d); it may be before the subscription. Skerry goes through its history after the answer.',
  args: ['<subscription>', '<since>'],
  flags: {},
  examples: ['skerry webhooks recover billing 6h', 'skerry webhooks recover billing 2026-11-26T12:00:00Z'],
  async run({ args, client, output, signal }) {
    const id = await findSubscriptionId(args.subscription, { client, signal });
    const since = readTime(args.since, 'SINCE');
    const { run } = await client.webhooks.recover(id, since, { signal });
    output.document({ run, since }, () => `recovering what ${id} missed since ${since}, as ${run}`);
    return undefined;
  },
});

const test = defineCommand({
  name: 'webhooks test',
  summary: 'Calls the endpoint with an event of type skerry.test, and shows what it answers',
  notes: 'Ends with exit code 1 where the endpoint does not take it.',
  args: ['<subscription>'],
  flags: {},
  examples: ['skerry webhooks test billing'],
  async run({ args, client, output, signal }) {
    const id = await findSubscriptionId(args.subscription, { client, signal });
    const result = await client.webhooks.test(id, { signal });
    const { status, durationMs, error, response } = result;
    output.document(result, () => {
      const outcome = error ?? `it took it (${status})`;
      const said = response === undefined || response === '' ? '' : `\n${oneLine(response)}`;
      return `${outcome}, after ${Math.round(durationMs)} ms${said}`;
    });
    return error === undefined ? undefined : EXIT.failed;
  },
});

const statistics = defineCommand({
  name: 'webhooks statistics',
  summary: 'Shows how the deliveries of a subscription go, and how its endpoint is',
  args: ['<subscription>'],
  flags: {},
  examples: ['skerry webhooks statistics billing'],
  async run({ args, client, output, signal }) {
    const id = await findSubscriptionId(args.subscription, { client, signal });
    const { states, endpoint, latest } = await client.webhooks.statistics(id, { signal });
    output.document({ states, endpoint, latest }, () =>
      showFacts({
        ...states,
        endpoint: endpoint.state,
        'failures in a row': endpoint.failures,
        'failing since': endpoint.failingSince,
        'not called until': endpoint.openUntil,
        'would be disabled': endpoint.disablesAt,
        'allowed a minute': endpoint.ratePerMinute,
        'attempts that succeeded': showShare(latest.successRate),
        'an attempt took': showPercentiles(latest.durationMs),
        'until delivered': showPercentiles(latest.lagMs),
      }),
    );
    return undefined;
  },
});

export const webhookDeliveriesCommands = [deliveries, retry, recover, test, statistics];

function describeDelivery(delivery: Delivery): string {
  const { id, subscription, key, revision, createdAt, nextAt, attempts, lastResponse } = delivery;
  const { state, reason, replays } = delivery;
  const times = { created: createdAt, next: nextAt };
  const facts = showFacts({ id, subscription, key, revision, state, reason, replays, ...times });
  const made = attempts.map(({ at, durationMs, status, error }) => [
    at,
    `${Math.round(durationMs)} ms`,
    status,
    error,
  ]);
  const table = formatTable(['ATTEMPT', 'TOOK', 'STATUS', 'ERROR'], made);
  return [facts, table, ...(lastResponse ? [oneLine(lastResponse)] : [])].join('\n\n');
}

function showShare(share: number | undefined): string | undefined {
  return share === undefined ? undefined : `${(share * 100).toFixed(1)} %`;
}

function showPercentiles({ p50, p99 }: Percentiles): string | undefined {
  return p50 === undefined || p99 === undefined
    ? undefined
    : `${Math.round(p50)} ms (p50), ${Math.round(p99)} ms (p99)`;
}
