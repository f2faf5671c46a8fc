import { describe, expect, test } from 'vitest';
import { parseLaunchOptions, UsageError } from '../../../infra/local/launch/options.ts';

describe('the flags of npm start', () => {
  test("default to the official emulators' ports and a folder that is kept", () => {
    expect(parseLaunchOptions([])).toEqual({
      ports: { host: 7071, cosmos: 8081, servicebus: 5672, blob: 10000 },
      dataFolder: '.skerry',
      without: new Set(),
      faults: false,
      staleMs: 0,
      build: true,
    });
  });

  test('set every port, several of which may be any free one', () => {
    const flags = ['--port', '0', '--cosmos-port=0', '--servicebus-port', '5673', '--blob-port', '65535'];
    expect(parseLaunchOptions(flags)).toMatchObject({
      ports: { host: 0, cosmos: 0, servicebus: 5673, blob: 65535 },
    });
  });

  test('leave servers out, one at a time or as a list', () => {
    expect(parseLaunchOptions(['--without', 'cosmos', '--without', 'blob'])).toMatchObject({
      without: new Set(['cosmos', 'blob']),
    });
    expect(parseLaunchOptions(['--without', 'servicebus, blob'])).toMatchObject({
      without: new Set(['servicebus', 'blob']),
    });
  });

  test('keep no data with --ephemeral', () => {
    expect(parseLaunchOptions(['--ephemeral'])).toMatchObject({ dataFolder: undefined });
  });

  test('ask for help', () => {
    expect(parseLaunchOptions(['--port', '1', '-h'])).toBe('help');
  });

  test.each([
    [['--prot', '1'], /Unknown option '--prot'/],
    [['7071'], /7071/],
    [['--port'], /--port/],
    [['--port', '70000'], '--port takes a port from 0 to 65535 (0 = any free one), not "70000".'],
    [['--blob-port', '-1'], /--blob-port/],
    [['--stale', 'soon'], '--stale takes milliseconds from 0 to 60000, not "soon".'],
    [['--without', 'storage'], '--without takes cosmos, servicebus, blob, not "storage".'],
    [['--port', '8081'], '--port and --cosmos-port are both 8081: each needs a port of its own.'],
    [['--ephemeral', '--data', 'x'], /contradict/],
  ])('%j is refused with the reason', (flags, message) => {
    expect(() => parseLaunchOptions(flags)).toThrow(UsageError);
    expect(() => parseLaunchOptions(flags)).toThrow(message);
  });
});
