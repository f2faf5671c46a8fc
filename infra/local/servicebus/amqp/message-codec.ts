import { randomUUID } from 'node:crypto';
import type { Lock } from '../broker/consumer.ts';
import type { Message, MessageContent, PropertyChanges } from '../broker/message.ts';
import { invalidArgument, propertiesTooLarge } from '../service-bus-error.ts';
import {
  DecodeError,
  decodeScalar,
  encodeBoolean,
  encodeInt,
  encodeList,
  encodeLong,
  encodeMap,
  encodeSection,
  encodeString,
  encodeSymbol,
  encodeTimestamp,
  encodeUbyte,
  encodeUint,
  endOfValue,
  itemsOf,
  NULL,
  sectionValue,
} from './encoding.ts';

/** Descriptors of the message sections (OASIS AMQP 1.0, part 3.2). */
const SECTION = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
} as const;

const SCHEDULED_ENQUEUE_TIME = 'x-opt-scheduled-enqueue-time';

/** Annotations that only the broker sets. */
const BROKER_ANNOTATIONS = new Set([
  'x-opt-sequence-number',
  'x-opt-enqueued-time',
  'x-opt-locked-until',
  'x-opt-message-state',
  'x-opt-enqueue-sequence-number',
  'x-opt-deadletter-source',
]);

const MESSAGE_STATES = { active: 0, scheduled: 2 } as const;
/** Characters of a message id and of a session id. */
const LONGEST_ID = 128;
/** Where a session id is in the properties section (OASIS AMQP 1.0, part 3.2.4). */
const GROUP_ID = 10;
/** Bytes of all properties, and of the name or value of an application property ("Service Bus quotas"). */
const LARGEST_PROPERTIES = 64 * 1024;
const LARGEST_PROPERTY = 32 * 1024;
const LARGEST_UINT = 2 ** 32 - 1;
const EMPTY = Buffer.alloc(0);

interface Section {
  readonly code: number;
  /** With the descriptor. */
  readonly bytes: Buffer;
  /** Without the descriptor. */
  readonly value: Buffer;
}

function sectionsOf(encoded: Buffer): Section[] {
  const sections: Section[] = [];
  let offset = 0;
  while (offset < encoded.length) {
    if (encoded[offset] !== 0) throw new DecodeError('Expected a message section.');
    const valueOffset = endOfValue(encoded, offset + 1);
    const end = endOfValue(encoded, offset);
    sections.push({
      code: Number(decodeScalar(encoded.subarray(offset + 1, valueOffset))),
      bytes: encoded.subarray(offset, end),
      value: encoded.subarray(valueOffset, end),
    });
    offset = end;
  }
  return sections;
}

/** Reads what a client sent as one message. The result shares no memory with `encoded`. */
export function parseMessage(encoded: Buffer): MessageContent {
  const sections = sectionsOf(Buffer.from(encoded));
  const find = (code: number) => sections.find((section) => section.code === code);
  const itemsIn = (code: number) => itemsOf(find(code)?.value ?? NULL);
  const header = itemsIn(SECTION.header);
  const annotations = itemsIn(SECTION.messageAnnotations);
  const { messageId, properties } = identify(find(SECTION.properties));
  const priority = scalarAt(header, 1);
  const timeToLive = scalarAt(header, 2);
  const sessionId = scalarAt(itemsIn(SECTION.properties), GROUP_ID);
  requireShort('session', sessionId);
  const applicationProperties = find(SECTION.applicationProperties);
  requireSmallProperties(properties, applicationProperties);
  const scheduledFor = annotation(annotations, SCHEDULED_ENQUEUE_TIME);
  return {
    messageId,
    ...(typeof sessionId === 'string' && { sessionId }),
    ...(typeof timeToLive === 'number' && { timeToLive }),
    ...(scheduledFor instanceof Date && { scheduledFor: scheduledFor.getTime() }),
    durable: scalarAt(header, 0) === true,
    ...(typeof priority === 'number' && { priority }),
    annotations: withoutKeys(annotations, (key) => BROKER_ANNOTATIONS.has(key)),
    properties,
    applicationProperties: applicationProperties?.bytes ?? EMPTY,
    body: Buffer.concat(sections.filter(isBodyOrFooter).map(({ bytes }) => bytes)),
  };
}

/** Reads a batch (message format 0x80013700): every data section is an encoded message. */
export function parseBatch(encoded: Buffer): MessageContent[] {
  return sectionsOf(encoded)
    .filter(isBodyOrFooter)
    .map(({ code, value }) => {
      const message = decodeScalar(value);
      if (code !== SECTION.data || !Buffer.isBuffer(message))
        throw new DecodeError('Expected an encoded message in each data section, and nothing else.');
      return parseMessage(message);
    });
}

function isBodyOrFooter({ code }: Section): boolean {
  return code >= SECTION.data;
}

/** The service gives an id to a message that has none; the SDK's lock renewal relies on it. */
function identify(section: Section | undefined): Pick<MessageContent, 'messageId' | 'properties'> {
  const items = itemsOf(section?.value ?? NULL);
  const id = scalarAt(items, 0);
  if (section !== undefined && id !== undefined && id !== null) {
    const messageId = Buffer.isBuffer(id) ? id.toString('hex') : String(id);
    requireShort('message', messageId);
    return { messageId, properties: section.bytes };
  }
  const messageId = randomUUID().replaceAll('-', '');
  const properties = encodeSection(
    SECTION.properties,
    encodeList([encodeString(messageId), ...items.slice(1)]),
  );
  return { messageId, properties };
}

function requireShort(kind: string, id: unknown): void {
  if (typeof id === 'string' && id.length > LONGEST_ID)
    throw invalidArgument(`The ${kind} id is longer than ${LONGEST_ID} characters.`);
}

function requireSmallProperties(properties: Buffer, applicationProperties: Section | undefined): void {
  const size = properties.length + (applicationProperties?.bytes.length ?? 0);
  // Also because filters read them when nobody can be told any more that they are malformed.
  const items = itemsOf(applicationProperties?.value ?? NULL);
  if (size > LARGEST_PROPERTIES || items.some(({ length }) => length > LARGEST_PROPERTY))
    throw propertiesTooLarge();
}

function scalarAt(items: readonly Buffer[], index: number) {
  const item = items[index];
  return item === undefined ? undefined : decodeScalar(item);
}

function annotation(entries: readonly Buffer[], name: string) {
  const index = entries.findIndex((entry, position) => position % 2 === 0 && decodeScalar(entry) === name);
  return index < 0 ? undefined : scalarAt(entries, index + 1);
}

/** Map entries (key, value, key, value) without those whose key is refused. */
function withoutKeys(entries: readonly Buffer[], refuses: (key: string) => boolean): Buffer[] {
  const isRefused = (key: Buffer | undefined) => key !== undefined && refuses(String(decodeScalar(key)));
  return entries.filter((_, position) => !isRefused(entries[position - (position % 2)]));
}

/** Writes a message as a receiver gets it; the lock is absent when it is peeked, or deleted by receiving. */
export function encodeMessage(message: Message, lock?: Lock): Buffer {
  const { content } = message;
  return Buffer.concat([
    encodeHeader(message),
    encodeAnnotations(message, lock),
    encodeProperties(message),
    encodeApplicationProperties(content.applicationProperties, message.propertyChanges),
    content.body,
  ]);
}

function encodeHeader({ content, timeToLive, deliveryCount }: Message): Buffer {
  return encodeSection(
    SECTION.header,
    encodeList([
      encodeBoolean(content.durable),
      content.priority === undefined ? NULL : encodeUbyte(content.priority),
      timeToLive === undefined ? NULL : encodeUint(Math.min(timeToLive, LARGEST_UINT)),
      NULL,
      encodeUint(deliveryCount),
    ]),
  );
}

const [ABSOLUTE_EXPIRY_TIME, CREATION_TIME] = [8, 9];

/** Clients read the time to live from the times that its sender set, too, which are wrong once it is cut short. */
function encodeProperties({ content, timeToLive, enqueuedAt }: Message): Buffer {
  if (timeToLive === undefined || timeToLive >= (content.timeToLive ?? 0)) return content.properties;
  const items = itemsOf(sectionValue(content.properties));
  while (items.length <= CREATION_TIME) items.push(NULL);
  items[ABSOLUTE_EXPIRY_TIME] = encodeTimestamp(enqueuedAt + timeToLive);
  items[CREATION_TIME] = encodeTimestamp(enqueuedAt);
  return encodeSection(SECTION.properties, encodeList(items));
}

const KEY = {
  enqueuedTime: encodeSymbol('x-opt-enqueued-time'),
  sequenceNumber: encodeSymbol('x-opt-sequence-number'),
  enqueueSequenceNumber: encodeSymbol('x-opt-enqueue-sequence-number'),
  messageState: encodeSymbol('x-opt-message-state'),
  lockedUntil: encodeSymbol('x-opt-locked-until'),
};

function encodeAnnotations(message: Message, lock: Lock | undefined): Buffer {
  const entries = [
    ...message.content.annotations,
    KEY.enqueuedTime,
    encodeTimestamp(message.enqueuedAt),
    KEY.sequenceNumber,
    encodeLong(message.sequenceNumber),
    KEY.enqueueSequenceNumber,
    encodeLong(message.enqueuedSequenceNumber ?? 0),
    KEY.messageState,
    encodeInt(MESSAGE_STATES[message.state]),
  ];
  if (lock !== undefined) entries.push(KEY.lockedUntil, encodeTimestamp(lock.until));
  return encodeSection(SECTION.messageAnnotations, encodeMap(entries));
}

function encodeApplicationProperties(section: Buffer, changes: PropertyChanges): Buffer {
  const names = Object.keys(changes);
  if (names.length === 0) return section;
  const [own] = sectionsOf(section);
  const kept = withoutKeys(itemsOf(own?.value ?? NULL), (key) => Object.hasOwn(changes, key));
  const changed = Object.entries(changes).flatMap(([name, value]) => [encodeString(name), value]);
  return encodeSection(SECTION.applicationProperties, encodeMap([...kept, ...changed]));
}
