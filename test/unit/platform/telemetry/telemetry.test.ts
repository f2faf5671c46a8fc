import { afterEach, expect, it, vi } from 'vitest';
import { metrics } from '../../../../shared/platform/telemetry/metrics.ts';
import type { EndedSpan } from '../../../../shared/platform/telemetry/span.ts';
import { recordSpans, startSpan } from '../../../../shared/platform/telemetry/span.ts';
import { Telemetry } from '../../../../shared/platform/telemetry/telemetry.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const pauses = { OTEL_BSP_SCHEDULE_DELAY: 60_000, OTEL_METRIC_EXPORT_INTERVAL: 60_000 };

afterEach(() => {
  recordSpans(undefined);
  vi.restoreAllMocks();
});

function dropped(): number {
  return metrics.telemetryDropped.samples().find(({ labels }) => labels.signal === 'spans')?.value ?? 0;
}

it('loads nothing before there is something to send, and sends the rest at its end', async () => {
  const sent: EndedSpan[] = [];
  const load = vi.fn(async () => [
    {
      exportSpans: async (spans: readonly EndedSpan[]) => void sent.push(...spans),
      exportMetrics: async () => {},
    },
  ]);
  const telemetry = new Telemetry(pauses, load);
  telemetry.start();
  for (let nth = 0; nth < 600; nth += 1) startSpan(`${nth}`, { kind: 'server', parent: PARENT }).end();
  expect(load).not.toHaveBeenCalled();
  await telemetry.close();
  expect(load).toHaveBeenCalledOnce();
  expect(sent.map(({ name }) => name)).toEqual(Array.from({ length: 600 }, (_, nth) => `${nth}`));
});

it('counts what does not arrive and what there is no room for, and tells the log once', async () => {
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  const before = dropped();
  const telemetry = new Telemetry(pauses, () => Promise.reject(new Error('It cannot be loaded.')));
  telemetry.start();
  for (let nth = 0; nth < 5_000; nth += 1) startSpan(`${nth}`, { kind: 'server', parent: PARENT }).end();
  await telemetry.close();
  expect(dropped() - before).toBe(5_000);
  expect(log).toHaveBeenCalledOnce();
});
