import { beforeEach, expect, it } from 'vitest';
import { AccessLog } from '../../../shared/audit/index.ts';
import { nobody } from '../../../shared/platform/http/index.ts';

let written: {
  entries: { kind: string; key?: string; count: number; firstAt: string; lastAt: string }[];
}[];
let isAway: boolean;
let timers: { milliseconds: number; action: () => void }[];
let now: number;
let log: AccessLog;

beforeEach(() => {
  written = [];
  isAway = false;
  timers = [];
  now = 0;
  const commit = async (_scope: unknown, { decide }: { decide(current: undefined): unknown }) => {
    if (isAway) throw new Error('away');
    const { value } = decide(undefined) as { value: (typeof written)[number] };
    written.push(value);
    return {};
  };
  log = new AccessLog({
    records: { commit: commit as never },
    clock: { now: () => now },
    later: (milliseconds, action) => timers.push({ milliseconds, action }),
  });
});

function deny(keys: string): void {
  log.denied({
    caller: nobody('a'),
    clientAddress: undefined,
    endpoint: 'e',
    verb: 'read',
    ns: 'default',
    keys,
  });
}

it('a flood is one write of bounded size, and a timer runs only while there is something to write', async () => {
  for (let count = 0; count < 5_000; count += 1) {
    now = count;
    deny(`/app/${count % 120}`);
  }
  expect(timers).toMatchObject([{ milliseconds: 1_000 }]);
  timers.pop()?.action();
  await expect.poll(() => written).toHaveLength(1);
  expect(written[0]?.entries).toHaveLength(101);
  expect(written[0]?.entries.reduce((sum, { count }) => sum + count, 0)).toBe(5_000);
  expect(written[0]?.entries.at(-1)).toMatchObject({ kind: 'unlisted', count: 820 });
  expect(written[0]?.entries[0]).toMatchObject({
    firstAt: '1970-01-01T00:00:00.000Z',
    lastAt: new Date(4_920).toISOString(),
  });
  expect(timers).toEqual([]);
  deny('/app/x');
  expect(timers).toMatchObject([{ milliseconds: 10_000 }]);
});

it('what could not be written is written later, with what came since', async () => {
  isAway = true;
  deny('/app/x');
  await log.flush();
  now = 1000;
  deny('/app/x');
  isAway = false;
  await log.flush();
  expect(written).toMatchObject([
    {
      entries: [
        { key: '/app/x', count: 2, firstAt: '1970-01-01T00:00:00.000Z', lastAt: '1970-01-01T00:00:01.000Z' },
      ],
    },
  ]);
});

it.each([
  ['letters', 'x', 500],
  ['characters that JSON escapes', '\u0001', 125],
  ['halves of characters', '\ud800', 250],
])('keeps no more of what a caller chooses than fits: %s', async (_, character, kept) => {
  for (let kind = 0; kind < 100; kind += 1) deny(`${kind}`.padStart(2, '0') + character.repeat(10_000));
  await log.flush();
  expect(written[0]?.entries[0]?.key?.length).toBe(kept);
  expect(Buffer.byteLength(JSON.stringify(written[0]))).toBeLessThan(384 * 1024);
});

it('tells no token that stands where a key should', async () => {
  deny(`/kv/s/skt_${'x'.repeat(43)}`);
  await log.flush();
  expect(written[0]?.entries[0]?.key).toBe('/kv/s/***');
});

it('has nobody see secrets of whom that cannot be written down', async () => {
  const reveal = () =>
    log.revealed({
      caller: nobody('a'),
      clientAddress: '192.0.2.1',
      endpoint: 'e',
      ns: 'default',
      key: '/app/x',
    });
  isAway = true;
  await expect(reveal()).rejects.toThrow('away');
  isAway = false;
  await reveal();
  expect(written).toMatchObject([{ entries: [{ kind: 'reveal', actor: 'a', key: '/app/x', count: 1 }] }]);
  expect(timers).toEqual([]);
});
