import { describe, expect, test } from 'vitest';
import type {
  EnvironmentState,
  EnvironmentValue,
  Health,
  ResourceValue,
} from '../../../shared/environments/index.ts';
import { healthAfter, verdictOf } from '../../../shared/environments/status/health.ts';
import { destructionStep } from '../../../shared/environments/status/planned-destruction.ts';
import { findingsOf, nextRoundAt, nextState } from '../../../shared/environments/status/roll-up.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const TERMS = { interval: MINUTE, validation: 10 * MINUTE };
const NOW = Date.parse('2026-01-02T12:00:00.000Z');

const ago = (milliseconds: number) => new Date(NOW - milliseconds).toISOString();

function environment(state: EnvironmentState, more: Partial<EnvironmentValue> = {}): EnvironmentValue {
  return {
    name: 'shop',
    tags: [],
    state,
    stateSince: ago(0),
    createdOn: ago(HOUR),
    templates: [],
    entrypoints: [],
    statusEndpoints: [],
    ...more,
  };
}

function resource(id: string, health?: Health, more: Partial<ResourceValue> = {}) {
  const value: ResourceValue = {
    name: id,
    tags: [],
    count: 1,
    status: 'ok',
    statusSince: ago(HOUR),
    links: [],
    statusEndpoints: ['http://a/'],
    dependencies: [],
    ...(health !== undefined && { health }),
    ...more,
  };
  return { id, value };
}

const healthy: Health = { state: 'healthy', since: ago(HOUR) };
const unhealthySince = (milliseconds: number): Health => ({
  state: 'unhealthy',
  since: ago(milliseconds),
  detail: 'http://a/: HTTP 503',
});

describe('the next state', () => {
  const table: [string, EnvironmentValue, ReturnType<typeof resource>[], object | undefined][] = [
    ['validated, without endpoints', environment('Deployed-Validating'), [], { to: 'Deployed-OK' }],
    [
      'validated, all well',
      environment('Deployed-Validating'),
      [resource('a', healthy)],
      { to: 'Deployed-OK' },
    ],
    ['validated, never asked', environment('Deployed-Validating'), [resource('a')], undefined],
    [
      'validated, ill, in time',
      environment('Deployed-Validating', { stateSince: ago(10 * MINUTE - 1) }),
      [resource('a', unhealthySince(0))],
      undefined,
    ],
    [
      'validated, ill, at its deadline',
      environment('Deployed-Validating', { stateSince: ago(10 * MINUTE) }),
      [resource('a', unhealthySince(0)), resource('b', unhealthySince(0))],
      {
        to: 'Deployed-Fail',
        reason: 'The resource a is unhealthy (http://a/: HTTP 503); 1 more complaints.',
        failedBy: 'health',
      },
    ],
    [
      'validated, never asked, at its deadline',
      environment('Deployed-Validating', { stateSince: ago(10 * MINUTE) }),
      [resource('a')],
      { to: 'Deployed-Fail', reason: 'Not all status endpoints could be asked in time.', failedBy: 'health' },
    ],
    [
      'well, ill for two rounds',
      environment('Deployed-OK'),
      [resource('a', unhealthySince(2 * MINUTE - 1))],
      undefined,
    ],
    [
      'well, ill for three rounds',
      environment('Deployed-OK', { health: healthy }),
      [resource('a', unhealthySince(2 * MINUTE)), resource('b', healthy)],
      {
        to: 'Deployed-Fail',
        reason: 'The resource a is unhealthy (http://a/: HTTP 503).',
        failedBy: 'health',
      },
    ],
    [
      'well, with a resource that failed',
      environment('Deployed-OK'),
      [resource('a', healthy, { status: 'failed', detail: 'No quota.' })],
      { to: 'Deployed-Fail', reason: 'The resource a failed: No quota.', failedBy: 'health' },
    ],
    ['failed by an operation, well', environment('Deployed-Fail'), [resource('a', healthy)], undefined],
    [
      'failed by its health, well',
      environment('Deployed-Fail', { failedBy: 'health' }),
      [resource('a', healthy)],
      { to: 'Deployed-Validating' },
    ],
    [
      'failed by its health, partly well',
      environment('Deployed-Fail', { failedBy: 'health' }),
      [resource('a', healthy), resource('b', unhealthySince(HOUR))],
      undefined,
    ],
    ['under way', environment('Deploying'), [resource('a', unhealthySince(HOUR))], undefined],
    ['destroyed', environment('Destroyed'), [], undefined],
  ];
  test.each(table)('%s', (_, value, resources, next) => {
    expect(nextState(value, findingsOf(value, resources), NOW, TERMS)).toEqual(next);
  });
});

test('what is wrong for long is asked ever more rarely, what is well or new as often as is said', () => {
  const pause = (value: EnvironmentValue, resources: ReturnType<typeof resource>[]) => {
    const at = nextRoundAt(value, findingsOf(value, resources), NOW, TERMS);
    return at === undefined ? undefined : at - NOW;
  };
  expect(pause(environment('Deployed-OK'), [resource('a', healthy)])).toBe(MINUTE);
  expect(pause(environment('Deployed-OK'), [])).toBeUndefined();
  expect(pause(environment('Destroyed'), [resource('a', healthy)])).toBeUndefined();
  const failed = environment('Deployed-Fail', { failedBy: 'health' });
  expect(pause(failed, [resource('a', unhealthySince(3 * MINUTE))])).toBe(MINUTE);
  expect(pause(failed, [resource('a', unhealthySince(20 * MINUTE))])).toBe(5 * MINUTE);
  expect(pause(failed, [resource('a', unhealthySince(100 * HOUR))])).toBe(15 * MINUTE);
  expect(pause(failed, [resource('a', unhealthySince(100 * HOUR)), resource('b', unhealthySince(0))])).toBe(
    MINUTE,
  );
  expect(pause(environment('Deploying', { stateSince: ago(HOUR) }), [])).toBe(15 * MINUTE);
});

test('health changes when a verdict differs, and only then', () => {
  const ask = (...bad: string[]) =>
    new Map([
      ...['a', 'b'].map((one) => [one, undefined] as const),
      ...bad.map((one) => [one, 'HTTP 500'] as const),
    ]);
  const watched = (health?: Health) => ({
    statusEndpoints: ['a', 'b'],
    ...(health !== undefined && { health }),
  });
  expect(verdictOf(['a', 'b'], ask())).toEqual({ isHealthy: true });
  expect(verdictOf(['a', 'b'], ask('b'))).toEqual({ isHealthy: false, detail: 'b: HTTP 500' });
  expect(verdictOf(['a', 'c'], ask())).toBeUndefined();
  expect(verdictOf(['c', 'b'], ask('b'))).toEqual({ isHealthy: false, detail: 'b: HTTP 500' });
  expect(healthAfter(watched(healthy), { isHealthy: true }, NOW)).toBe(healthy);
  const ill = unhealthySince(HOUR);
  expect(healthAfter(watched(ill), { isHealthy: false, detail: 'another' }, NOW)).toBe(ill);
  expect(healthAfter(watched(ill), undefined, NOW)).toBe(ill);
  expect(healthAfter(watched(ill), { isHealthy: true }, NOW)).toEqual({ state: 'healthy', since: ago(0) });
  expect(healthAfter(watched(), { isHealthy: false, detail: 'x' }, NOW)).toEqual({
    state: 'unhealthy',
    since: ago(0),
    detail: 'x',
  });
  expect(healthAfter({ statusEndpoints: [], health: ill }, undefined, NOW)).toBeUndefined();
});

describe('planned destruction', () => {
  const step = (more: Partial<EnvironmentValue>, state: EnvironmentState = 'Deployed-OK') =>
    destructionStep(environment(state, more), NOW, 24 * HOUR, 'op_x');
  const planned = (inMilliseconds: number) => ({ destructionPlannedOn: ago(-inMilliseconds) });

  test('waits, warns, waits, and destroys', () => {
    expect(step({})).toEqual({ type: 'none' });
    expect(step(planned(25 * HOUR))).toEqual({ type: 'wait', at: NOW + HOUR });
    expect(step(planned(24 * HOUR))).toMatchObject({ type: 'warn' });
    expect(step({ ...planned(HOUR), destructionWarnedOn: ago(23 * HOUR) })).toEqual({
      type: 'wait',
      at: NOW + HOUR,
    });
    expect(step({ ...planned(0), destructionWarnedOn: ago(24 * HOUR) })).toMatchObject({ type: 'destroy' });
  });

  test('warns before it destroys what should have been gone long ago, and for a time that was put off', () => {
    expect(step(planned(-HOUR))).toMatchObject({ type: 'warn' });
    expect(step({ ...planned(-HOUR), destructionWarnedOn: ago(0) })).toMatchObject({ type: 'destroy' });
    expect(step({ ...planned(10 * HOUR), destructionWarnedOn: ago(48 * HOUR) })).toMatchObject({
      type: 'warn',
    });
  });

  test('asks once, and for nothing that is being destroyed', () => {
    const due = { ...planned(0), destructionWarnedOn: ago(0) };
    expect(step({ ...due, destructionOperation: 'op_x' })).toEqual({ type: 'none' });
    expect(step({ ...due, destructionOperation: 'op_another' })).toMatchObject({ type: 'destroy' });
    expect(step(due, 'Destroying')).toEqual({ type: 'none' });
    expect(step(due, 'Destroyed')).toEqual({ type: 'none' });
    expect(step(due, 'Deploying')).toMatchObject({ type: 'destroy' });
  });
});
