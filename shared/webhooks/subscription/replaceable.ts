import { conflict } from '../../platform/errors.ts';
import type { SubscriptionValue } from './subscription.ts';
import type { SubscriptionInput } from './subscription-input.ts';

/**
 * Nesoi addresses its hooks by resource and name, and knows one format.
 *
 * @throws SkerryError `conflict` for what is not to be replaced.
 */
export function checkHookInput({ name, key }: SubscriptionValue, input: SubscriptionInput): void {
  const { name: _, key: __, endpoint: ___, ...others } = input;
  const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  const field = name !== input.name ? 'name' : key !== input.key ? 'key' : other;
  if (field !== undefined) {
    throw conflict('A hook that was registered through /app or /srv keeps all but its endpoint.', {
      field,
      fix: 'Leave out all but name, key and endpoint, of which only the endpoint may change; or create another subscription, and delete this one.',
    });
  }
}

/** @throws SkerryError `conflict` for another way to sign than what the subscription has. */
export function checkSignature(
  id: string,
  { signing }: SubscriptionValue,
  { signature }: SubscriptionInput,
): void {
  if (signature !== undefined && signature !== signing?.[0]?.version) {
    throw conflict('Replacing a subscription does not change how it is signed.', {
      field: 'signature',
      fix: `Leave it out, or change it by POST /api/v1/subscriptions/${id}/rotate-secret.`,
    });
  }
}
