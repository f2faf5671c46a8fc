import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics';
import { describe, expect, it } from 'vitest';
import { Histogram, Sum } from '../../../../shared/platform/telemetry/metric.ts';
import { MetricReport } from '../../../../shared/platform/telemetry/metric-report.ts';
import { metrics } from '../../../../shared/platform/telemetry/metrics.ts';
import { prometheusText } from '../../../../shared/platform/telemetry/prometheus-text.ts';

const counter = () =>
  new Sum('counter', { name: 'a.count', help: 'Things.', unit: '{thing}', labels: ['kind'] });
const histogram = () => new Histogram([1, 5], { name: 'a.wait', help: 'Waits.', unit: 's' });

describe('the text for Prometheus', () => {
  it('has counters with their labels escaped, gauges, and histograms whose buckets add up', () => {
    const count = counter();
    count.add({ kind: 'a "quoted\\one"\n' }, 2);
    count.add({ kind: 'a "quoted\\one"\n' });
    const held = new Sum('gauge', { name: 'a.held', help: 'Held.', unit: '{thing}' });
    held.add({}, 3);
    held.add({}, -1);
    const wait = histogram();
    for (const value of [0.5, 1, 1.5, 7]) wait.record({}, value);
    expect(prometheusText([count, held, wait]).split('\n')).toEqual([
      '# HELP a_count_total Things.',
      '# TYPE a_count_total counter',
      'a_count_total{kind="a \\"quoted\\\\one\\"\\n"} 3',
      '# HELP a_held Held.',
      '# TYPE a_held gauge',
      'a_held 2',
      '# HELP a_wait_seconds Waits.',
      '# TYPE a_wait_seconds histogram',
      'a_wait_seconds_bucket{le="1"} 2',
      'a_wait_seconds_bucket{le="5"} 3',
      'a_wait_seconds_bucket{le="+Inf"} 4',
      'a_wait_seconds_sum 10',
      'a_wait_seconds_count 4',
      '',
    ]);
    expect(prometheusText([counter(), histogram()])).toBe('');
  });

  it('shows series that are known beforehand at zero, so that their first event is a rise', () => {
    const text = prometheusText(Object.values(metrics));
    for (const series of [
      'skerry_watches_held',
      'skerry_leases_expired_total',
      ...['conflict', 'moved', 'throttled', 'uncertain'].map(
        (reason) => `skerry_commit_retries_total{reason="${reason}"}`,
      ),
      ...['delivered', 'failed', 'dead', 'held'].map(
        (outcome) => `skerry_deliveries_total{outcome="${outcome}"}`,
      ),
      'skerry_dead_letters_total{kind="delivery"}',
      'skerry_cache_lookups_total{cache="snapshot",result="hit"}',
    ]) {
      expect(text).toContain(`\n${series} `);
    }
  });

  it('stays bounded, whatever labels are', () => {
    const count = counter();
    for (let kind = 0; kind < 5_000; kind += 1) count.add({ kind: String(kind) });
    expect(count.samples().length).toBeLessThanOrEqual(2_001);
    expect(count.samples().reduce((sum, { value }) => sum + value, 0)).toBe(5_000);
  });
});

describe('a report', () => {
  it('tells what came since the one before, and nothing where that is nothing', () => {
    const [count, wait] = [counter(), histogram()];
    const report = new MetricReport(AggregationTemporality.DELTA);
    count.add({ kind: 'a' }, 2);
    wait.record({}, 4);
    wait.record({}, 2);
    expect(report.next([count, wait], 1_000)).toMatchObject([
      { dataPointType: DataPointType.SUM, dataPoints: [{ attributes: { kind: 'a' }, value: 2 }] },
      { dataPoints: [{ value: { sum: 6, count: 2, min: 2, max: 4, buckets: { counts: [0, 2, 0] } } }] },
    ]);
    expect(report.next([count, wait], 2_000)).toEqual([]);
    count.add({ kind: 'a' });
    wait.record({}, 7);
    expect(report.next([count, wait], 3_500)).toMatchObject([
      { dataPoints: [{ value: 1, startTime: [2, 0], endTime: [3, 500_000_000] }] },
      { dataPoints: [{ value: { sum: 7, count: 1, min: 7, max: 7, buckets: { counts: [0, 0, 1] } } }] },
    ]);
  });

  it('tells all since the start, without least and greatest, where sums are wanted', () => {
    const [count, wait] = [counter(), histogram()];
    const report = new MetricReport(AggregationTemporality.CUMULATIVE);
    for (const total of [1, 2]) {
      count.add({ kind: 'a' });
      wait.record({}, 1);
      const [sum, distribution] = report.next([count, wait], 1_000);
      expect(sum?.dataPoints[0]?.value).toBe(total);
      expect(distribution?.dataPoints[0]?.value).toEqual({
        buckets: { boundaries: [1, 5], counts: [total, 0, 0] },
        sum: total,
        count: total,
      });
    }
  });
});
