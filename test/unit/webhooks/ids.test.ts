import { expect, test } from 'vitest';
import { deliveryId } from '../../../shared/webhooks/delivery/delivery.ts';
import { messageId, parseQueueMessage } from '../../../shared/webhooks/delivery/queue-message.ts';
import { nesoiSubscriptionId } from '../../../shared/webhooks/subscription/subscription.ts';

const message = { scope: 'default:app:', revision: 4, key: '/app/dm', subscription: 'sub_1', attempt: 1 };

test('a delivery is named by subscription, scope and revision alone', () => {
  expect(deliveryId(message)).toMatch(/^dlv_[0-9a-z]{26}$/);
  expect(deliveryId({ ...message })).toBe(deliveryId(message));
  const others = [{ subscription: 'sub_2' }, { scope: 'default:srv:dm' }, { revision: 5 }];
  const ids = others.map((difference) => deliveryId({ ...message, ...difference }));
  expect(new Set([deliveryId(message), ...ids]).size).toBe(4);
});

test('the bus can tell every attempt and every postponement apart, and recognises what is sent twice', () => {
  const id = deliveryId(message);
  expect(messageId(message)).toBe(id);
  expect(messageId({ ...message, attempt: 2 })).toBe(`${id}:2`);
  expect(messageId({ ...message, postponed: 1 })).toBe(`${id}:p1`);
  expect(messageId({ ...message, attempt: 2, postponed: 3 })).toBe(`${id}:2:p3`);
});

test('the bus can tell the tasks of a subscription and the pages of a recovery apart', () => {
  const task = { run: 'run', ns: 'default', subscription: 'sub_1' };
  const recovery = { ...task, task: 'recover', since: '2026-01-01T00:00:00Z', page: 1 } as const;
  const messages = [
    { ...message, replay: 1 },
    { ...message, replay: 2 },
    { ...message, replay: 2, attempt: 2 },
    { ...task, task: 'replay', replays: [{ id: 'dlv_1', replay: 1 }] } as const,
    recovery,
    { ...recovery, postponed: 1 },
    { ...recovery, page: 2 },
  ];
  expect(new Set(messages.map(messageId)).size).toBe(messages.length);
  expect(messages.map(parseQueueMessage)).toEqual(messages);
});

test('a Nesoi hook’s id follows from namespace, resource and name', () => {
  const id = nesoiSubscriptionId('default', '/app/dm', 'h');
  expect(id).toMatch(/^sub_[0-9a-z]{26}$/);
  expect(nesoiSubscriptionId('default', '/app/dm', 'h')).toBe(id);
  expect(nesoiSubscriptionId('default', '/srv/dm', 'h')).not.toBe(id);
  expect(nesoiSubscriptionId('other', '/app/dm', 'h')).not.toBe(id);
});

test('a message that is none of ours is refused', () => {
  expect(parseQueueMessage({ ...message })).toEqual(message);
  expect(() => parseQueueMessage({ ...message, revision: '4' })).toThrow();
  expect(() => parseQueueMessage('hello')).toThrow();
});
