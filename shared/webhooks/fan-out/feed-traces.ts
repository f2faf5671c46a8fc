import { type Span, startSpan } from '../../platform/telemetry/index.ts';
import { COSMOS_CONTAINERS, SERVICE_BUS_QUEUES } from '../../platform/topology.ts';
import type { Change } from '../../records/index.ts';
import type { QueueMessage } from '../delivery/queue-message.ts';

const FEED_ATTRIBUTES = {
  'db.system.name': 'azure.cosmosdb',
  'db.collection.name': COSMOS_CONTAINERS.records.id,
};
const QUEUE_ATTRIBUTES = {
  'messaging.system': 'servicebus',
  'messaging.operation.type': 'send',
  'messaging.destination.name': SERVICE_BUS_QUEUES.deliveries.name,
};

/** The spans of the changes of one batch: each change is handled within the trace in which it was written. */
export class FeedTraces {
  readonly #handled = new Map<Change<unknown>, Span>();
  readonly #sent = new Map<Change<unknown>, Span>();
  /** `traceparent` by message. */
  readonly messages = new Map<QueueMessage, string>();

  constructor(changes: readonly Change<unknown>[]) {
    for (const change of changes) {
      const options = { kind: 'internal', parent: change.traceparent, attributes: FEED_ATTRIBUTES } as const;
      const span = startSpan(`process ${COSMOS_CONTAINERS.records.id}`, options);
      if (span.isRecorded) this.#handled.set(change, span);
    }
  }

  /** Notes that a message is about to be sent because of a change. */
  sending(message: QueueMessage, change: Change<unknown> | undefined): void {
    const handled = change && this.#handled.get(change);
    if (change === undefined || handled === undefined) return;
    const options = {
      kind: 'producer',
      parent: handled.traceparent,
      attributes: QUEUE_ATTRIBUTES,
    } as const;
    const span = this.#sent.get(change) ?? startSpan(`send ${SERVICE_BUS_QUEUES.deliveries.name}`, options);
    this.#sent.set(change, span);
    if (span.traceparent !== undefined) this.messages.set(message, span.traceparent);
  }

  /** @param error why the batch is to come again. */
  end(error?: unknown): void {
    for (const span of [...this.#sent.values(), ...this.#handled.values()]) span.end(error);
  }
}
