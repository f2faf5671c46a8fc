import { currentTraceparent, inSpan, metrics, preferInTrace } from '../../platform/telemetry/index.ts';
import type { WebhookRequest } from '../notification/webhook-request.ts';
import type { WebhookClient, WebhookResult } from './webhook-client.ts';

/** The same client, with its calls measured, and each a span of its trace that goes on at the receiver. */
export function observedWebhooks({ post, askForConsent }: WebhookClient): WebhookClient {
  const measured = async (request: WebhookRequest): Promise<WebhookResult> => {
    const startedAt = performance.now();
    const result = await post(request);
    metrics.deliveryDuration.record({}, (performance.now() - startedAt) / 1000);
    return result;
  };
  return {
    askForConsent,
    async post(request) {
      const parent = preferInTrace(currentTraceparent(), request.headers.traceparent);
      return await inSpan('POST', { kind: 'client', parent }, async (span) => {
        const { traceparent } = span;
        if (!span.isRecorded || traceparent === undefined) return await measured(request);
        const result = await measured({ ...request, headers: { ...request.headers, traceparent } });
        const { status, error } = result;
        // Neither the path nor the query, which may be secrets.
        span.set({
          'http.request.method': 'POST',
          'server.address': URL.parse(request.endpoint)?.hostname ?? '',
          ...(status !== undefined && { 'http.response.status_code': status }),
        });
        if (error !== undefined) span.end(status === undefined ? 'unreachable' : String(status));
        return result;
      });
    },
  };
}
