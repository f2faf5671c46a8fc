import { expect, it } from 'vitest';
import { SubscriptionLimit } from '../../../shared/webhooks/index.ts';

it('a maker may have so many subscriptions, whatever others have', async () => {
  const records = ['a', 'a', 'b'].map((actor) => ({ value: { maker: { actor } } }));
  const limit = new SubscriptionLimit({ listAll: async () => ({ records }) as never }, 2);
  await limit.check('default', 'b');
  await expect(limit.check('default', 'a')).rejects.toMatchObject({
    kind: 'too-many-requests',
    retryAfterSeconds: 60,
    headers: { 'RateLimit-Policy': '"subscriptions";q=2' },
  });
});
