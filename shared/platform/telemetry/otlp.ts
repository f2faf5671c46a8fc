import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { AggregationTemporality } from '@opentelemetry/sdk-metrics';
import type { Exporter } from './exporter.ts';
import { createExporter } from './open-telemetry-exporter.ts';
import type { TelemetrySettings } from './telemetry-settings.ts';

/** Sends to a collector by OTLP over HTTP with JSON, as OTEL_EXPORTER_OTLP_… say; sums since the start of the process. */
export function createOtlpExporter(settings: TelemetrySettings): Exporter {
  return createExporter(settings, {
    spans: new OTLPTraceExporter(),
    metrics: new OTLPMetricExporter(),
    temporality: AggregationTemporality.CUMULATIVE,
  });
}
