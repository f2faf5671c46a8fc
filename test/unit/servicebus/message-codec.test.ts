import fc from 'fast-check';
import rhea from 'rhea';
import { describe, expect, it } from 'vitest';
import { deadLetterProperties } from '../../../infra/local/servicebus/amqp/dead-letter-reasons.ts';
import { DecodeError } from '../../../infra/local/servicebus/amqp/encoding.ts';
import { encodeMessage, parseMessage } from '../../../infra/local/servicebus/amqp/message-codec.ts';
import type { Message } from '../../../infra/local/servicebus/broker/message.ts';

const LOCK = { token: '', until: 1_800_000_000_000 };

function received(
  encoded: Buffer,
  changes: Message['propertyChanges'] = {},
  lock: typeof LOCK | undefined = LOCK,
) {
  const message: Message = {
    sequenceNumber: 2 ** 40,
    content: parseMessage(encoded),
    enqueuedAt: 1_700_000_000_000,
    state: 'active',
    deliveryCount: 2,
    propertyChanges: changes,
  };
  return rhea.message.decode(encodeMessage(message, lock));
}

const scalar = fc.oneof(
  fc.string({ maxLength: 300, unit: 'grapheme' }),
  fc.integer(),
  fc.double({ noNaN: true, noInteger: true }),
  fc.boolean(),
  fc.constant(null),
);

describe('messages on their way through the broker', () => {
  it('keep properties, application properties, annotations and body, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ minLength: 1, maxLength: 20 }), scalar),
        fc.object({ values: [scalar] }),
        fc.string({ minLength: 1, maxLength: 128 }),
        (properties, body, messageId) => {
          const sent = {
            message_id: messageId,
            subject: 'subject',
            message_annotations: { 'x-opt-partition-key': 'key' },
            application_properties: properties,
            body,
          };
          const before = rhea.message.decode(rhea.message.encode(sent));
          const after = received(rhea.message.encode(sent));
          expect(after.application_properties).toEqual(before.application_properties);
          expect(after.body).toEqual(before.body);
          expect(after.message_id).toBe(messageId);
          expect(after.subject).toBe('subject');
          expect(after.message_annotations['x-opt-partition-key']).toBe('key');
        },
      ),
    );
  });

  it('get what only the broker may say, in place of what the sender said of it', () => {
    const message_annotations = { 'x-opt-sequence-number': 7, 'x-opt-locked-until': 'never', own: 'kept' };
    const message = received(rhea.message.encode({ body: '', delivery_count: 99, message_annotations }));
    expect(message.delivery_count).toBe(2);
    expect(message.message_annotations).toEqual({
      own: 'kept',
      'x-opt-sequence-number': 2 ** 40,
      'x-opt-enqueue-sequence-number': 0,
      'x-opt-enqueued-time': new Date(1_700_000_000_000),
      'x-opt-locked-until': new Date(LOCK.until),
      'x-opt-message-state': 0,
    });
  });

  it('take changes of application properties, replacing what had the same name', () => {
    const application_properties = { DeadLetterReason: 'old', toString: 'kept' };
    const changes = deadLetterProperties('new', 'd'.repeat(300));
    const message = received(rhea.message.encode({ body: '', application_properties }), changes);
    expect(message.application_properties).toEqual({
      DeadLetterReason: 'new',
      DeadLetterErrorDescription: 'd'.repeat(300),
      toString: 'kept',
    });
    expect(received(rhea.message.encode({ body: '' }), changes).application_properties).toBeDefined();
  });

  it('say in every way how long they live when that is less than their sender wanted', () => {
    const creation_time = new Date(1_600_000_000_000);
    const sent = { body: '', ttl: 9_000, creation_time, absolute_expiry_time: new Date(1_600_000_009_000) };
    const content = parseMessage(rhea.message.encode({ ...sent, message_id: 'id', subject: 'subject' }));
    const enqueuedAt = 1_700_000_000_000;
    const message: Message = {
      sequenceNumber: 1,
      content,
      enqueuedAt,
      state: 'active',
      deliveryCount: 0,
      propertyChanges: {},
    };
    expect(rhea.message.decode(encodeMessage({ ...message, timeToLive: 9_000 }))).toMatchObject(sent);
    expect(rhea.message.decode(encodeMessage({ ...message, timeToLive: 5_000 }))).toMatchObject({
      message_id: 'id',
      subject: 'subject',
      ttl: 5_000,
      creation_time: new Date(enqueuedAt),
      absolute_expiry_time: new Date(enqueuedAt + 5_000),
    });
  });

  it('are refused when their application properties are no map', () => {
    const encoded = rhea.message.encode({ body: '' });
    const noMap = Buffer.concat([Buffer.from([0x00, 0x53, 0x74, 0xa1, 0x01, 0x78]), encoded]);
    expect(() => parseMessage(noMap)).toThrow(DecodeError);
  });

  it('are known by their id, whatever its type', () => {
    const idOf = (message_id: unknown) =>
      parseMessage(rhea.message.encode({ message_id, body: '' })).messageId;
    expect(idOf('text')).toBe('text');
    expect(idOf(42)).toBe('42');
    expect(idOf(Buffer.alloc(16, 0xab))).toBe('ab'.repeat(16));
    expect(() => idOf('x'.repeat(129))).toThrow('128');
  });

  it('are refused when their bytes are cut short or are no message', () => {
    const whole = rhea.message.encode({ message_id: 'id', application_properties: { a: 'b' }, body: 'body' });
    for (let length = whole.length - 1; length > 0; length -= 7) {
      const cut = whole.subarray(0, length);
      try {
        parseMessage(cut);
      } catch (error) {
        expect(error).toBeInstanceOf(DecodeError);
      }
    }
    expect(() => parseMessage(Buffer.from('no message'))).toThrow(DecodeError);
  });
});
