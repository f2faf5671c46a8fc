import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Receiver, startReceiver } from '../integration/webhooks/receiver.ts';
import { type HookReceiver, startHookReceiver } from './hook-receiver.ts';
import { connect, type HttpClient } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';
import { type CollectedSpan, type Collector, startCollector } from './telemetry-collector.ts';

const DEADLINE = { timeout: 45_000, interval: 50 };
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const CALLER = 'b7ad6b7169203331';
const SECRET = 'do-not-tell-4711';
const PATH = [
  'PUT /api/v1/apps/{name}',
  'commit',
  'process records',
  'send deliveries',
  'process deliveries',
  'POST',
];

interface Draft {
  readonly draft: string;
  readonly upload: { readonly url: string; readonly headers: Readonly<Record<string, string>> };
}

let collector: Collector;
let hooks: HookReceiver;
let receiver: Receiver;
let skerry: Skerry;
let api: HttpClient;

beforeAll(async () => {
  [collector, receiver, hooks] = await Promise.all([startCollector(), startReceiver(), startHookReceiver()]);
  skerry = await startSkerry({
    // One worker, so that `/health` tells of the same process.
    flags: ['--managed-identity', '--workers', '1'],
    env: {
      APPLICATIONINSIGHTS_CONNECTION_STRING: collector.connectionString,
      APPLICATION_INSIGHTS_NO_STATSBEAT: 'true',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_BSP_SCHEDULE_DELAY: '200',
      OTEL_METRIC_EXPORT_INTERVAL: '300',
    },
  });
  api = connect(skerry.url);
});

afterAll(async () => {
  await Promise.all([receiver?.stop(), hooks?.stop()]);
  await skerry?.stop();
  await collector?.stop();
});

it('shows the way of a change, from the request to the webhook, as one trace to Application Insights and by OTLP', async () => {
  const hook = {
    name: 'traced',
    key: '/app/traced',
    endpoint: `${receiver.url}/hook?code=${SECRET}`,
    consent: false,
  };
  expect(await api.post('subscriptions?ns=traced', hook)).toMatchObject({ status: 201 });
  const headers = { traceparent: `00-${TRACE}-${CALLER}-01`, baggage: `note=${SECRET}` };
  const write = await api.put('apps/traced?ns=traced', { config: { password: SECRET } }, headers);
  expect(write.status).toBe(201);

  for (const by of ['otlp', 'applicationinsights'] as const) {
    const spans = await vi.waitFor(() => {
      const found = collector.spans(by).filter(({ traceId }) => traceId === TRACE);
      expect(found.map(({ name }) => name)).toEqual(expect.arrayContaining(PATH));
      return found;
    }, DEADLINE);
    expect(wayTo('POST', spans), by).toEqual(PATH);
    const [call] = receiver.calls;
    const last = spans.find(({ name }) => name === 'POST');
    expect(call?.headers.traceparent, by).toBe(`00-${TRACE}-${last?.spanId}-01`);
  }
});

it('counts what happens, alike for Application Insights, OTLP and Prometheus', async () => {
  const counted = {
    'skerry.deliveries': 'skerry_deliveries_total',
    'skerry.commit.changes': 'skerry_commit_changes_sum',
  };
  for (const [name, shown] of Object.entries(counted)) {
    await vi.waitFor(async () => {
      const health = await (await fetch(`${skerry.url}/health`)).text();
      const total = health
        .split('\n')
        .filter((line) => line.startsWith(shown))
        .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
      expect(total, health).toBeGreaterThan(0);
      expect(collector.metrics('otlp').get(name)).toBe(total);
      expect(collector.metrics('applicationinsights').get(name)).toBe(total);
    }, DEADLINE);
  }
  for (const by of ['otlp', 'applicationinsights'] as const) {
    expect([...collector.metrics(by).keys()]).toEqual(
      expect.arrayContaining([
        'skerry.http.requests',
        'skerry.http.request.duration',
        'skerry.cosmos.request_units',
        'skerry.feed.lag',
        'skerry.queue.age',
        'skerry.delivery.attempts',
        'skerry.cache.lookups',
      ]),
    );
  }
});

it('leaves alone what a caller does not want traced, and tells no value, path or query to anybody', async () => {
  const untraced = TRACE.replace('0af', '0bf');
  const headers = { traceparent: `00-${untraced}-${CALLER}-00` };
  const write = await api.put('apps/traced?ns=traced', { config: { password: `${SECRET}2` } }, headers);
  expect(write.status).toBe(200);
  await vi.waitFor(() => expect(receiver.calls).toHaveLength(2), DEADLINE);
  expect(receiver.calls[1]?.headers.traceparent).toContain(untraced);
  // What came after it is told, so it would have been as well.
  const { status } = await api.get('apps/traced?ns=traced', { traceparent: `00-${TRACE}-${CALLER}-01` });
  expect(status).toBe(200);
  await vi.waitFor(
    () => expect(collector.spans('otlp').map(({ name }) => name)).toContain('GET /api/v1/apps/{name}'),
    DEADLINE,
  );
  expect(collector.spans('otlp').filter(({ traceId }) => traceId === untraced)).toEqual([]);
  expect(collector.text()).not.toContain(SECRET);
});

it('follows a command from the request over the bus to its steps', async () => {
  const input = { id: 'traced', name: 'Traced' };
  expect(await api.post('environments?ns=traced', input)).toMatchObject({ status: 202 });
  const way = ['POST /api/v1/environments', 'process commands', 'process steps'];
  await vi.waitFor(
    () => expect(wayTo('process steps', collector.spans('otlp')).slice(0, 3)).toEqual(way),
    DEADLINE,
  );
});

it('works as a managed identity from the write to the webhook, over tokens and links that no account key signs', async () => {
  // A dependency that takes longer than two seconds to answer counts as away.
  await expect.poll(async () => (await api.get('health/ready')).status).toBe(200);
  const hook = { name: 'told', key: '/app', endpoint: `${hooks.url}/told` };
  expect((await api.post('subscriptions', hook)).status).toBe(201);
  expect((await api.put('apps/shop', { config: 1 })).status).toBe(201);
  await vi.waitFor(() => expect(hooks.received('/told')).toHaveLength(1), DEADLINE);

  const files = new FormData();
  files.append('app.json', new Blob(['{}']), 'app.json');
  const published = await fetch(`${skerry.url}/api/v1/bundles/web/versions`, { method: 'PUT', body: files });
  expect(published.status).toBe(201);
  const archive = await fetch(`${skerry.url}/api/v1/bundles/web/versions/1/archive`);
  const zip = Buffer.from(await archive.arrayBuffer());
  const { draft, upload } = (await api.post('bundles/copy/drafts', {})).body as Draft;
  expect(new URL(upload.url).searchParams.get('skoid')).not.toBeNull();
  expect(await putOverTls(upload, zip)).toBe(201);
  expect((await api.post(`bundles/copy/drafts/${draft}/commit`, {})).status).toBe(201);
  expect((await api.get('bundles/copy/versions/1/files/app.json')).text).toBe('{}');
});

/** The names of the spans above one, its own last. */
function wayTo(name: string, spans: readonly CollectedSpan[]): readonly string[] {
  const names: string[] = [];
  let span = spans.find((one) => one.name === name);
  for (; span !== undefined; span = spans.find(({ spanId }) => spanId === span?.parentSpanId)) {
    // The functions host, which stands between the queue and the function, tells nothing of itself here.
    names.unshift(span.name);
  }
  return names;
}

/** @returns the status. */
async function putOverTls({ url, headers }: Draft['upload'], body: Buffer): Promise<number | undefined> {
  const folder = /^ +data +(\S+)/m.exec(skerry.output())?.[1] ?? '';
  const ca = await readFile(path.join(folder, 'identity/certificate.pem'));
  const put = request(url, { method: 'PUT', ca, headers: { ...headers, 'content-length': body.byteLength } });
  put.end(body);
  const [answer] = (await once(put, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}
