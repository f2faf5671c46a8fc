import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Histogram } from '../../../shared/platform/telemetry/metric.ts';
import { metrics } from '../../../shared/platform/telemetry/metrics.ts';
import { parseBicep } from './bicep-file.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (name: string) => readFileSync(path.join(root, name), 'utf8');
const known = new Map(Object.values(metrics).map((metric) => [metric.declaration.name, metric]));

interface QueryRule {
  readonly name: string;
  readonly query: string;
}

interface WorkbookItem {
  readonly content: { readonly title?: string; readonly query?: string };
}

const alerts = parseBicep(read('infra/azure/modules/alerts.bicep'));
const queryRules = alerts.variables.get('queryRules') as readonly QueryRule[];
const workbook = JSON.parse(read('infra/azure/modules/workbook.json')) as { items: readonly WorkbookItem[] };

/** What a query asks for that Application Insights would not have: it answers such a query with nothing, and so nobody would notice. */
function queryFaults(query: string): string[] {
  const [, name = ''] = /name == '([^']*)'/.exec(query) ?? [];
  const metric = known.get(name);
  if (metric === undefined) return [`no metric ${name}`];
  const labels = [...query.matchAll(/customDimensions\.(\w+)/g)].map(([, label = '']) => label);
  const columns = query.match(/\bvalue(?:Sum|Count|Max)\b/g) ?? [];
  const isHistogram = metric instanceof Histogram;
  const declared: readonly string[] = metric.declaration.labels ?? [];
  return [
    ...labels.filter((label) => !declared.includes(label)).map((label) => `${name} has no label ${label}`),
    ...columns
      .filter((column) => column !== 'valueSum' && !isHistogram)
      .map((column) => `${name} has no ${column}`),
  ];
}

const queries = [
  ...queryRules.map(({ name, query }) => [name, query] as const),
  ...workbook.items.flatMap(({ content: { title = '', query = '' } }) =>
    query.startsWith('customMetrics') ? [[title, query] as const] : [],
  ),
];

describe('queries ask for what the app measures', () => {
  test.each(queries)('%s', (_, query) => {
    expect(queryFaults(query)).toEqual([]);
  });

  test('and one that does not is found', () => {
    expect(queryFaults("customMetrics\n| where name == 'skerry.feed.lags'")).toEqual([
      'no metric skerry.feed.lags',
    ]);
    expect(
      queryFaults(
        "customMetrics\n| where name == 'skerry.deliveries'\n| summarize max(valueMax) by customDimensions.queue",
      ),
    ).toEqual(['skerry.deliveries has no label queue', 'skerry.deliveries has no valueMax']);
  });
});

test('a rule measures the column that its query makes', () => {
  expect(queryRules.filter(({ query }) => !/\bvalue = /.test(query))).toEqual([]);
  expect(alerts.text).toContain("metricMeasureColumn: 'value'");
});

test('a rule looks back further than to its last run: what happened is known only minutes later', () => {
  const [rule] = alerts.resources.filter(({ symbol }) => symbol === 'queryRule');
  const minutes = (name: string) => Number(new RegExp(`${name}: 'PT(\\d+)M'`).exec(rule?.text ?? '')?.[1]);
  expect(minutes('windowSize')).toBeGreaterThanOrEqual(minutes('evaluationFrequency') + 5);
});

test('every alert is told of in docs/operations.md, as its description says', () => {
  const names = alerts.text.match(/(?<=name: ')skerry-[\w-]+/g) ?? [];
  expect(names.length).toBeGreaterThan(4);
  expect(names.filter((name) => !read('docs/operations.md').includes(`**\`${name}\`**`))).toEqual([]);
});
