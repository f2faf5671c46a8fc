import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { formatBytes } from '../../../client/cli/format-bytes.ts';
import { createOutput } from '../../../client/cli/output.ts';

const CLEAR = '\r\u001b[K';

async function shown(isJson: boolean, isTTY: boolean): Promise<string> {
  const err = Object.assign(new PassThrough(), { isTTY });
  const progress = createOutput({ isJson, out: new PassThrough(), err }).progress('sending', 2000);
  progress.advance(500);
  progress.end();
  progress.advance(500);
  progress.end();
  err.end();
  return await text(err);
}

describe('a progress bar', () => {
  it('is drawn on a terminal, not too often, and leaves it clean', async () => {
    expect(await shown(false, true)).toBe(`${CLEAR}sending  [${'.'.repeat(24)}]   0%  0 B of 2.0 kB${CLEAR}`);
  });

  it.each([
    [false, false],
    [true, true],
  ])('is not drawn with --json (%s) or elsewhere', async (isJson, isTTY) => {
    expect(await shown(isJson, isTTY)).toBe('');
  });
});

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [99_960, '100 kB'],
  [999_600, '1.0 MB'],
  [52_428_800, '52.4 MB'],
  [2e15, '2000 TB'],
])('%i bytes are shown as %s', (bytes, expected) => {
  expect(formatBytes(bytes)).toBe(expected);
});
