/** Where a span is in its trace (W3C Trace Context). */
export interface TraceContext {
  readonly traceId: string;
  readonly spanId: string;
  /** Whether whoever began the trace wants it recorded. */
  readonly isSampled: boolean;
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Undefined for what is no `traceparent`. */
export function parseTraceparent(text: string | undefined): TraceContext | undefined {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) {
    return undefined;
  }
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** Of two places the first, if both are of one trace; else the second, if there is one. */
export function preferInTrace(first: string | undefined, second: string | undefined): string | undefined {
  const isSameTrace = parseTraceparent(first)?.traceId === parseTraceparent(second)?.traceId;
  return second === undefined || isSameTrace ? first : second;
}

export function formatTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** How a message carries its trace: for the functions host by the older name, for everybody else by the standard's. */
export function traceProperties(traceparent: string | undefined): {
  readonly applicationProperties?: Record<string, string>;
} {
  return traceparent === undefined
    ? {}
    : { applicationProperties: { traceparent, 'Diagnostic-Id': traceparent } };
}
