import { json, type RequestContext, revisionTag, text } from '../../shared/platform/http/index.ts';
import { unknownSubscription } from '../../shared/webhooks/index.ts';
import type { Services } from '../services.ts';
import { endpoint } from './endpoint.ts';
import { describeSubscription, subscriptionSchema } from './subscription-shape.ts';

const CALLBACK = 'api/v1/webhook-consents/{subscription}/{token}';

const granted = {
  200: {
    description: 'The endpoint may be called from now on; also if it might before.',
    mediaType: 'text/plain',
  },
} as const;

/** Also for people, who find the link in a log and open it. Whatever opens links by itself consents as well. */
const grantByGet = endpoint({
  name: 'grantWebhookConsentByLink',
  method: 'GET',
  route: CALLBACK,
  summary:
    'Lets an endpoint consent to being called, by the link that it was sent as WebHook-Request-Callback',
  access: 'open',
  requestHeaders: ['WebHook-Allowed-Origin', 'WebHook-Allowed-Rate'],
  responses: granted,
  errors: ['not-found', 'unavailable'],
  handle: grant,
});

const grantByPost = endpoint({
  name: 'grantWebhookConsent',
  method: 'POST',
  route: CALLBACK,
  summary: 'Lets an endpoint consent to being called; WebHook-Allowed-Rate limits the calls in a minute',
  access: 'open',
  requestHeaders: ['WebHook-Allowed-Origin', 'WebHook-Allowed-Rate'],
  responses: granted,
  errors: ['not-found', 'unavailable'],
  handle: grant,
});

const lookAtCallback = endpoint({
  name: 'lookAtWebhookConsent',
  method: 'HEAD',
  route: CALLBACK,
  summary: 'Grants nothing: whoever only looks at a link has not consented',
  access: 'open',
  responses: { 204: { description: 'Whatever the link is worth.' } },
  handle: () => ({ status: 204, headers: { 'Cache-Control': 'no-store' } }),
});

const confirmSubscription = endpoint({
  name: 'confirmSubscription',
  method: 'POST',
  route: 'api/v1/subscriptions/{id}/confirm',
  summary:
    'Asks the endpoint of an unconfirmed subscription for its consent once more, and waits for the answer',
  access: { verb: 'write', keys: '/hook/{id}' },
  missing: ({ id }) => unknownSubscription(id),
  responses: {
    200: {
      description: 'The subscription, confirmed or not.',
      body: subscriptionSchema,
      headers: ['ETag', 'X-Skerry-Revision'],
    },
  },
  errors: ['not-found', 'conflict'],
  async handle({ ns, params, author }, { consents }) {
    const subscription = await consents.confirm(ns, params.id, author);
    const { revision } = subscription;
    return json(200, describeSubscription(subscription), { etag: revisionTag(revision), revision });
  },
});

export const webhookConsentEndpoints = [grantByGet, grantByPost, lookAtCallback, confirmSubscription];

interface CallbackRequest extends RequestContext {
  readonly params: { readonly subscription: string; readonly token: string };
}

async function grant({ ns, params, headers, author }: CallbackRequest, { consents }: Services) {
  const allowedOrigin = headers.get('webhook-allowed-origin');
  const allowedRate = headers.get('webhook-allowed-rate');
  const permission = {
    ...(allowedOrigin !== null && { allowedOrigin }),
    ...(allowedRate !== null && { allowedRate }),
  };
  await consents.grant(ns, params.subscription, params.token, permission, author);
  return text(200, `The endpoint of the subscription ${params.subscription} may be called now.\n`, {
    headers: { 'Cache-Control': 'no-store' },
  });
}
