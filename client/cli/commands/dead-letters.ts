import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { UsageError } from '../usage-error.ts';
import { DELIVERY_COLUMNS, deliveryRow } from '../webhooks/delivery-row.ts';
import { findSubscriptionId } from '../webhooks/find-subscription.ts';

/** Own what the topic of the bus, and the targets of replies, did not take (docs/bus.md). */
const ON_BUS: readonly string[] = ['notifications', 'replies'];

const SUBSCRIPTION_FLAG = { placeholder: 'SUBSCRIPTION', summary: 'those of this subscription' } as const;

const QUEUE_FLAG = {
  placeholder: 'QUEUE',
  choices: ['deliveries'],
  summary: 'instead, the messages of this queue that the broker gave up (deliveries)',
} as const;

const list = defineCommand({
  name: 'dead-letters list',
  summary: 'Lists the deliveries that nobody will try again, the newest first',
  notes:
    'Also those to subscriptions that are gone; and, as "notifications" and "replies", the changes that the topic of the bus, or who wanted a reply, did not take.',
  args: [],
  flags: {
    subscription: SUBSCRIPTION_FLAG,
    queue: QUEUE_FLAG,
    limit: { placeholder: 'N', isNumber: true, summary: 'at most so many (100)' },
  },
  examples: ['skerry dead-letters list', 'skerry dead-letters list --subscription billing --json'],
  async run({ flags, client, output, signal }) {
    const { limit = 100, queue } = flags;
    const page = { limit: Math.min(limit, 100) || 1, signal };
    if (queue !== undefined) {
      refuseBeside(queue, flags.subscription);
      const messages = await collect(client.deadLetters.messages(page), limit);
      output.table({ items: messages }, ['MESSAGE', 'ENQUEUED', 'REASON', 'DESCRIPTION', 'BODY'], () =>
        messages.map(({ sequenceNumber, enqueuedAt, reason, description, body }) => [
          sequenceNumber,
          enqueuedAt,
          reason,
          description,
          body,
        ]),
      );
      return undefined;
    }
    const subscription = flags.subscription && (await findOwner(flags.subscription, { client, signal }));
    const items = await collect(client.deadLetters.list({ ...page, subscription }), limit);
    output.table({ items }, [...DELIVERY_COLUMNS, 'SUBSCRIPTION'], () =>
      items.map((delivery) => [...deliveryRow(delivery), delivery.subscription]),
    );
    return undefined;
  },
});

const replay = defineCommand({
  name: 'dead-letters replay',
  summary: 'Has dead deliveries made again',
  notes: 'Of active subscriptions only: what is skipped is told, and ends with exit code 4.',
  args: ['[delivery...]'],
  flags: {
    subscription: { ...SUBSCRIPTION_FLAG, summary: 'those of this subscription, or of them only DELIVERY' },
    all: { summary: 'those of all subscriptions' },
    queue: QUEUE_FLAG,
  },
  examples: [
    'skerry dead-letters replay --subscription billing',
    'skerry dead-letters replay --subscription billing dlv_k5anp5hjqefzv4hyqsm8kbwpw0',
    'skerry dead-letters replay --all',
  ],
  async run({ args, flags, client, output, signal }) {
    const { queue } = flags;
    if (queue !== undefined) {
      refuseBeside(queue, flags.subscription, flags.all, args.delivery[0]);
      const result = await client.deadLetters.drainMessages({ signal });
      output.document(result, () => `sent ${result.drained} messages once more`);
      return undefined;
    }
    const choice = await choose(flags, { client, signal });
    const chosen =
      args.delivery.length === 0
        ? choice
        : { ids: args.delivery.map((id) => ({ ...subscriptionOf(choice), id })) };
    const result = await client.deadLetters.replay(chosen, { signal });
    output.document(result, () =>
      [
        `${result.replayed} are delivered again`,
        ...result.skipped.map(
          ({ subscription, deliveries, reason }) => `${deliveries} to ${subscription} are not: ${reason}`,
        ),
      ].join('\n'),
    );
    return result.skipped.length === 0 ? undefined : EXIT.conflict;
  },
});

const purge = defineCommand({
  name: 'dead-letters purge',
  summary: 'Removes dead deliveries for good',
  args: [],
  flags: {
    subscription: SUBSCRIPTION_FLAG,
    all: { summary: 'those of all subscriptions' },
    queue: QUEUE_FLAG,
  },
  examples: ['skerry dead-letters purge --subscription billing', 'skerry dead-letters purge --all'],
  async run({ flags, client, output, signal }) {
    const { queue } = flags;
    if (queue !== undefined) refuseBeside(queue, flags.subscription, flags.all);
    const result =
      queue === undefined
        ? await client.deadLetters.purge(await choose(flags, { client, signal }), { signal })
        : await client.deadLetters.purgeMessages({ signal });
    output.document(result, () => `removed ${result.purged}`);
    return undefined;
  },
});

export const deadLetterCommands = [list, replay, purge];

type Choice = { readonly all: true } | { readonly subscription: string };

async function choose(
  { subscription, all }: { readonly subscription?: string; readonly all?: true },
  asking: Parameters<typeof findSubscriptionId>[1],
): Promise<Choice> {
  if ((subscription !== undefined) === (all === true)) {
    throw new UsageError('Say which are meant: either --subscription SUBSCRIPTION or --all.');
  }
  return subscription === undefined ? { all: true } : { subscription: await findOwner(subscription, asking) };
}

/** The id of the subscription that dead letters were for. */
async function findOwner(named: string, asking: Parameters<typeof findSubscriptionId>[1]): Promise<string> {
  return ON_BUS.includes(named) ? named : await findSubscriptionId(named, asking);
}

function subscriptionOf(choice: Choice): { readonly subscription: string } {
  if ('subscription' in choice) return choice;
  throw new UsageError('DELIVERY goes with --subscription SUBSCRIPTION.');
}

/** The messages of a queue cannot be chosen from. */
function refuseBeside(queue: string, ...others: readonly unknown[]): void {
  if (others.some((other) => other !== undefined)) {
    throw new UsageError(`--queue ${queue} goes with nothing else: it means all messages there.`);
  }
}
