/** What a sender gave, in encoded AMQP so that no type is lost; the broker reads only the named fields. */
export interface MessageContent {
  /** Identifies the message for duplicate detection. */
  readonly messageId: string;
  /** Absent when the sender set none. */
  readonly sessionId?: string;
  /** Milliseconds; absent when the sender set none. */
  readonly timeToLive?: number;
  /** Milliseconds since the epoch. */
  readonly scheduledFor?: number;
  readonly durable: boolean;
  readonly priority?: number;
  /** The entries of the sender's message annotations: key, value, key, value. */
  readonly annotations: readonly Buffer[];
  /** The properties section, always there because it holds the message id. */
  readonly properties: Buffer;
  /** The application-properties section, empty when the sender gave none. */
  readonly applicationProperties: Buffer;
  /** Body sections and footer. */
  readonly body: Buffer;
}

/** Application properties set while settling: encoded AMQP values by name. */
export type PropertyChanges = Readonly<Record<string, Buffer>>;

/** A message as a queue keeps it, in memory and on disk. */
export interface Message {
  readonly sequenceNumber: number;
  /** The number that the topic gave it; absent in a queue. */
  readonly enqueuedSequenceNumber?: number;
  readonly content: MessageContent;
  readonly enqueuedAt: number;
  readonly state: 'active' | 'scheduled';
  /** Milliseconds since the epoch; absent when the message never expires. */
  readonly expiresAt?: number;
  /** Milliseconds from enqueueing to expiry, the smallest of the sender's, the topic's and the queue's. */
  readonly timeToLive?: number;
  /** Deliveries that were abandoned or whose lock expired. */
  readonly deliveryCount: number;
  readonly propertyChanges: PropertyChanges;
}
