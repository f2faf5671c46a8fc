import { resourceFromAttributes } from '@opentelemetry/resources';
import type { AggregationTemporality, PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import { inTime } from '../in-time.ts';
import type { Exporter } from './exporter.ts';
import { MetricReport } from './metric-report.ts';
import { toReadableSpan } from './readable-span.ts';
import type { TelemetrySettings } from './telemetry-settings.ts';

const SUCCESS = 0;
const TIMEOUT_MILLISECONDS = 30_000;

interface ExportResult {
  readonly code: number;
  readonly error?: Error;
}

/** An exporter over two of OpenTelemetry's. */
export function createExporter(
  { OTEL_SERVICE_NAME, WEBSITE_SITE_NAME }: TelemetrySettings,
  {
    spans,
    metrics,
    temporality,
  }: {
    readonly spans: SpanExporter;
    readonly metrics: PushMetricExporter;
    readonly temporality: AggregationTemporality;
  },
): Exporter {
  const resource = resourceFromAttributes({
    'service.name': OTEL_SERVICE_NAME ?? WEBSITE_SITE_NAME ?? 'skerry',
    'service.instance.id': `${process.env.WEBSITE_INSTANCE_ID ?? process.env.CONTAINER_NAME ?? 'local'}-${process.pid}`,
  });
  const scope = { name: 'skerry' };
  const report = new MetricReport(temporality);
  return {
    exportSpans: (ended) =>
      outcomeOf((done) =>
        spans.export(
          ended.map((span) => toReadableSpan(span, resource, scope)),
          done,
        ),
      ),
    async exportMetrics(all) {
      const data = report.next(all, Date.now());
      if (data.length === 0) return;
      await outcomeOf((done) => metrics.export({ resource, scopeMetrics: [{ scope, metrics: data }] }, done));
    },
  };
}

async function outcomeOf(send: (done: (result: ExportResult) => void) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const sent = async () => {
    send(({ code, error }) =>
      code === SUCCESS ? resolve() : reject(error ?? new Error('The export failed.')),
    );
    await promise;
  };
  await inTime(TIMEOUT_MILLISECONDS, sent, () => new Error('The export took too long.'));
}
