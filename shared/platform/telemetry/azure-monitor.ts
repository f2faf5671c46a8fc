import { AzureMonitorMetricExporter, AzureMonitorTraceExporter } from '@azure/monitor-opentelemetry-exporter';
import { SpanKind } from '@opentelemetry/api';
import { AggregationTemporality } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { azureCredential } from '../identity.ts';
import type { Exporter } from './exporter.ts';
import { createExporter } from './open-telemetry-exporter.ts';
import type { TelemetrySettings } from './telemetry-settings.ts';

/** Sends to Application Insights, which wants sums since what it was sent before (docs/decisions/0013). */
export function createAzureMonitorExporter(connectionString: string, settings: TelemetrySettings): Exporter {
  const options = {
    connectionString,
    ...onLoopback(connectionString),
    // What could not be sent is dropped and counted; an instance may have no disk, and none that stays.
    disableOfflineStorage: true,
    ...credentialFor(settings.APPLICATIONINSIGHTS_AUTHENTICATION_STRING),
  };
  return createExporter(settings, {
    spans: new NamingSpanExporter(options),
    metrics: new AzureMonitorMetricExporter(options),
    temporality: AggregationTemporality.DELTA,
  });
}

/** The exporter leaves spans of consumers without a name unless an attribute has it. */
class NamingSpanExporter extends AzureMonitorTraceExporter {
  override async export(spans: ReadableSpan[], done: (result: ExportResult) => void): Promise<void> {
    await super.export(spans.map(named), done);
  }
}

type ExportResult = Parameters<Parameters<AzureMonitorTraceExporter['export']>[1]>[0];

function named(span: ReadableSpan): ReadableSpan {
  return span.kind === SpanKind.CONSUMER
    ? { ...span, attributes: { ...span.attributes, 'ai.operation.name': span.name } }
    : span;
}

/** A stand-in on this machine is spoken to without encryption, which the exporter would turn to https. */
function onLoopback(connectionString: string) {
  const [, host] =
    /(?:^|;)IngestionEndpoint=(http:\/\/(?:127\.0\.0\.1|localhost)(?::\d+)?)/i.exec(connectionString) ?? [];
  return host === undefined ? {} : { host, allowInsecureConnection: true };
}

/** @param authentication `Authorization=AAD`, with `;ClientId=…` for an identity that is assigned by users, as the functions host takes it too. */
function credentialFor(authentication: string | undefined) {
  if (authentication === undefined || !/(?:^|;)\s*Authorization\s*=\s*AAD/i.test(authentication)) {
    return {};
  }
  const [, clientId] = /(?:^|;)\s*ClientId\s*=\s*([^;\s]+)/i.exec(authentication) ?? [];
  return { credential: azureCredential({ clientId }) };
}
