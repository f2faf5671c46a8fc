import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readEvents } from '../../../client/watch/server-sent-events.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const STREAM = [
  ': heartbeat\n\n',
  'retry: 1000\n\n',
  'event: resync\nid: 1\ndata: {"a":\ndata: "é😀"}\n\n',
  'data: plain\r\n\r\n',
  'event:bookmark\rdata:2\r\r',
].join('');

describe('an event stream', () => {
  it('means the same however it is cut into pieces', async () => {
    const bytes = new TextEncoder().encode(STREAM);
    const cuts = fc.uniqueArray(fc.nat(bytes.length), { maxLength: 12 });
    const seed = printedSeed('event streams');
    await fc.assert(
      fc.asyncProperty(cuts, async (places) => {
        const ends = [...places.sort((one, other) => one - other), bytes.length];
        const pieces = ends.map((end, index) => bytes.slice(ends[index - 1] ?? 0, end));
        const response = new Response(ReadableStream.from(pieces));
        expect(await Array.fromAsync(readEvents(response, () => {}))).toEqual([
          { event: 'resync', data: '{"a":\n"é😀"}' },
          { event: 'message', data: 'plain' },
          { event: 'bookmark', data: '2' },
        ]);
      }),
      { seed, numRuns: runs(200, 10_000) },
    );
  });
});
