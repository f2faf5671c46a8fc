import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';

/** A span, wherever it was sent. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
}

/** What was sent to Application Insights, or by OTLP: one server takes both. */
export interface Collector {
  /** As a connection string, and as an endpoint of OTLP. */
  readonly connectionString: string;
  readonly endpoint: string;
  spans(by: 'otlp' | 'applicationinsights'): readonly CollectedSpan[];
  /** Names of metrics, with the sum of what was told of each. */
  metrics(by: 'otlp' | 'applicationinsights'): ReadonlyMap<string, number>;
  /** All bodies. */
  text(): string;
  stop(): Promise<void>;
}

interface OtlpPoint {
  readonly asDouble?: number;
  readonly sum?: number;
}

interface OtlpMetric {
  readonly name: string;
  readonly sum?: { readonly dataPoints: readonly OtlpPoint[] };
  readonly gauge?: { readonly dataPoints: readonly OtlpPoint[] };
  readonly histogram?: { readonly dataPoints: readonly OtlpPoint[] };
}

interface OtlpBody {
  readonly resourceSpans?: readonly { readonly scopeSpans: readonly { spans: readonly CollectedSpan[] }[] }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly { metrics: readonly OtlpMetric[] }[];
  }[];
}

interface Envelope {
  readonly tags: Readonly<Record<string, string>>;
  readonly data: {
    readonly baseType: string;
    readonly baseData: {
      readonly id?: string;
      readonly name?: string;
      readonly metrics?: readonly { readonly name: string; readonly value: number }[];
    };
  };
}

export async function startCollector(): Promise<Collector> {
  const otlp: OtlpBody[] = [];
  const envelopes: Envelope[] = [];
  let text = '';
  const server = createServer((request, response) => {
    void buffer(request).then((raw) => {
      const body = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw).toString();
      text += body;
      response.setHeader('Content-Type', 'application/json');
      if (request.url?.startsWith('/v1/')) {
        otlp.push(JSON.parse(body) as OtlpBody);
        response.end('{}');
      } else {
        const items = parseEnvelopes(body);
        envelopes.push(...items);
        response.end(
          JSON.stringify({ itemsReceived: items.length, itemsAccepted: items.length, errors: [] }),
        );
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    connectionString: `InstrumentationKey=00000000-0000-4000-8000-000000000001;IngestionEndpoint=${endpoint}/`,
    spans: (by) =>
      by === 'otlp'
        ? otlp.flatMap(({ resourceSpans = [] }) =>
            resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
          )
        : envelopes.flatMap(toSpan),
    metrics: (by) => (by === 'otlp' ? otlpMetrics(otlp) : azureMetrics(envelopes)),
    text: () => text,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** JSON, or a line of it each. */
function parseEnvelopes(body: string): Envelope[] {
  return body.startsWith('[')
    ? (JSON.parse(body) as Envelope[])
    : body
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Envelope);
}

function toSpan({ tags, data: { baseType, baseData } }: Envelope): CollectedSpan[] {
  if (baseType !== 'RequestData' && baseType !== 'RemoteDependencyData') return [];
  return [
    {
      traceId: tags['ai.operation.id'] ?? '',
      spanId: baseData.id ?? '',
      parentSpanId: tags['ai.operation.parentId'] ?? '',
      name: baseData.name ?? '',
    },
  ];
}

/** Sums since the start of the process: the last one counts. */
function otlpMetrics(bodies: readonly OtlpBody[]): ReadonlyMap<string, number> {
  const totals = new Map<string, number>();
  const metrics = bodies.flatMap(({ resourceMetrics = [] }) =>
    resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics: all }) => all)),
  );
  for (const { name, sum, gauge, histogram } of metrics) {
    const points = (sum ?? gauge ?? histogram)?.dataPoints ?? [];
    totals.set(
      name,
      points.reduce((total, point) => total + (point.asDouble ?? point.sum ?? 0), 0),
    );
  }
  return totals;
}

/** What was added since the time before. */
function azureMetrics(envelopes: readonly Envelope[]): ReadonlyMap<string, number> {
  const totals = new Map<string, number>();
  for (const { name, value } of envelopes.flatMap(({ data }) => data.baseData.metrics ?? [])) {
    totals.set(name, (totals.get(name) ?? 0) + value);
  }
  return totals;
}
