import { expect, it } from 'vitest';
import { describeListed } from '../../../functions/http/deliveries.ts';
import { nobody, unrestricted } from '../../../shared/platform/http/index.ts';
import { checkedKeys, type Delivery, EndpointTest, KnownMakers } from '../../../shared/webhooks/index.ts';
import { subscriptionTo } from './subscription-to.ts';

it.each([
  ['/', '/'],
  ['/app/dm', '/app/dm'],
  ['/app/', '/app/'],
  ['/app/web-*', { beginWith: '/app/web-' }],
  ['/srv/*/one', { beginWith: '/srv/' }],
  ['/kv/s/**', '/kv/s'],
  ['/kv/s/a*/**', { beginWith: '/kv/s/a' }],
])('who watches %s has to be allowed all that it may cover', (watched, keys) => {
  expect(checkedKeys(watched)).toEqual(keys);
});

it.each(['/access/tokens', '/hook', '/**', 'app'])('there is nothing to allow of %s', (watched) => {
  expect(() => checkedKeys(watched)).toThrow(expect.objectContaining({ kind: 'invalid', field: 'key' }));
});

it('asks once for each maker of a batch, with other roles for another one, and lets an unknown one read nothing', async () => {
  const asked: unknown[] = [];
  const makers = new KnownMakers(async (maker) => {
    asked.push(maker);
    return maker.actor === 'unknown' ? nobody('unknown') : unrestricted(maker.actor);
  });
  const [one, other] = [
    { actor: 'user:1', roles: ['a'] },
    { actor: 'user:1', roles: ['a', 'b'] },
  ];
  for (const maker of [one, other, { ...one }, { ...other }]) {
    expect(await makers.mayRead('default', { maker }, '/app/a')).toBe(true);
  }
  expect(asked).toEqual([one, other]);
  expect(await makers.mayRead('default', {}, '/app/a')).toBe(false);
});

it('calls no endpoint to test it in the name of somebody who may not watch its key any more', async () => {
  let calls = 0;
  const test = (callerOf: typeof nobody) =>
    new EndpointTest({
      subscriptions: { get: async () => subscriptionTo('http://127.0.0.1:1/') },
      requests: { writeTest: () => ({}) },
      post: async () => {
        calls += 1;
        return { status: 200 };
      },
      callerOf: async ({ actor }: { actor: string }) => callerOf(actor),
      clock: { now: () => 0 },
      random: { id: () => '1' },
    } as unknown as ConstructorParameters<typeof EndpointTest>[0]).run('default', 'sub_1');
  await expect(test(nobody)).rejects.toMatchObject({ kind: 'conflict', fix: expect.stringContaining('PUT') });
  expect(calls).toBe(0);
  expect(await test(unrestricted)).toMatchObject({ status: 200 });
});

it('shows a delivery without its key, and what its endpoint answered, to whom may not read that key', () => {
  const delivery = {
    ...{ id: 'dlv_1', subscription: 'sub_1', ns: 'default', scope: 'default:srv:secret', revision: 1 },
    ...{ key: '/srv/secret/a', state: 'dead', createdAt: '2025-12-01T00:00:00.000Z', attempts: [] },
    lastResponse: 'secret',
  } as const satisfies Delivery;
  expect(JSON.stringify(describeListed(delivery, nobody('x')))).not.toContain('secret');
  expect(describeListed(delivery, unrestricted('x'))).toMatchObject({ key: '/srv/secret/a' });
});
