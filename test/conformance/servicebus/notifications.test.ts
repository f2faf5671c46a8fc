import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Namespace, openNamespace } from './namespace.ts';

const TOPIC = 'notifications';
const SUBSCRIPTIONS = ['everything', 'production-deletions', 'web-service'] as const;

interface Change {
  readonly type: string;
  readonly namespace: string;
  readonly kind: string;
  readonly name: string;
  readonly revision: number;
}

/** A CloudEvent in the structured mode of its AMQP binding, with what subscribers choose by as properties. */
function notify({ type, ...change }: Change) {
  const id = randomUUID();
  return {
    messageId: id,
    contentType: 'application/cloudevents+json',
    subject: `/${change.kind}/${change.name}`,
    body: { specversion: '1.0', id, source: '/skerry', type, data: change },
    applicationProperties: { 'cloudEvents:type': type, ...change },
  };
}

describe('telling others of changes through a topic', () => {
  let namespace: Namespace;
  beforeAll(async () => {
    namespace = await openNamespace(SUBSCRIPTIONS.map((name) => `${TOPIC}/Subscriptions/${name}`));
  });
  afterAll(() => namespace.close());

  it('brings each CloudEvent to those whose filters choose it, by SQL and by correlation', async () => {
    const changes: readonly Change[] = [
      { type: 'skerry.service.registered', namespace: 'production', kind: 'srv', name: 'web', revision: 1 },
      { type: 'skerry.service.deleted', namespace: 'production', kind: 'srv', name: 'web', revision: 5 },
      { type: 'skerry.service.deleted', namespace: 'production', kind: 'srv', name: 'web', revision: 6 },
      { type: 'skerry.service.deleted', namespace: 'staging', kind: 'srv', name: 'db', revision: 7 },
      { type: 'skerry.application.deleted', namespace: 'production', kind: 'app', name: 'web', revision: 8 },
      { type: 'skerry.application.changed', namespace: 'production', kind: 'app', name: 'web', revision: 9 },
    ];
    await namespace.client.createSender(TOPIC).sendMessages(changes.map(notify));
    const told = SUBSCRIPTIONS.map(async (name) => {
      const receiver = namespace.client.createReceiver(TOPIC, name, { receiveMode: 'receiveAndDelete' });
      const events = await receiver.receiveMessages(changes.length, { maxWaitTimeInMs: 2_000 });
      for (const { body, messageId } of events)
        expect(body).toMatchObject({ specversion: '1.0', id: messageId });
      return [name, events.map(({ body }) => body.data.revision)];
    });
    expect(Object.fromEntries(await Promise.all(told))).toEqual({
      everything: [1, 5, 6, 7, 8, 9],
      'production-deletions': [6, 8],
      'web-service': [1, 5, 6],
    });
  });
});
