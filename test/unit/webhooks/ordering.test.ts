import { describe, expect, test } from 'vitest';
import { isLeftToCursor, isOrdered, withOrdering } from '../../../shared/webhooks/subscription/ordering.ts';

const SKEW = 1_000;
const [BEFORE, ON, OFF, AGAIN, AFTER] = [0, 10, 20, 30, 40].map((second) =>
  new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString(),
) as [string, string, string, string, string];

describe('a subscription that is ordered', () => {
  test('from the beginning leaves every change to its cursors', () => {
    const ordering = withOrdering({ ordered: true, unordered: undefined }, true, ON);
    expect(ordering).toEqual({ ordered: true });
    expect(isOrdered(ordering, BEFORE, SKEW)).toBe(true);
    expect(isLeftToCursor(ordering, BEFORE, SKEW)).toBe(true);
  });

  test('later on leaves those to its cursors that were made since, or may have been', () => {
    const ordering = withOrdering({ ordered: undefined, unordered: undefined }, true, ON);
    expect([BEFORE, before(ON), ON, AFTER].map((at) => isOrdered(ordering, at, SKEW))).toEqual([
      false,
      true,
      true,
      true,
    ]);
    expect(isLeftToCursor(ordering, BEFORE, SKEW)).toBe(false);
  });
});

describe('a subscription that is ordered no more', () => {
  const ordering = withOrdering({ ordered: true, unordered: { to: ON } }, false, OFF);

  test('leaves to its cursors what was left to them before', () => {
    expect([ON, OFF, AGAIN].map((at) => isLeftToCursor(ordering, at, SKEW))).toEqual([true, true, false]);
    expect(isOrdered(ordering, ON, SKEW)).toBe(false);
  });

  test('and is again leaves to them all but the time between', () => {
    const { ordered, unordered } = ordering;
    const again = withOrdering({ ordered, unordered }, true, AGAIN);
    const between = new Date((Date.parse(OFF) + Date.parse(AGAIN)) / 2).toISOString();
    expect([ON, between, AGAIN].map((at) => isLeftToCursor(again, at, SKEW))).toEqual([true, false, true]);
    expect([ON, between, AGAIN].map((at) => isOrdered(again, at, SKEW))).toEqual([false, false, true]);
  });
});

test('a subscription that never was ordered leaves nothing to cursors', () => {
  const ordering = withOrdering({ ordered: undefined, unordered: undefined }, false, ON);
  expect(ordering).toEqual({});
  expect(isOrdered(ordering, AFTER, SKEW)).toBe(false);
  expect(isLeftToCursor(ordering, AFTER, SKEW)).toBe(false);
});

/** Earlier by what clocks may differ. */
function before(at: string): string {
  return new Date(Date.parse(at) - SKEW).toISOString();
}
