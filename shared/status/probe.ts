import type { ReadinessReport } from '../platform/readiness.ts';
import { labelText } from '../platform/telemetry/index.ts';
import { codeOf, overallState, stateOf, toJson } from './agent-status.ts';
import type { AgentStatus } from './agents.ts';

/** What the probes show: an agent, or Skerry itself. */
export interface Probed extends Pick<AgentStatus, 'agent' | 'plugins'> {
  readonly label: string;
}

/** Skerry itself, whose plugins are what it depends on; times in Unix seconds. */
export function probeOf(report: ReadinessReport, startedAt: number, now: number): Probed {
  const plugins = Object.entries(report.dependencies).map(([name, { status, detail }]) => ({
    name: name.toLowerCase(),
    state: codeOf(status === 'ready' ? 'ok' : 'error'),
    ...(detail !== undefined && { error: detail }),
  }));
  return {
    label: 'skerry',
    agent: {
      state: overallState(plugins, []),
      start_time: startedAt,
      last_change: 0,
      last_update: now,
      plugins,
      non_fatal_plugins: [],
    },
    plugins: new Map(
      plugins.map(({ name, ...status }) => [name, { ...status, last_change: 0, last_update: now }]),
    ),
  };
}

/** Starting counts as alive. */
export function isLive({ agent }: Probed): boolean {
  return stateOf(agent) !== 'error';
}

export function isReady({ agent }: Probed): boolean {
  return stateOf(agent) === 'ok';
}

/** The body of cn-infra's `/liveness` and `/readiness`: the agent's status, `PluginStatus` by name and `NonFatalPlugins`. */
export function probeBody({ agent, plugins }: Probed): object {
  const { non_fatal_plugins: nonFatal, ...status } = agent;
  return {
    ...toJson(status),
    PluginStatus: Object.fromEntries([...plugins].map(([name, plugin]) => [name, toJson(plugin)])),
    NonFatalPlugins: nonFatal,
  };
}

/** The metrics of cn-infra's `/health` in Prometheus' text format. */
export function metricsOf({ label, agent, plugins }: Probed): string {
  const service = { service: label };
  const { build_version = '', build_date = '' } = agent;
  const scale = '0 is starting, 1 is OK, 2 is in error.';
  return [
    ...metric('service_health', `The health of the service: ${scale}`, [[service, agent.state]]),
    ...metric(
      'service_dependency_health',
      `The health of its dependencies: ${scale}`,
      [...plugins].map(([dependency, { state }]) => [{ ...service, dependency }, state] as const),
    ),
    ...metric('service_info', 'What the service was built from; always 1.', [
      [{ ...service, build_version, build_date }, 1],
    ]),
    '',
  ].join('\n');
}

function metric(
  name: string,
  help: string,
  samples: readonly (readonly [Readonly<Record<string, string>>, number])[],
): string[] {
  const lines = samples.map(([labels, value]) => `${name}${labelText(labels)} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines];
}
