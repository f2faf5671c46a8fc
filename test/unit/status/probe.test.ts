import { expect, test } from 'vitest';
import { isLive, isReady, metricsOf, type Probed, probeBody, probeOf } from '../../../shared/status/index.ts';

const INIT = 0;
const OK = 1;
const ERROR = 2;

function probed(state: 0 | 1 | 2, plugins: Record<string, 0 | 1 | 2> = {}): Probed {
  const listed = Object.entries(plugins).map(([name, one]) => ({ name, state: one }));
  return {
    label: 'agent1',
    agent: {
      state,
      start_time: 1,
      last_change: 2,
      last_update: 3,
      plugins: listed,
      non_fatal_plugins: ['b'],
      build_version: 'v1 "beta"\\\n',
    },
    plugins: new Map(
      listed.map(({ name, state: one }) => [name, { state: one, last_change: 2, last_update: 3 }]),
    ),
  };
}

// Facts of cn-infra's probes (its package health/probe).
test.each([
  { state: INIT, live: true, ready: false },
  { state: OK, live: true, ready: true },
  { state: ERROR, live: false, ready: false },
] as const)('state $state is live: $live, ready: $ready', ({ state, live, ready }) => {
  expect(isLive(probed(state))).toBe(live);
  expect(isReady(probed(state))).toBe(ready);
});

test('a probe shows the status of the agent, of each plugin by name, and which are not fatal', () => {
  expect(JSON.parse(JSON.stringify(probeBody(probed(INIT, { a: INIT, b: ERROR }))))).toEqual({
    build_version: 'v1 "beta"\\\n',
    start_time: 1,
    last_change: 2,
    last_update: 3,
    plugins: [{ name: 'a' }, { name: 'b', state: 2 }],
    PluginStatus: {
      a: { last_change: 2, last_update: 3 },
      b: { state: 2, last_change: 2, last_update: 3 },
    },
    NonFatalPlugins: ['b'],
  });
});

test('the metrics are in the text format of Prometheus', () => {
  const lines = metricsOf(probed(OK, { a: OK, b: ERROR })).split('\n');
  expect(lines.filter((line) => !line.startsWith('# HELP'))).toEqual([
    '# TYPE service_health gauge',
    'service_health{service="agent1"} 1',
    '# TYPE service_dependency_health gauge',
    'service_dependency_health{service="agent1",dependency="a"} 1',
    'service_dependency_health{service="agent1",dependency="b"} 2',
    '# TYPE service_info gauge',
    'service_info{service="agent1",build_version="v1 \\"beta\\"\\\\\\n",build_date=""} 1',
    '',
  ]);
});

test('Skerry itself is as well as what it depends on', () => {
  const ready = { status: 'ready', durationMs: 1 } as const;
  const dependencies = { cosmos: ready, serviceBus: ready, blob: ready };
  const well = probeOf({ status: 'ready', dependencies }, 10, 20);
  expect(isReady(well)).toBe(true);
  expect(metricsOf(well)).toContain(
    'service_dependency_health{service="skerry",dependency="servicebus"} 1\n',
  );

  const blob = { status: 'unready', detail: 'failed with ECONNREFUSED', durationMs: 1 } as const;
  const ill = probeOf({ status: 'unready', dependencies: { ...dependencies, blob } }, 10, 20);
  expect(isLive(ill)).toBe(false);
  expect(probeBody(ill)).toMatchObject({
    state: 2,
    start_time: 10,
    PluginStatus: { blob: { state: 2, error: 'failed with ECONNREFUSED', last_update: 20 } },
  });
});
