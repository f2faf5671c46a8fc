import type { Labels, Metric, Sample } from './metric.ts';

/** The metrics in Prometheus' text format 0.0.4; those without any series are left out. */
export function prometheusText(metrics: Iterable<Metric>): string {
  let text = '';
  for (const metric of metrics) {
    const lines = linesOf(metric);
    if (lines.length === 0) continue;
    const name = prometheusName(metric);
    text += `# HELP ${name} ${metric.declaration.help}\n# TYPE ${name} ${metric.type}\n${lines.join('\n')}\n`;
  }
  return text;
}

/** By the rules of "OpenTelemetry to Prometheus": the unit, unless it only counts, and `_total` where it grows. */
function prometheusName({ declaration: { name, unit }, type }: Metric): string {
  const seconds = unit === 's' ? '_seconds' : '';
  return name.replaceAll('.', '_') + seconds + (type === 'counter' ? '_total' : '');
}

/** Labels as Prometheus writes them, braces and all; nothing for none. */
export function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function linesOf(metric: Metric): string[] {
  const name = prometheusName(metric);
  if (metric.type !== 'histogram') {
    return metric
      .samples()
      .map(({ labels, value }: Sample<number>) => `${name}${labelText(labels)} ${value}`);
  }
  return metric.samples().flatMap(({ labels, value: { counts, sum, count } }) => {
    let below = 0;
    const buckets = [...metric.bounds, '+Inf'].map((bound, index) => {
      below += counts[index] ?? 0;
      return `${name}_bucket${labelText({ ...labels, le: String(bound) })} ${below}`;
    });
    const own = labelText(labels);
    return [...buckets, `${name}_sum${own} ${sum}`, `${name}_count${own} ${count}`];
  });
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
