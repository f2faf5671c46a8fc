export { logLine, withoutSecrets } from './log-line.ts';
export { countLookup, metrics } from './metrics.ts';
export { labelText, prometheusText } from './prometheus-text.ts';
export { currentTraceparent, inSpan, type Span, startSpan } from './span.ts';
export { startTelemetry } from './telemetry.ts';
export { parseTraceparent, preferInTrace, traceProperties } from './trace-context.ts';
