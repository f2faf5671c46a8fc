import { metrics } from './metrics.ts';
import type { EndedSpan } from './span.ts';

/** Spans in memory at a time; what does not fit is counted and gone. */
const MAX_SPANS = 4_096;
const MAX_SPANS_AT_ONCE = 512;

/** Spans that wait for being sent. */
export class SpanBuffer {
  #spans: EndedSpan[] = [];

  add(span: EndedSpan): void {
    if (this.#spans.length < MAX_SPANS) {
      this.#spans.push(span);
    } else {
      metrics.telemetryDropped.add({ signal: 'spans' });
    }
  }

  /** As many as are sent at once, the oldest first. */
  take(): readonly EndedSpan[] {
    return this.#spans.splice(0, MAX_SPANS_AT_ONCE);
  }
}
