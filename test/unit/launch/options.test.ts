import { describe, expect, test } from 'vitest';
import {
  type LaunchOptions,
  parseCloudOptions,
  parseFuncOptions,
  parseLaunchOptions,
  UsageError,
} from '../../../infra/local/launch/options.ts';

describe('the flags of npm start', () => {
  test("default to the official emulators' ports and a folder that is kept", () => {
    expect(parseLaunchOptions([])).toEqual({
      ports: { host: 7071, cosmos: 8081, servicebus: 5672, blob: 10000 },
      servers: new Set(['cosmos', 'servicebus', 'blob']),
      dataFolder: '.skerry',
      faults: false,
      staleMs: 0,
      partitions: 1,
      controlPlane: true,
      writeOnce: false,
      busSubscriptions: [],
      serviceBusConfig: undefined,
      workers: undefined,
      strict: false,
      auth: false,
      managedIdentity: false,
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
      servers: new Set(['servicebus']),
    });
    expect(parseLaunchOptions(['--without', 'servicebus, blob'])).toMatchObject({
      servers: new Set(['cosmos']),
    });
  });

  test('subscribe to the bus, with or without sessions and a filter, which may hold any character', () => {
    const flags = ['all', "kv=kind = 'kv' AND change <> 'put'", 'turns:sessions', "one:sessions=ns='a:b'"];
    const { busSubscriptions } = parseLaunchOptions(
      flags.flatMap((each) => ['--bus-subscription', each]),
    ) as LaunchOptions;
    expect(busSubscriptions).toEqual([
      { name: 'all', hasSessions: false },
      { name: 'kv', hasSessions: false, filter: "kind = 'kv' AND change <> 'put'" },
      { name: 'turns', hasSessions: true },
      { name: 'one', hasSessions: true, filter: "ns='a:b'" },
    ]);
  });

  test('keep no data with --ephemeral', () => {
    expect(parseLaunchOptions(['--ephemeral'])).toMatchObject({ dataFolder: undefined });
  });

  test('make visible what a laptop hides', () => {
    const flags = [
      '--workers',
      '2',
      '--strict',
      '--auth',
      '--partitions',
      '4',
      '--stale',
      '50',
      '--no-control-plane',
      '--write-once',
      '--faults',
    ];
    expect(parseLaunchOptions(flags)).toMatchObject({
      workers: 2,
      strict: true,
      auth: true,
      partitions: 4,
      staleMs: 50,
      controlPlane: false,
      writeOnce: true,
      faults: true,
    });
  });

  test('ask for help', () => {
    expect(parseLaunchOptions(['--port', '1', '-h'])).toBe('help');
  });

  test.each([
    [['--prot', '1'], /Unknown option '--prot'/],
    [['7071'], /7071/],
    [['--port'], /--port/],
    [['--port', '70000'], '--port takes a port (0 = any free one) from 0 to 65535, not "70000".'],
    [['--blob-port', '-1'], /--blob-port/],
    [['--stale', 'soon'], '--stale takes milliseconds from 0 to 60000, not "soon".'],
    [['--workers', '0'], '--workers takes processes from 1 to 10, not "0".'],
    [['--partitions', '65'], '--partitions takes partitions from 1 to 64, not "65".'],
    [['--only', 'cosmos'], /Unknown option '--only'/],
    [['--without', 'storage'], '--without takes cosmos, servicebus, blob, not "storage".'],
    [['--port', '8081'], '--port and --cosmos-port are both 8081: each needs a port of its own.'],
    [['--ephemeral', '--data', 'x'], /contradict/],
    [['--bus-subscription', 'a:session'], /takes NAME.*not "a:session"/],
    [['--bus-subscription', '=x'], /takes NAME/],
  ])('%j is refused with the reason', (flags, message) => {
    expect(() => parseLaunchOptions(flags)).toThrow(UsageError);
    expect(() => parseLaunchOptions(flags)).toThrow(message);
  });
});

describe('the flags of npm run cloud', () => {
  test('choose servers and the entities of the Service Bus', () => {
    expect(parseCloudOptions([])).toMatchObject({ servers: new Set(['cosmos', 'servicebus', 'blob']) });
    expect(parseCloudOptions(['--only', 'servicebus', '--servicebus-config', 'Config.json'])).toMatchObject({
      servers: new Set(['servicebus']),
      serviceBusConfig: 'Config.json',
    });
  });

  test.each([
    [['--port', '1'], /Unknown option '--port'/],
    [['--bus-subscription', 'a', '--servicebus-config', 'x'], /contradict/],
    [['--only', 'cosmo'], '--only takes cosmos, servicebus, blob, not "cosmo".'],
    [['--blob-port', '8081'], '--cosmos-port and --blob-port are both 8081: each needs a port of its own.'],
  ])('%j is refused with the reason', (flags, message) => {
    expect(() => parseCloudOptions(flags)).toThrow(message);
  });
});

test("npm run start:func takes neither workers nor strictness, which are the embedded host's", () => {
  expect(parseFuncOptions(['--port', '7072'])).toMatchObject({ ports: { host: 7072 }, build: true });
  expect(() => parseFuncOptions(['--workers', '2'])).toThrow(/Unknown option '--workers'/);
  expect(() => parseFuncOptions(['--strict'])).toThrow(/Unknown option '--strict'/);
});
