import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';
import { formatTraceparent, parseTraceparent, type TraceContext } from './trace-context.ts';

/** As in OpenTelemetry. */
export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** By OpenTelemetry's semantic conventions; never values of records, nor secrets. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

export interface SpanOptions {
  readonly kind: SpanKind;
  /** `traceparent` of what it is part of. Without one there is no span: traces begin where something enters, which the host sees to. */
  readonly parent: string | undefined;
  readonly attributes?: Attributes;
}

/** Something that takes time, as part of a trace; nothing where nobody records that. */
export interface Span {
  /** For what is done on its behalf: its own, or its parent's where it is not recorded. */
  readonly traceparent: string | undefined;
  readonly isRecorded: boolean;
  set(attributes: Attributes): void;
  /** @param error why it failed, or the name of that; its name alone is told. */
  end(error?: unknown): void;
}

/** A span that has ended; times in milliseconds since the Unix epoch, with fractions. */
export interface EndedSpan extends TraceContext {
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Attributes;
  readonly hasFailed: boolean;
}

let record: ((span: EndedSpan) => void) | undefined;

/** From now on spans are recorded; undefined for no more. */
export function recordSpans(recorder: ((span: EndedSpan) => void) | undefined): void {
  record = recorder;
}

/** Begins a span, where spans are recorded and the trace that it is part of is sampled. */
export function startSpan(name: string, options: SpanOptions): Span {
  const parent = record === undefined ? undefined : parseTraceparent(options.parent);
  return parent?.isSampled === true
    ? new RecordedSpan(name, parent, options)
    : new SkippedSpan(options.parent);
}

const current = new AsyncLocalStorage<string | undefined>();

/** `traceparent` of the span within which this runs; undefined where spans are not recorded. */
export function currentTraceparent(): string | undefined {
  return record === undefined ? undefined : current.getStore();
}

/** Runs work within a span, which ends with it. */
export async function inSpan<Result>(
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<Result>,
): Promise<Result> {
  const span = startSpan(name, options);
  try {
    const result = await (span.isRecorded ? current.run(span.traceparent, work, span) : work(span));
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
}

class SkippedSpan implements Span {
  readonly traceparent: string | undefined;
  readonly isRecorded = false;

  constructor(traceparent: string | undefined) {
    this.traceparent = traceparent;
  }

  set(): void {}

  end(): void {}
}

class RecordedSpan implements Span {
  readonly traceparent: string;
  readonly isRecorded = true;
  readonly #span: Omit<EndedSpan, 'endedAt' | 'attributes' | 'hasFailed'>;
  #attributes: Attributes;
  #isOver = false;

  constructor(name: string, parent: TraceContext, { kind, attributes = {} }: SpanOptions) {
    const context = { traceId: parent.traceId, spanId: randomBytes(8).toString('hex'), isSampled: true };
    this.traceparent = formatTraceparent(context);
    this.#span = { ...context, parentSpanId: parent.spanId, name, kind, startedAt: now() };
    this.#attributes = attributes;
  }

  set(attributes: Attributes): void {
    this.#attributes = { ...this.#attributes, ...attributes };
  }

  end(error?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const hasFailed = error !== undefined;
    const attributes = hasFailed ? { ...this.#attributes, 'error.type': nameOf(error) } : this.#attributes;
    record?.({ ...this.#span, endedAt: now(), attributes, hasFailed });
  }
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Messages may repeat what somebody sent. */
function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : typeof error;
  return 'kind' in error && typeof error.kind === 'string' ? error.kind : error.name;
}
