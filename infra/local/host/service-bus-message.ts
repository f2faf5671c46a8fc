import type { ServiceBusReceivedMessage } from '@azure/service-bus';
import { toOffsetDate, toUtcDate } from './dotnet-date.ts';
import type { TypedData } from './rpc.ts';

/** The body as the function gets it: text, which the library parses as JSON where it parses, or bytes. */
export function toMessageInput(message: ServiceBusReceivedMessage, asBytes: boolean): TypedData {
  if (asBytes)
    return { bytes: Buffer.isBuffer(message.body) ? message.body : Buffer.from(bodyText(message)) };
  return { string: bodyText(message) };
}

/** Trigger metadata as the Service Bus extension names it; what a message lacks is absent. */
export function toMessageMetadata(message: ServiceBusReceivedMessage): Record<string, TypedData> {
  const metadata: Record<string, TypedData> = {};
  const texts = {
    MessageId: message.messageId,
    CorrelationId: message.correlationId,
    SessionId: message.sessionId,
    ReplyTo: message.replyTo,
    ReplyToSessionId: message.replyToSessionId,
    To: message.to,
    Subject: message.subject,
    Label: message.subject,
    ContentType: message.contentType,
    PartitionKey: message.partitionKey,
    TransactionPartitionKey: message._rawAmqpMessage.messageAnnotations?.['x-opt-via-partition-key'],
    DeadLetterSource: message.deadLetterSource,
    LockToken: message.lockToken,
  };
  for (const [name, value] of Object.entries(texts)) {
    if (value !== undefined && value !== null) metadata[name] = { string: String(value) };
  }
  // The JavaScript SDK counts the deliveries before this one, the extension's .NET SDK this one too.
  metadata.DeliveryCount = { json: String((message.deliveryCount ?? 0) + 1) };
  if (message.sequenceNumber !== undefined)
    metadata.SequenceNumber = { json: message.sequenceNumber.toString() };
  addTime(metadata, 'EnqueuedTime', message.enqueuedTimeUtc);
  addTime(metadata, 'ExpiresAt', message.expiresAtUtc);
  const properties = { json: JSON.stringify(toNetValues(message.applicationProperties ?? {})) };
  metadata.ApplicationProperties = properties;
  metadata.UserProperties = properties;
  return { ...metadata, ...bodyProperties(message, metadata) };
}

function addTime(metadata: Record<string, TypedData>, name: string, time: Date | undefined): void {
  if (time === undefined) return;
  metadata[`${name}Utc`] = { json: JSON.stringify(toUtcDate(time.getTime())) };
  metadata[name] = { json: JSON.stringify(toOffsetDate(time.getTime(), 0)) };
}

/** Property values as .NET's serialiser writes them; only dates look different there. */
function toNetValues(properties: Readonly<Record<string, unknown>>): object {
  const entries = Object.entries(properties).map(([name, value]) => [
    name,
    value instanceof Date ? toUtcDate(value.getTime()) : value,
  ]);
  return Object.fromEntries(entries);
}

/**
 * The host adds the top-level properties of a JSON body to the metadata, arrays excepted, where they replace a
 * system property of the same name (azure-functions-host, `Utility.ApplyBindingData`).
 */
function bodyProperties(
  message: ServiceBusReceivedMessage,
  metadata: Readonly<Record<string, TypedData>>,
): Record<string, TypedData> {
  const body = parseObject(bodyText(message));
  const systemNames = new Map(Object.keys(metadata).map((name) => [name.toLowerCase(), name]));
  const added: Record<string, TypedData> = {};
  for (const [name, value] of Object.entries(body)) {
    if (value === null || Array.isArray(value)) continue;
    const spelling = systemNames.get(name.toLowerCase()) ?? name;
    added[spelling] = typeof value === 'string' ? { string: value } : { json: JSON.stringify(value) };
  }
  return added;
}

function parseObject(text: string): object {
  if (!text.trimStart().startsWith('{')) return {};
  try {
    return JSON.parse(text) as object;
  } catch {
    return {};
  }
}

function bodyText({ body }: ServiceBusReceivedMessage): string {
  if (Buffer.isBuffer(body)) return body.toString('utf8');
  return typeof body === 'string' ? body : JSON.stringify(body ?? null);
}
