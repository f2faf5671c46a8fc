import type { SubscriptionInput, WebhookResult } from '../../../../shared/webhooks/index.ts';
import type { Endpoint } from './crash-world.ts';

/** Keys that are subscribed to, with what they cover, said once more by other means. */
export const WATCHED = [
  { key: '/', covers: /^/ },
  { key: '/kv/one', covers: /^\/kv\/one(\/|$)/ },
  { key: '/kv/one/a', covers: /^\/kv\/one\/a(\/|$)/ },
  { key: '/kv/*/a', covers: /^\/kv\/[^/]+\/a$/ },
  { key: '/kv/one/**/b', covers: /^\/kv\/one\/(.*\/)?b$/ },
  { key: '/app', covers: /^\/app(\/|$)/ },
] as const;

/** Records that are written. */
export const WRITTEN = [
  '/kv/one/a',
  '/kv/one/a/b',
  '/kv/one/b',
  '/kv/two/a',
  '/kv/two/c',
  '/app/dm',
  '/app/other',
] as const;

export type EndpointKind = 'healthy' | 'flaky' | 'slow' | 'busy' | 'gone' | 'dead';

export interface SubscriptionPlan {
  readonly key: (typeof WATCHED)[number]['key'];
  readonly types?: readonly ('put' | 'delete')[] | undefined;
  readonly changed?: readonly string[] | undefined;
  readonly format: 'standard' | 'cloudevents';
  readonly signature: 'v1' | 'v1a';
  readonly ordered: boolean;
  readonly endpoint: EndpointKind;
}

export function inputOf({ endpoint, ...plan }: SubscriptionPlan): SubscriptionInput {
  return { name: endpoint, endpoint: `http://127.0.0.1/${endpoint}`, consent: false, ...plan };
}

/** @param random gives numbers in [0, 1). */
export function endpointOf(kind: EndpointKind, random: () => number): Endpoint {
  const fine: WebhookResult = { status: 200 };
  return (nth) => {
    switch (kind) {
      case 'healthy':
        return { result: fine, after: 0 };
      case 'flaky':
        return { result: random() < 0.5 ? failed(500) : fine, after: 0 };
      case 'slow':
        return random() < 0.3
          ? { result: { error: 'The endpoint did not answer within 10 s.' }, after: 10_000 }
          : { result: fine, after: 6_000 * random() };
      case 'busy':
        return random() < 0.4
          ? { result: { ...failed(429), retryAfterMilliseconds: 20_000 }, after: 0 }
          : { result: fine, after: 0 };
      case 'gone':
        return { result: nth % 3 === 1 ? failed(410) : fine, after: 0 };
      case 'dead':
        return { result: failed(503), after: 0 };
    }
  };
}

function failed(status: number): WebhookResult {
  return { status, error: `HTTP ${status}` };
}
