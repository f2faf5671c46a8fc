import { ValueType } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import type { Distribution, Labels, Metric, Sample } from './metric.ts';
import { toHrTime } from './readable-span.ts';

/** Milliseconds since the Unix epoch. */
const STARTED_AT = performance.timeOrigin;

type HistogramValue = Extract<
  MetricData,
  { dataPointType: DataPointType.HISTOGRAM }
>['dataPoints'][number]['value'];

/** The metrics as the exporters of OpenTelemetry take them: since the process began, or each time since the time before, which one alone in a process may ask for. */
export class MetricReport {
  readonly #temporality: AggregationTemporality;
  readonly #sums = new Map<string, number>();
  readonly #distributions = new Map<string, Distribution>();
  #reportedAt = STARTED_AT;

  constructor(temporality: AggregationTemporality) {
    this.#temporality = temporality;
  }

  /** @param now milliseconds since the Unix epoch. */
  next(metrics: readonly Metric[], now: number): MetricData[] {
    const since = this.#isDelta ? this.#reportedAt : STARTED_AT;
    this.#reportedAt = now;
    return metrics
      .map((metric) => this.#report(metric, since, now))
      .filter(({ dataPoints }) => dataPoints.length > 0);
  }

  get #isDelta(): boolean {
    return this.#temporality === AggregationTemporality.DELTA;
  }

  #report(metric: Metric, since: number, now: number): MetricData {
    const { name, help, unit } = metric.declaration;
    const common = {
      descriptor: { name, description: help, unit, valueType: ValueType.DOUBLE },
      aggregationTemporality: this.#temporality,
    };
    const point = <Value>({ labels, value }: Sample<Value>): DataPoint<Value> => ({
      attributes: labels,
      value,
      startTime: toHrTime(since),
      endTime: toHrTime(now),
    });
    switch (metric.type) {
      case 'gauge':
        return { ...common, dataPointType: DataPointType.GAUGE, dataPoints: metric.samples().map(point) };
      case 'counter':
        return {
          ...common,
          dataPointType: DataPointType.SUM,
          isMonotonic: true,
          dataPoints: metric
            .samples()
            .flatMap((sample) => this.#sum(name, sample))
            .map(point),
        };
      case 'histogram': {
        const samples = metric.samples();
        if (this.#isDelta) metric.forgetExtremes();
        return {
          ...common,
          dataPointType: DataPointType.HISTOGRAM,
          dataPoints: samples.flatMap((sample) => this.#distribution(name, metric.bounds, sample)).map(point),
        };
      }
    }
  }

  /** Nothing where nothing was added. */
  #sum(name: string, { labels, value }: Sample<number>): Sample<number>[] {
    if (!this.#isDelta) return [{ labels, value }];
    const series = seriesName(name, labels);
    const added = value - (this.#sums.get(series) ?? 0);
    this.#sums.set(series, value);
    return added === 0 ? [] : [{ labels, value: added }];
  }

  #distribution(
    name: string,
    bounds: readonly number[],
    { labels, value }: Sample<Distribution>,
  ): Sample<HistogramValue>[] {
    const series = seriesName(name, labels);
    const before = this.#isDelta ? this.#distributions.get(series) : undefined;
    this.#distributions.set(series, value);
    const count = value.count - (before?.count ?? 0);
    if (count === 0) return [];
    const counts = value.counts.map((total, index) => total - (before?.counts[index] ?? 0));
    return [
      {
        labels,
        value: {
          buckets: { boundaries: [...bounds], counts },
          sum: value.sum - (before?.sum ?? 0),
          count,
          // They are of the time since the report before, whatever the sums are of.
          ...(this.#isDelta && value.extremes),
        },
      },
    ];
  }
}

function seriesName(name: string, labels: Labels): string {
  return JSON.stringify([name, labels]);
}
