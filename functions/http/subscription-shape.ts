import { z } from 'zod';
import { nameSchema } from '../../shared/platform/http/index.ts';
import type { Consent, SigningKey, Subscription } from '../../shared/webhooks/index.ts';

const consentSchema = z.strictObject({
  granted: z.boolean(),
  grantedAt: z.iso.datetime().optional(),
  ratePerMinute: z.int().optional().describe('Requests that the endpoint allows.'),
  origin: z.string().describe('What the endpoint was asked for as, `WebHook-Request-Origin`.'),
});

const signingKeySchema = z.strictObject({
  id: z.string(),
  version: z.enum(['v1', 'v1a']),
  publicKey: z.string().optional().describe('`whpk_…`, of v1a.'),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().optional().describe('From then on it signs no more.'),
});

/** A subscription as the API shows it: without whatever is secret. */
export const subscriptionSchema = z.strictObject({
  id: z.string(),
  name: nameSchema,
  key: z.string(),
  endpoint: z.string(),
  format: z
    .enum(['standard', 'cloudevents', 'nesoi'])
    .describe('`nesoi` for hooks that were registered on Nesoi’s surface.'),
  mode: z.enum(['structured', 'binary']).optional(),
  types: z.array(z.enum(['put', 'delete', 'expire'])).optional(),
  changed: z.array(z.string()).optional(),
  fields: z.array(z.string()).optional(),
  ordered: z.boolean(),
  consent: consentSchema.optional().describe('Absent where the endpoint need not be asked.'),
  signing: z.array(signingKeySchema).describe('The newest key first; every one signs.'),
  headers: z.array(z.string()).optional().describe('Names only; values are never shown.'),
  state: z.enum(['active', 'unconfirmed', 'paused', 'disabled']),
  reason: z.string().optional().describe('Why it is in its state.'),
  stateSince: z.iso.datetime().optional(),
  createdBy: z
    .string()
    .optional()
    .describe('Who created or last replaced it: it is told of what they may read at that time.'),
  revision: z.int(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  expiresAt: z.iso
    .datetime()
    .optional()
    .describe('When it ends by itself: those that a command named as its `callback` do.'),
});

export function describeSubscription(subscription: Subscription): z.output<typeof subscriptionSchema> {
  const { consent, signing = [], headers } = subscription;
  return {
    id: subscription.id,
    name: subscription.name,
    key: subscription.key,
    endpoint: subscription.endpoint,
    format: subscription.format,
    mode: subscription.mode,
    types: subscription.types?.slice(),
    changed: subscription.changed?.slice(),
    fields: subscription.fields?.slice(),
    ordered: subscription.ordered === true,
    consent: consent && describeConsent(consent),
    signing: signing.map(describeKey),
    headers: headers?.names.slice(),
    state: subscription.state,
    reason: subscription.reason,
    stateSince: subscription.stateSince,
    createdBy: subscription.maker?.actor,
    revision: subscription.revision,
    createdAt: subscription.createdAt,
    updatedAt: subscription.updatedAt,
    expiresAt: subscription.expiresAt,
  };
}

function describeConsent({ grantedAt, ratePerMinute, origin }: Consent): z.output<typeof consentSchema> {
  return { granted: grantedAt !== undefined, grantedAt, ratePerMinute, origin };
}

function describeKey({
  id,
  version,
  publicKey,
  createdAt,
  expiresAt,
}: SigningKey): z.output<typeof signingKeySchema> {
  return { id, version, publicKey, createdAt, expiresAt };
}
