import type { Subscription, SubscriptionInput, SubscriptionWithSecret } from '../../webhooks/subscription.ts';
import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { oneLine } from '../one-line.ts';
import { showFacts } from '../show-facts.ts';
import { UsageError } from '../usage-error.ts';
import { findSubscription, findSubscriptionId, unknownSubscription } from '../webhooks/find-subscription.ts';
import { readSubscriptionFlags, SIGNATURE_FLAG, SUBSCRIPTION_FLAGS } from '../webhooks/subscription-flags.ts';

const list = defineCommand({
  name: 'webhooks list',
  summary: 'Lists the subscriptions',
  args: [],
  flags: {},
  examples: ['skerry webhooks list'],
  async run({ client, output, signal }) {
    const items = await collect(client.webhooks.list({ signal }));
    output.table({ items }, ['ID', 'NAME', 'STATE', 'KEY', 'FORMAT', 'ENDPOINT'], () =>
      items.map(({ id, name, state, key, format, endpoint }) => [id, name, state, key, format, endpoint]),
    );
    return undefined;
  },
});

const get = defineCommand({
  name: 'webhooks get',
  summary: 'Shows a subscription',
  args: ['<subscription>'],
  flags: {},
  examples: ['skerry webhooks get billing'],
  async run({ args, client, output, signal }) {
    const subscription = await findSubscription(args.subscription, { client, signal });
    output.document(subscription, () => describe(subscription));
    return undefined;
  },
});

const create = defineCommand({
  name: 'webhooks create',
  summary: 'Has an endpoint told of all changes under a key from now on',
  notes:
    'KEY is a prefix by whole segments (/app, /kv/agent1/config), or a pattern: * stands for a segment or a part of one, ** for any number of them. The secret is shown this once.',
  args: ['<name>', '<key>', '<endpoint>'],
  flags: { ...SUBSCRIPTION_FLAGS, signature: SIGNATURE_FLAG },
  examples: [
    'skerry webhooks create billing /app/shop https://billing.example.com/hooks',
    'skerry webhooks create audit "/kv/*/config/**" https://audit.example.com/ --format cloudevents --ordered',
    'skerry webhooks create prices /app/shop https://example.com/ --type put --changed /config/currency',
  ],
  async run({ args, flags, client, output, signal }) {
    const { name, key, endpoint } = args;
    const input: SubscriptionInput = {
      name,
      key,
      endpoint,
      ...readSubscriptionFlags(flags),
      ...(flags.signature !== undefined && { signature: flags.signature }),
    };
    const created = await client.webhooks.create(input, { signal });
    output.document(created, () => describe(created));
    return undefined;
  },
});

const CLEARABLE = ['types', 'changed', 'fields', 'ordered', 'consent', 'headers'] as const;

const update = defineCommand({
  name: 'webhooks update',
  summary: 'Changes a subscription; what is not named stays',
  notes:
    'A repeatable flag replaces all that there is of its kind. Signing keys are changed by "webhooks rotate-secret".',
  args: ['<subscription>'],
  flags: {
    name: { placeholder: 'NAME', summary: 'what it is called' },
    key: { placeholder: 'KEY', summary: 'hear of this key, prefix or pattern from now on' },
    endpoint: { placeholder: 'URL', summary: 'call this URL' },
    ...SUBSCRIPTION_FLAGS,
    clear: {
      placeholder: 'WHAT',
      choices: CLEARABLE,
      isRepeatable: true,
      summary: 'take this away',
    },
  },
  examples: [
    'skerry webhooks update billing --endpoint https://new.example.com/hooks',
    'skerry webhooks update billing --type put --clear changed',
  ],
  async run({ args, flags, client, output, signal }) {
    const current = await findSubscription(args.subscription, { client, signal });
    const { name, key, endpoint, clear = [] } = flags;
    const named = {
      ...(name !== undefined && { name }),
      ...(key !== undefined && { key }),
      ...(endpoint !== undefined && { endpoint }),
      ...readSubscriptionFlags(flags),
    };
    const kept = Object.entries(toInput(current, flags.format)).filter(
      ([member]) => !clear.some((gone) => gone === member),
    );
    if (current.headers !== undefined && named.headers === undefined && !clear.includes('headers')) {
      throw new UsageError(
        `What it sends as ${current.headers.join(', ')} cannot be read: give all its headers again by --header, or --clear headers.`,
      );
    }
    const input = {
      ...(Object.fromEntries(kept) as unknown as SubscriptionInput),
      // Left out it would stay as it is.
      ...(clear.includes('consent') && { consent: false }),
      ...named,
    };
    const updated = await client.webhooks.update(current.id, input, { ifRevision: current.revision, signal });
    output.document(updated, () => describe(updated));
    return undefined;
  },
});

const remove = defineCommand({
  name: 'webhooks delete',
  summary: 'Removes a subscription; what was not delivered yet is dropped',
  args: ['<subscription>'],
  flags: {},
  examples: ['skerry webhooks delete billing'],
  async run({ args, client, output, signal }) {
    const id = await findSubscriptionId(args.subscription, { client, signal });
    if (!(await client.webhooks.delete(id, { signal }))) throw unknownSubscription(id);
    output.document({ id, deleted: true }, () => `deleted ${id}`);
    return undefined;
  },
});

const rotateSecret = defineCommand({
  name: 'webhooks rotate-secret',
  summary: 'Makes a new signing key, and shows its secret this once',
  notes:
    'The earlier keys sign beside it for a while: give receivers the new secret in this time, and let them take both.',
  args: ['<subscription>'],
  flags: {
    overlap: {
      placeholder: 'SECONDS',
      isNumber: true,
      summary: 'sign with the earlier keys for so long, up to 604800 (86400)',
    },
    signature: { ...SIGNATURE_FLAG, summary: 'v1 or v1a (as before)' },
  },
  examples: ['skerry webhooks rotate-secret billing', 'skerry webhooks rotate-secret billing --overlap 0'],
  async run({ args, flags, client, output, signal }) {
    const { overlap, signature } = flags;
    const id = await findSubscriptionId(args.subscription, { client, signal });
    const rotated = await client.webhooks.rotateSecret(id, {
      overlapSeconds: overlap,
      signature,
      signal,
    });
    output.document(rotated, () => describe(rotated));
    return undefined;
  },
});

/** Those that make the state of a subscription another one. */
const transitions = (
  [
    ['pause', 'Holds what there is to deliver until it is resumed'],
    ['resume', 'Makes a paused or disabled subscription active, and delivers what it missed'],
    ['confirm', 'Asks the endpoint again whether it may be called'],
  ] as const
).map(([verb, summary]) =>
  defineCommand({
    name: `webhooks ${verb}`,
    summary,
    args: ['<subscription>'],
    flags: {},
    examples: [`skerry webhooks ${verb} billing`],
    async run({ args, client, output, signal }) {
      const id = await findSubscriptionId(args.subscription, { client, signal });
      const subscription = await client.webhooks[verb](id, { signal });
      const { state, reason } = subscription;
      output.document(subscription, () =>
        oneLine(`${id} is ${state}${reason === undefined ? '' : `: ${reason}`}`),
      );
      return undefined;
    },
  }),
);

export const webhooksCommands = [list, get, create, update, remove, rotateSecret, ...transitions];

/** What a subscription would be made of now, but for what cannot be read; as events of another format, where one is named. */
function toInput(
  subscription: Subscription,
  newFormat: SubscriptionInput['format'],
): Omit<SubscriptionInput, 'headers' | 'signature'> {
  const { name, key, endpoint, mode, types, changed, fields, ordered, consent } = subscription;
  const format = newFormat ?? subscription.format;
  // A hook of Nesoi's has nothing else to choose.
  if (format === 'nesoi') return { name, key, endpoint };
  const shared = {
    name,
    key,
    endpoint,
    format,
    types,
    changed,
    fields,
    ordered,
    consent: consent !== undefined,
  };
  return format === 'cloudevents' ? { ...shared, mode } : shared;
}

/** What there is to know of a subscription, a line for each fact. */
function describe(subscription: SubscriptionWithSecret): string {
  const { id, name, key, endpoint, format, mode, types, changed, fields, ordered, headers } = subscription;
  const { consent, signing, secret, state, reason, stateSince, updatedAt } = subscription;
  return showFacts({
    id,
    name,
    key,
    endpoint,
    format: mode === undefined ? format : `${format}, ${mode}`,
    types: types?.join(' '),
    changed: changed?.join(' '),
    fields: fields?.join(' '),
    ordered: ordered ? 'yes' : undefined,
    headers: headers?.join(' '),
    consent: consent && (consent.granted ? `granted at ${consent.grantedAt}` : 'not granted yet'),
    state: [state, stateSince && `since ${stateSince}`, reason].filter(Boolean).join(', '),
    updated: updatedAt,
    'signed by': signing.map(describeKey).join('; ') || 'nothing: rotate its secret',
    secret: secret && `${secret}   (shown this once)`,
  });
}

function describeKey({ version, publicKey, expiresAt }: Subscription['signing'][number]): string {
  const until = expiresAt === undefined ? '' : ` until ${expiresAt}`;
  return `${version}${publicKey === undefined ? '' : ` ${publicKey}`}${until}`;
}
