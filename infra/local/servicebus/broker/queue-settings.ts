/** How a queue behaves; times in milliseconds. */
export interface QueueSettings {
  readonly name: string;
  readonly lockDuration: number;
  readonly maxDeliveryCount: number;
  /** Absent when messages live forever unless their sender says otherwise. */
  readonly defaultTimeToLive?: number;
  readonly deadLetterOnExpiration: boolean;
  /** Whether every message belongs to a session, and only the holder of a session's lock receives its messages. */
  readonly requiresSession: boolean;
  /** Absent when the queue accepts a message id more than once. */
  readonly duplicateDetectionWindow?: number;
}
