import { beforeEach, describe, expect, test } from 'vitest';
import { CallLimit, type Leave } from '../../../shared/webhooks/endpoint/call-limit.ts';
import { SlowCalls } from '../../../shared/webhooks/endpoint/slow-calls.ts';
import { SteppedClock } from './stepped-clock.ts';

let clock: SteppedClock;
let slowCalls: SlowCalls;

beforeEach(() => {
  clock = new SteppedClock();
  slowCalls = new SlowCalls();
});

/** The limit of an endpoint that answered once before, after so many milliseconds. */
async function limitAfter(milliseconds: number, ns = 'ns1'): Promise<CallLimit> {
  const limit = new CallLimit(clock, slowCalls, ns);
  const [leave] = await enterTimes(limit, 1);
  await clock.advance(milliseconds);
  leave?.();
  return limit;
}

async function enterTimes(limit: CallLimit, count: number): Promise<Leave[]> {
  const leaves = await Promise.all(Array.from({ length: count }, () => limit.enter()));
  return leaves.filter((leave) => leave !== undefined);
}

test('ten calls run at a time, and a burst to a fast endpoint waits for its turn', async () => {
  const limit = await limitAfter(5);
  const running = await enterTimes(limit, 10);
  const burst = Array.from({ length: 100 }, () => limit.enter());
  for (const turn of burst.slice(0, 90)) {
    running.shift()?.();
    const leave = await turn;
    expect(leave).toBeDefined();
    running.push(leave as Leave);
  }
  await clock.advance(200);
  expect((await Promise.all(burst)).filter((leave) => leave === undefined)).toHaveLength(10);
});

test('of an endpoint that never answered one call runs, and more after its first answer', async () => {
  const limit = new CallLimit(clock, slowCalls, 'ns1');
  const [first] = await enterTimes(limit, 1);
  const burst = Array.from({ length: 20 }, () => limit.enter());
  await clock.advance(50);
  first?.();
  await clock.advance(200);
  expect((await Promise.all(burst)).filter((leave) => leave !== undefined)).toHaveLength(10);
});

test('at a slow endpoint nobody waits', async () => {
  const limit = await limitAfter(5);
  const [first] = await enterTimes(limit, 10);
  await clock.advance(5_000);
  expect(await limit.enter()).toBeUndefined();
  first?.();
  expect(await limit.enter()).toBeDefined();
  expect(await limit.enter()).toBeUndefined();
});

test('a burst that is turned away comes back at the pace of the endpoint, and never leaves it idle', async () => {
  const limit = await limitAfter(1_000);
  let over = 0;
  let arrivals = 0;
  const arrive = async () => {
    for (;;) {
      arrivals += 1;
      const leave = await limit.enter();
      if (leave !== undefined) {
        await clock.sleep(1_000);
        over += 1;
        return leave();
      }
      await clock.sleep(limit.nextTurn().at - clock.now());
    }
  };
  const burst = Promise.all(Array.from({ length: 200 }, arrive));
  await clock.advance(25_000);
  expect(over).toBe(200);
  expect(arrivals).toBeLessThan(600);
  await burst;
});

test('who is turned away comes back the later the longer all calls hang, and when that is told to nobody else', async () => {
  const limit = new CallLimit(clock, slowCalls, 'ns1');
  const [first] = await enterTimes(limit, 1);
  expect(limit.nextTurn()).toEqual({ at: clock.now() + 1_000, isOwn: false });
  await clock.advance(5_000);
  expect(limit.nextTurn()).toEqual({ at: clock.now() + 5_000, isOwn: false });
  first?.();
  await enterTimes(limit, 10);
  const turns = Array.from({ length: 3 }, () => limit.nextTurn());
  expect(turns).toEqual([1_000, 1_500, 2_000].map((later) => ({ at: clock.now() + later, isOwn: true })));
});

test('a call that is over twice makes room once', async () => {
  const limit = await limitAfter(5);
  const [first] = await enterTimes(limit, 10);
  first?.();
  first?.();
  const late = Promise.all([limit.enter(), limit.enter()]);
  await clock.advance(200);
  expect((await late).filter((leave) => leave === undefined)).toHaveLength(1);
});

describe('many slow endpoints', () => {
  test('have half of a process together, and leave the rest to fast ones', async () => {
    const fast = await limitAfter(5);
    const slow = Array.from({ length: 200 }, () => new CallLimit(clock, slowCalls, 'ns1'));
    const turns = await Promise.all(slow.map((limit) => limit.enter()));
    const running = turns.filter((leave) => leave !== undefined);
    expect(running).toHaveLength(128);
    expect(await enterTimes(fast, 10)).toHaveLength(10);
    running[0]?.();
    expect(await slow[199]?.enter()).toBeDefined();
    expect(await slow[198]?.enter()).toBeUndefined();
  });

  test.each([
    [1, ['ns0', 'other']],
    [20, ['other']],
  ])('of %i namespaces with much to do leave room for those of %j', async (namespaces, others) => {
    const slow = await Promise.all(
      Array.from({ length: 30 * namespaces }, (_, nth) => limitAfter(5_000, `ns${nth % namespaces}`)),
    );
    const running: Leave[] = [];
    for (let round = 0; round < 400; round += 1) {
      await clock.advance(100);
      running.shift()?.();
      for (const limit of slow) running.push(...(await enterTimes(limit, 1)));
    }
    expect(running.length).toBeGreaterThan(110);
    for (const ns of others) {
      expect(await enterTimes(new CallLimit(clock, slowCalls, ns), 1)).toHaveLength(1);
    }
  });

  test('count as fast again when they are', async () => {
    const limit = await limitAfter(2_000);
    const others = Array.from({ length: 200 }, () => new CallLimit(clock, slowCalls, 'ns1'));
    for (let nth = 0; nth < 10; nth += 1) {
      const [leave] = await enterTimes(limit, 1);
      leave?.();
    }
    await Promise.all(others.map((other) => other.enter()));
    expect(slowCalls.room('ns1')).toBe(0);
    expect(await limit.enter()).toBeDefined();
    expect(slowCalls.room('ns1')).toBe(0);
  });
});
