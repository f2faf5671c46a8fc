import type { InvocationContext, ServiceBusQueueHandler } from '@azure/functions';
import { inSpan, metrics, preferInTrace } from '../../shared/platform/telemetry/index.ts';
import { type Log, logOf } from '../log.ts';

/**
 * A handler of a queue's messages, which are counted, and each a span of the trace within which it was sent.
 *
 * @param isLocal whether no functions host tells of its runs, as in Azure; see `observed` of requests.
 */
export function observed(
  queue: string,
  isLocal: boolean,
  handle: (body: unknown, context: InvocationContext, log: Log) => Promise<void>,
): ServiceBusQueueHandler {
  const attributes = {
    'messaging.system': 'servicebus',
    'messaging.operation.type': 'process',
    'messaging.destination.name': queue,
  };
  const kind = isLocal ? 'consumer' : 'internal';
  return async (body, context) => {
    const age = ageOf(context);
    if (age !== undefined) metrics.queueAge.record({ queue }, age);
    const ofHost = context.traceContext?.traceParent;
    const sent = sentWithin(context);
    const parent = isLocal ? (sent ?? ofHost) : preferInTrace(ofHost, sent);
    await inSpan(`process ${queue}`, { kind, parent, attributes }, () =>
      handle(body, context, logOf(context, { isLocal })),
    );
  };
}

/** Seconds since the message was due. */
function ageOf({ triggerMetadata }: InvocationContext): number | undefined {
  const enqueuedAt = Date.parse(String(triggerMetadata?.enqueuedTimeUtc));
  return Number.isNaN(enqueuedAt) ? undefined : Math.max(0, Date.now() - enqueuedAt) / 1000;
}

/** The message's own word, as hosts may have begun a trace of theirs. */
function sentWithin({ triggerMetadata }: InvocationContext): string | undefined {
  const properties = triggerMetadata?.applicationProperties as Record<string, unknown> | undefined;
  const traceparent = properties?.['Diagnostic-Id'] ?? properties?.traceparent;
  return typeof traceparent === 'string' ? traceparent : undefined;
}
