import type { SkerryClient } from '../../skerry-client.ts';
import type { Subscription } from '../../webhooks/subscription.ts';
import { collect } from '../collect.ts';
import { notFound } from '../not-found.ts';
import { oneLine } from '../one-line.ts';
import { UsageError } from '../usage-error.ts';

interface Asking {
  readonly client: SkerryClient;
  readonly signal: AbortSignal;
}

/**
 * @param named an id, or a name, which need not be unique.
 * @throws SkerryProblem `not-found`; UsageError where several are called so.
 */
export async function findSubscription(named: string, { client, signal }: Asking): Promise<Subscription> {
  if (isId(named)) {
    const subscription = await client.webhooks.get(named, { signal });
    if (subscription === undefined) throw unknownSubscription(named);
    return subscription;
  }
  const all = await collect(client.webhooks.list({ signal }));
  const [found, ...others] = all.filter(({ name }) => name === named);
  if (found === undefined) throw unknownSubscription(named);
  if (others.length === 0) return found;
  const choices = [found, ...others].map(({ id, key, endpoint }) => `\n  ${id} of ${key}, to ${endpoint}`);
  throw new UsageError(
    `Several subscriptions are called "${oneLine(named)}"; name one by its id:${choices.join('')}`,
  );
}

/** As {@link findSubscription}; an id is taken at its word. */
export async function findSubscriptionId(named: string, asking: Asking): Promise<string> {
  return isId(named) ? named : (await findSubscription(named, asking)).id;
}

export function unknownSubscription(named: string) {
  return notFound(
    `There is no subscription "${named}".`,
    'skerry webhooks list shows those that there are in the namespace.',
  );
}

function isId(named: string): boolean {
  return named.startsWith('sub_');
}
