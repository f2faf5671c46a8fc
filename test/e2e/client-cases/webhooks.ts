import { RawContent, verifyWebhook, type WebhookVerification } from 'skerry/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Receiver, startReceiver } from '../../integration/webhooks/receiver.ts';
import { client, DEADLINE } from './world.ts';

let receiver: Receiver;

beforeAll(async () => {
  receiver = await startReceiver();
});

afterAll(() => receiver?.stop());

/** What the receiver was called with last, as it is verified. */
function lastCall(secrets: string | readonly string[]): WebhookVerification {
  const call = receiver.calls.at(-1);
  return { payload: call?.text ?? '', headers: call?.headers ?? {}, secrets };
}

describe('webhooks', () => {
  it('are signed so that the client verifies them, with old keys and new ones', async () => {
    const { webhooks } = client;
    const input = { name: 'post', key: '/kv/parcels/*', endpoint: receiver.url, types: ['put'] } as const;
    const { secret = '', ...created } = await webhooks.create({
      ...input,
      format: 'cloudevents',
      mode: 'binary',
    });
    const { id } = created;
    expect(await webhooks.get(id)).toEqual(created);

    const label = new RawContent('fragile', 'text/plain; charset=utf-8');
    const { revision } = await client.store('parcels').put('a', label);
    await expect.poll(() => receiver.calls, DEADLINE).toHaveLength(1);
    expect(await verifyWebhook<RawContent>(lastCall(secret))).toMatchObject({
      type: 'skerry.kv.put',
      subject: '/kv/parcels/a',
      id: String(revision),
      data: { subscription: id, key: '/kv/parcels/a', revision, before: null, after: label },
    });

    const rotated = await webhooks.rotateSecret(id, { overlapSeconds: 60, signature: 'v1a' });
    const [{ publicKey = '' } = {}, old] = rotated.signing;
    expect([rotated.secret, old?.version]).toEqual([undefined, 'v1']);
    await webhooks.update(id, { ...input, fields: ['/to'] }, { ifRevision: rotated.revision });
    await client.store('parcels').put('b', { to: 'Ada', weight: 3 });
    await expect.poll(() => receiver.calls, DEADLINE).toHaveLength(2);
    for (const key of [publicKey, secret]) {
      expect(await verifyWebhook(lastCall(key))).toMatchObject({
        type: 'kv.put',
        data: { after: { to: 'Ada' } },
      });
    }

    expect(await webhooks.test(id)).toMatchObject({ status: 200 });
    expect(await verifyWebhook(lastCall(secret))).toMatchObject({
      type: 'skerry.test',
      data: { subscription: id },
    });
    expect(await webhooks.delete(id)).toBe(true);
    expect([await webhooks.get(id), await webhooks.delete(id)]).toEqual([undefined, false]);
  });

  it('are looked into, held, repeated and recovered', async () => {
    const { webhooks, deadLetters } = client;
    const begun = new Date();
    const endpoint = `${receiver.url}/orders`;
    const told = () =>
      receiver.calls.filter(({ path }) => path === '/orders').map(({ headers }) => headers['webhook-id']);
    receiver.answer = () => 500;
    const { id } = await webhooks.create({ name: 'orders', key: '/kv/orders', endpoint });
    const dead = () => Array.fromAsync(webhooks.deliveries(id, { state: 'dead' }));
    await client.store('orders').put('1', 'books');
    await expect
      .poll(dead, DEADLINE)
      .toMatchObject([{ key: '/kv/orders/1', attempts: [{ status: 500 }, {}] }]);
    const [delivery = { id: '' }] = await dead();
    expect(await Array.fromAsync(deadLetters.list({ subscription: id }))).toMatchObject([
      { id: delivery.id },
    ]);
    expect(await webhooks.delivery(id, delivery.id)).toMatchObject({ lastResponse: 'no,\nnot now' });

    receiver.answer = () => 204;
    const stateOf = async () => (await webhooks.delivery(id, delivery.id))?.state;
    for (const repeat of [() => webhooks.retry(id, delivery.id), () => webhooks.retry(id, delivery.id)]) {
      const times = told().length;
      await repeat();
      await expect.poll(() => told().length, DEADLINE).toBe(times + 1);
    }
    await expect.poll(stateOf, DEADLINE).toBe('delivered');
    expect(new Set(told())).toEqual(new Set([delivery.id]));

    expect(await webhooks.pause(id)).toMatchObject({ state: 'paused' });
    await expect(webhooks.retry(id, delivery.id)).rejects.toMatchObject({ kind: 'conflict' });
    await client.store('orders').put('2', 'pens');
    expect(await webhooks.resume(id)).toMatchObject({ state: 'active' });
    await expect
      .poll(() => webhooks.statistics(id), DEADLINE)
      .toMatchObject({ states: { delivered: 2, dead: 0 }, endpoint: { state: 'healthy' } });
    expect(await webhooks.recover(id, begun)).toEqual({ run: expect.any(String) });

    receiver.answer = () => 500;
    await client.store('orders').put('3', 'ink');
    await expect.poll(dead, DEADLINE).toHaveLength(1);
    expect(await deadLetters.purge({ subscription: id })).toEqual({ purged: 1 });
    expect([await dead(), await Array.fromAsync(deadLetters.messages())]).toEqual([[], []]);
    await webhooks.delete(id);
  });
});
