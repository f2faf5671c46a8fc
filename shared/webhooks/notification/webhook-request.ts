import packageJson from '../../../package.json' with { type: 'json' };
import { type Change, type Json, parseScopeId } from '../../records/index.ts';
import type { Subscription } from '../subscription/subscription.ts';

/** One POST to an endpoint. */
export interface WebhookRequest {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Notification {
  readonly subscription: Subscription;
  /** Id of the delivery: the receiver's means to recognise a repetition. */
  readonly delivery: string;
  /** Partition key of the change's scope. */
  readonly scope: string;
  readonly change: Change<Json>;
  /** The setting `SKERRY_PUBLIC_URL`. */
  readonly publicUrl: string | undefined;
}

/** What an endpoint is sent for one change, whatever the attempt. */
export function webhookRequest(notification: Notification): WebhookRequest {
  const { subscription, delivery, change } = notification;
  return {
    endpoint: subscription.endpoint,
    headers: {
      'content-type': 'application/json',
      'user-agent': `Skerry/${packageJson.version}`,
      'webhook-id': delivery,
      ...(change.traceparent !== undefined && { traceparent: change.traceparent }),
    },
    body: JSON.stringify(
      subscription.format === 'nesoi' ? nesoiBody(notification) : changeBody(notification),
    ),
  };
}

function changeBody({ subscription, delivery, scope, change }: Notification) {
  return {
    subscription: subscription.id,
    delivery,
    ns: parseScopeId(scope).ns,
    revision: change.revision,
    key: change.key,
    type: change.type,
    value: change.value ?? null,
    previous: change.previous?.value ?? null,
    actor: change.actor,
    at: change.at,
  };
}

/** Names the resource that the hook is on, not the host that changed below it (Nesoi README, section Webhooks). */
function nesoiBody({ subscription, publicUrl }: Notification) {
  const base = (publicUrl ?? subscription.baseUrl ?? '').replace(/\/+$/, '');
  return { name: subscription.name, uri: base + subscription.key };
}
