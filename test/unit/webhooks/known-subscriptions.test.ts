import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NamespaceSubscriptions } from '../../../shared/webhooks/fan-out/known-subscriptions.ts';
import type { Subscription } from '../../../shared/webhooks/index.ts';
import { covers } from '../../../shared/webhooks/subscription/watched-key.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const segment = fc.constantFrom('a', 'b', 'ab', 'mtu');
const key = fc
  .tuple(fc.constantFrom('kv', 'srv', 'app'), fc.array(segment, { minLength: 1, maxLength: 4 }))
  .map(([kind, segments]) => `/${[kind, ...segments].join('/')}`);
const watched = fc
  .tuple(
    fc.constantFrom('kv', 'srv', 'app'),
    fc.array(fc.oneof(segment, fc.constantFrom('*', '**', 'a*')), { maxLength: 4 }),
    fc.constantFrom('', '/'),
  )
  .map(([kind, segments, end]) => `/${[kind, ...segments].join('/')}${end}`);

test('nobody whose key covers a changed one is passed over, and few others are looked at', () => {
  fc.assert(
    fc.property(
      fc.array(watched, { maxLength: 20 }),
      fc.array(watched, { maxLength: 5 }),
      key,
      (all, later, changed) => {
        const known = new NamespaceSubscriptions('ns');
        for (const [nth, watchedKey] of ['/', ...all].entries()) known.put(subscriptionTo(nth, watchedKey));
        for (const [nth, watchedKey] of later.entries()) known.put(subscriptionTo(nth, watchedKey));
        known.remove('sub_7');
        const current = ['/', ...all].map((watchedKey, nth) => later[nth] ?? watchedKey);
        const expected = [...current, ...later.slice(current.length)]
          .map((watchedKey, nth) => subscriptionTo(nth, watchedKey))
          .filter(({ id, key: watchedKey }) => id !== 'sub_7' && covers(watchedKey, changed));
        const near = [...known.near(changed)];
        expect(
          near
            .filter((subscription) => covers(subscription.key, changed))
            .map(({ id }) => id)
            .sort(),
        ).toEqual(expected.map(({ id }) => id).sort());
        for (const { key: watchedKey } of near) {
          const [, kind] = watchedKey.split('/');
          expect(['', changed.split('/')[1]]).toContain(kind);
        }
      },
    ),
    { seed: printedSeed('known subscriptions'), numRuns: runs(500, 20_000) },
  );
});

test('one that cannot be read is near to every key', () => {
  const known = new NamespaceSubscriptions('ns');
  known.put({ ...subscriptionTo(1, '/kv'), key: undefined } as unknown as Subscription);
  expect([...known.near('/app/x')]).toHaveLength(1);
});

function subscriptionTo(nth: number, watchedKey: string): Subscription {
  return {
    id: `sub_${nth}`,
    name: 'x',
    key: watchedKey,
    endpoint: '',
    format: 'standard',
    state: 'active',
    since: { at: '2026-01-01T00:00:00.000Z' },
    revision: 1,
    createdAt: '',
    updatedAt: '',
  };
}
