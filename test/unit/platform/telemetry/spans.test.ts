import { afterEach, describe, expect, it } from 'vitest';
import {
  currentTraceparent,
  type EndedSpan,
  inSpan,
  recordSpans,
  startSpan,
} from '../../../../shared/platform/telemetry/span.ts';
import { parseTraceparent, preferInTrace } from '../../../../shared/platform/telemetry/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;

afterEach(() => recordSpans(undefined));

function recorded(): readonly EndedSpan[] {
  const spans: EndedSpan[] = [];
  recordSpans((span) => spans.push(span));
  return spans;
}

describe('a traceparent', () => {
  it.each([
    '',
    '00',
    PARENT.toUpperCase(),
    `ff-${TRACE}-b7ad6b7169203331-01`,
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `${PARENT}\n`,
    `${PARENT}-more`,
  ])('is not %j', (text) => {
    expect(parseTraceparent(text)).toBeUndefined();
  });

  it('tells whether it is sampled, whatever other flags there are', () => {
    expect(parseTraceparent(PARENT)?.isSampled).toBe(true);
    expect(parseTraceparent(PARENT.replace(/01$/, '03'))?.isSampled).toBe(true);
    expect(parseTraceparent(PARENT.replace(/01$/, '02'))?.isSampled).toBe(false);
  });

  it('of the host counts only where it goes on with the trace of the message', () => {
    const host = PARENT.replace('b7ad6b7169203331', '00f067aa0ba902b7');
    expect(preferInTrace(host, PARENT)).toBe(host);
    expect(preferInTrace(host, undefined)).toBe(host);
    expect(preferInTrace(host.replace('0af7', '1af7'), PARENT)).toBe(PARENT);
    expect(preferInTrace(undefined, PARENT)).toBe(PARENT);
  });
});

describe('a span', () => {
  it('is part of its parent, and what is done within it finds it', async () => {
    const spans = recorded();
    await inSpan('outer', { kind: 'server', parent: PARENT }, async ({ traceparent }) => {
      expect(currentTraceparent()).toBe(traceparent);
      startSpan('inner', { kind: 'client', parent: currentTraceparent() }).end();
    });
    const [inner, outer] = spans;
    expect(outer).toMatchObject({ traceId: TRACE, parentSpanId: 'b7ad6b7169203331', hasFailed: false });
    expect(inner).toMatchObject({ traceId: TRACE, parentSpanId: outer?.spanId });
    expect(currentTraceparent()).toBeUndefined();
  });

  it('tells the name of an error, and never its message', async () => {
    const spans = recorded();
    const failing = inSpan('failing', { kind: 'client', parent: PARENT }, () =>
      Promise.reject(new TypeError('the password is 1234')),
    );
    await expect(failing).rejects.toThrow(TypeError);
    expect(spans).toMatchObject([{ hasFailed: true, attributes: { 'error.type': 'TypeError' } }]);
    expect(JSON.stringify(spans)).not.toContain('1234');
  });

  it.each([
    ['who began the trace does not want it recorded', true, PARENT.replace(/01$/, '00')],
    ['there is no trace', true, undefined],
    ['nobody records spans', false, PARENT],
  ])('is none where %s, and hands on what it was given', async (_why, isRecording, parent) => {
    const spans = isRecording ? recorded() : [];
    await inSpan('skipped', { kind: 'server', parent }, async ({ traceparent, isRecorded }) => {
      expect(traceparent).toBe(parent);
      expect(isRecorded).toBe(false);
    });
    expect(spans).toEqual([]);
  });
});
