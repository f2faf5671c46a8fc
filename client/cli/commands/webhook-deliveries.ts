import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { oneLine } from '../one-line.ts';
import { UsageError } from '../usage-error.ts';
import { DELIVERY_COLUMNS, deliveryRow } from '../webhooks/delivery-row.ts';
import { findSubscriptionId } from '../webhooks/find-subscription.ts';

/** Of deliveries, which can be large: each holds the beginning of an answer. */
const PAGE = 100;

const deliveries = defineCommand({
  name: 'webhooks deliveries',
  summary: 'Shows what became of the changes that a subscription is told of, the newest first',
  notes: 'With --json, with every attempt and the beginning of the last answer.',
  args: ['<subscription>'],
  flags: {
    state: {
      placeholder: 'STATE',
      choices: ['pending', 'held', 'delivered', 'dead'],
      summary: 'only those in this state: pending, held, delivered or dead',
    },
    limit: { placeholder: 'N', isNumber: true, summary: 'at most so many (100)' },
  },
  examples: ['skerry webhooks deliveries billing', 'skerry webhooks deliveries billing --state dead --json'],
  async run({ args, flags, client, output, signal }) {
    const { state, limit = 100 } = flags;
    const id = await findSubscriptionId(args.subscription, { client, signal });
    const newest = client.webhooks.deliveries(id, { state, limit: Math.min(limit, PAGE) || 1, signal });
    const items = await collect(newest, limit);
    output.table({ items }, DELIVERY_COLUMNS, () => items.map(deliveryRow));
    return undefined;
  },
});

const retry = defineCommand({
  name: 'webhooks retry',
  summary: 'Delivers a change once more, whatever became of it before',
  args: ['<subscription>', '<delivery>'],
  flags: {},
  examples: ['skerry webhooks retry billing dlv_4n2p8x0c7q'],
  async run({ args, client, output, signal }) {
    const id = await findSubscriptionId(args.subscription, { client, signal });
    await client.webhooks.retry(id, args.delivery, { signal });
    output.document({ delivery: args.delivery, retried: true }, () => `${args.delivery} is delivered again`);
    return undefined;
  },
});

const recover = defineCommand({
  name: 'webhooks recover',
  summary: 'Delivers what a subscription did not get since a time: what is dead, or was never tried',
  notes:
    'SINCE is a time (2026-11-26T12:00:00Z) or how long ago that was (90s, 15m, 6h, 2d). Skerry does it in the background.',
  args: ['<subscription>', '<since>'],
  flags: {},
  examples: ['skerry webhooks recover billing 6h', 'skerry webhooks recover billing 2026-11-26T12:00:00Z'],
  async run({ args, client, output, signal }) {
    const id = await findSubscriptionId(args.subscription, { client, signal });
    const since = readSince(args.since);
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

export const webhookDeliveriesCommands = [deliveries, retry, recover, test];

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** @returns RFC 3339, UTC. */
function readSince(text: string): string {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const time =
    count === undefined ? Date.parse(text) : Date.now() - Number(count) * (UNITS[unit] ?? 0) * 1000;
  if (!/^\d+[smhd]$|^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(time)) {
    throw new UsageError(
      `SINCE takes a time such as 2026-11-26T12:00:00Z, or a duration such as 15m, not "${text}".`,
    );
  }
  return new Date(time).toISOString();
}
