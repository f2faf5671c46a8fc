import type { Metric } from './metric.ts';
import type { EndedSpan } from './span.ts';

/** A way out for spans and metrics. Both methods throw when these did not arrive. */
export interface Exporter {
  exportSpans(spans: readonly EndedSpan[]): Promise<void>;
  exportMetrics(metrics: readonly Metric[]): Promise<void>;
}
