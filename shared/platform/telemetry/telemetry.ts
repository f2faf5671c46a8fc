import type { Exporter } from './exporter.ts';
import { logLine } from './log-line.ts';
import { metrics } from './metrics.ts';
import { recordSpans } from './span.ts';
import { SpanBuffer } from './span-buffer.ts';
import type { TelemetrySettings } from './telemetry-settings.ts';

/** How long the end of a process may be held up by what is still to be sent, in milliseconds. */
const LAST_EXPORT_MILLISECONDS = 3_000;

type ExportPauses = Pick<TelemetrySettings, 'OTEL_BSP_SCHEDULE_DELAY' | 'OTEL_METRIC_EXPORT_INTERVAL'>;

/** Begins to send what this process records to where the settings say; undefined where they say nothing, and then it costs nothing. */
export function startTelemetry(settings: TelemetrySettings): Telemetry | undefined {
  const { APPLICATIONINSIGHTS_CONNECTION_STRING, OTEL_EXPORTER_OTLP_ENDPOINT } = settings;
  if (APPLICATIONINSIGHTS_CONNECTION_STRING === undefined && OTEL_EXPORTER_OTLP_ENDPOINT === undefined) {
    return undefined;
  }
  const telemetry = new Telemetry(settings, () => loadExporters(settings));
  telemetry.start();
  return telemetry;
}

/** Sends what is recorded, in the background, until it is closed. */
export class Telemetry {
  readonly #pauses: ExportPauses;
  readonly #load: () => Promise<readonly Exporter[]>;
  readonly #spans = new SpanBuffer();
  #exporters: Promise<readonly Exporter[]> | undefined;
  #timers: readonly NodeJS.Timeout[] = [];
  #isFailing = false;
  #sending: Promise<void> = Promise.resolve();

  /** @param load imports the exporters; asked once, with the first that there is to send: a start costs nothing of it. */
  constructor(pauses: ExportPauses, load: () => Promise<readonly Exporter[]>) {
    this.#pauses = pauses;
    this.#load = load;
  }

  start(): void {
    const { OTEL_BSP_SCHEDULE_DELAY: spanDelay, OTEL_METRIC_EXPORT_INTERVAL: metricInterval } = this.#pauses;
    recordSpans((span) => this.#spans.add(span));
    this.#timers = [
      setInterval(() => this.#queue(() => this.#sendSpans()), spanDelay).unref(),
      setInterval(() => this.#queue(() => this.#sendMetrics()), metricInterval).unref(),
    ];
  }

  /** Sends what there is; returns after three seconds at the latest. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    recordSpans(undefined);
    this.#queue(() => this.#sendSpans());
    this.#queue(() => this.#sendMetrics());
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LAST_EXPORT_MILLISECONDS);
    });
    await Promise.race([this.#sending, late]);
    clearTimeout(timer);
  }

  /** One thing after the other: who does not answer must not gather requests. */
  #queue(send: () => Promise<void>): void {
    this.#sending = this.#sending.then(send);
  }

  async #sendSpans(): Promise<void> {
    for (let spans = this.#spans.take(); spans.length > 0; spans = this.#spans.take()) {
      const { length } = spans;
      await this.#send('spans', length, (exporter) => exporter.exportSpans(spans));
    }
  }

  async #sendMetrics(): Promise<void> {
    const all = Object.values(metrics);
    await this.#send('metrics', 1, (exporter) => exporter.exportMetrics(all));
  }

  /** What does not arrive is counted, and the first that does not in a row is told to the log. */
  async #send(
    signal: 'spans' | 'metrics',
    items: number,
    send: (exporter: Exporter) => Promise<void>,
  ): Promise<void> {
    this.#exporters ??= this.#load();
    const outcomes = await this.#exporters.then(
      (exporters) => Promise.allSettled(exporters.map(send)),
      (reason: unknown) => {
        this.#exporters = undefined;
        return [{ status: 'rejected', reason } as const];
      },
    );
    const [fault] = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome] : []));
    if (fault !== undefined) {
      metrics.telemetryDropped.add({ signal }, items);
      if (!this.#isFailing) console.error(logLine('error', ['Telemetry could not be sent.', fault.reason]));
    }
    this.#isFailing = fault !== undefined;
  }
}

async function loadExporters(settings: TelemetrySettings): Promise<readonly Exporter[]> {
  const { APPLICATIONINSIGHTS_CONNECTION_STRING: connectionString, OTEL_EXPORTER_OTLP_ENDPOINT } = settings;
  const exporters: Exporter[] = [];
  if (connectionString !== undefined) {
    const { createAzureMonitorExporter } = await import('./azure-monitor.ts');
    exporters.push(createAzureMonitorExporter(connectionString, settings));
  }
  if (OTEL_EXPORTER_OTLP_ENDPOINT !== undefined) {
    const { createOtlpExporter } = await import('./otlp.ts');
    exporters.push(createOtlpExporter(settings));
  }
  return exporters;
}
