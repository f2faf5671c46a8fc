import type { Subscription } from '../../../shared/webhooks/index.ts';

export function subscriptionTo(endpoint: string): Subscription {
  return {
    id: 'sub_1',
    name: 'test',
    key: '/app',
    endpoint,
    format: 'standard',
    state: 'active',
    since: { at: '2025-12-01T00:00:00.000Z' },
    revision: 1,
    createdAt: '2025-12-01T00:00:00.000Z',
    updatedAt: '2025-12-01T00:00:00.000Z',
  };
}
