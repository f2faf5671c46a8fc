import type { MessageContent } from '../../../infra/local/servicebus/broker/message.ts';

const EMPTY = Buffer.alloc(0);
let nextId = 0;

/** What a sender gave: nothing, under an id of its own, unless told. */
export function content(options: Partial<MessageContent> = {}): MessageContent {
  nextId += 1;
  return {
    messageId: `id-${nextId}`,
    durable: false,
    annotations: [],
    properties: EMPTY,
    applicationProperties: EMPTY,
    body: EMPTY,
    ...options,
  };
}
