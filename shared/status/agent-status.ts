import { z } from 'zod';

/** How a plugin, or all of an agent, is. */
export type State = 'init' | 'ok' | 'error';

/** cn-infra's OperationalState; what is 0 is left out of its JSON. */
const STATES: readonly State[] = ['init', 'ok', 'error'];

const text = z.string().optional();
const state = z.union([z.literal(0), z.literal(1), z.literal(2)]).default(0);
/** Of the years 1 to 9999, Go's zero time among them; others could not be shown. */
const unixSeconds = z.number().min(-62_135_596_800).max(253_402_300_799).default(0);

/** A plugin's status as cn-infra stores it under `check/status/v1/plugin/NAME`. */
export const pluginDocumentSchema = z.object({
  state,
  last_change: unixSeconds,
  last_update: unixSeconds,
  error: text,
});

/** An agent's status as cn-infra stores it under `check/status/v1/agent`; `non_fatal_plugins` is Skerry's. */
export const agentDocumentSchema = z.object({
  build_version: text,
  build_date: text,
  state,
  start_time: unixSeconds,
  last_change: unixSeconds,
  last_update: unixSeconds,
  commit_hash: text,
  plugins: z.array(z.object({ name: z.string(), state, error: text })).default([]),
  non_fatal_plugins: z.array(z.string()).default([]),
});

export type PluginDocument = z.output<typeof pluginDocumentSchema>;
export type AgentDocument = z.output<typeof agentDocumentSchema>;

/** What a plugin says of itself. */
export interface PluginReport {
  readonly state: State;
  /** Why it is so. */
  readonly error?: string | undefined;
}

/** What an agent says of itself. */
export interface AgentDescription {
  readonly buildVersion?: string | undefined;
  readonly buildDate?: string | undefined;
  readonly commitHash?: string | undefined;
  /** Plugins whose errors are no error of the agent. */
  readonly nonFatal?: readonly string[] | undefined;
}

export function stateOf({ state: code }: { readonly state: 0 | 1 | 2 }): State {
  return STATES[code] ?? 'init';
}

/** The number that cn-infra has for a state. */
export function codeOf(of: State): 0 | 1 | 2 {
  return STATES.indexOf(of) as 0 | 1 | 2;
}

/**
 * The logical AND over the plugins (cn-infra README, "Status Check"; its code copies the last plugin that changed): any error
 * that is fatal makes an error, else any plugin that starts makes a start. Without plugins it is OK.
 */
export function overallState(
  plugins: readonly { readonly name: string; readonly state: 0 | 1 | 2 }[],
  nonFatal: readonly string[],
): 0 | 1 | 2 {
  const isFatal = plugins.some((plugin) => stateOf(plugin) === 'error' && !nonFatal.includes(plugin.name));
  const isStarting = plugins.some((plugin) => stateOf(plugin) === 'init');
  return codeOf(isFatal ? 'error' : isStarting ? 'init' : 'ok');
}

/**
 * Both documents after a plugin's report, at `now` in Unix seconds; undefined when they say so already.
 */
export function afterReport(
  before: { readonly agent: AgentDocument | undefined; readonly plugin: PluginDocument | undefined },
  name: string,
  report: PluginReport,
  now: number,
): { agent: AgentDocument; plugin: PluginDocument } | undefined {
  const { plugin } = before;
  const reported = { state: codeOf(report.state), ...(report.error && { error: report.error }) };
  const agent = before.agent ?? newAgent(now);
  const listed = agent.plugins.find((one) => one.name === name);
  if (plugin !== undefined && listed !== undefined && isSame(plugin, reported) && isSame(listed, reported)) {
    return undefined;
  }
  const hasChanged = plugin?.state !== reported.state;
  const entry = { name, ...reported };
  const plugins =
    listed === undefined
      ? [...agent.plugins, entry]
      : agent.plugins.map((one) => (one === listed ? entry : one));
  return {
    agent: settled({ ...agent, plugins }, now),
    plugin: { ...reported, last_change: hasChanged ? now : plugin.last_change, last_update: now },
  };
}

/** The agent's document after it has described itself, at `now` in Unix seconds. */
export function afterDescription(
  before: AgentDocument | undefined,
  { buildVersion, buildDate, commitHash, nonFatal = [] }: AgentDescription,
  now: number,
): AgentDocument {
  const { build_version: _, build_date: __, commit_hash: ___, ...rest } = before ?? newAgent(now);
  return settled(
    {
      ...rest,
      ...(buildVersion !== undefined && { build_version: buildVersion }),
      ...(buildDate !== undefined && { build_date: buildDate }),
      ...(commitHash !== undefined && { commit_hash: commitHash }),
      non_fatal_plugins: [...nonFatal],
    },
    now,
  );
}

/** A document in cn-infra's JSON: without fields that are zero or empty. */
export function toJson<Document extends object>(document: Document): Partial<Document> {
  return Object.fromEntries(
    Object.entries(document)
      .filter(([, value]) => !isZero(value))
      .map(([name, value]) => [name, Array.isArray(value) ? value.map(withoutZeros) : value]),
  ) as Partial<Document>;
}

function withoutZeros(item: unknown): unknown {
  return typeof item === 'object' && item !== null ? toJson(item) : item;
}

function isZero(value: unknown): boolean {
  return value === undefined || value === 0 || value === '' || (Array.isArray(value) && value.length === 0);
}

function newAgent(now: number): AgentDocument {
  return {
    state: codeOf('init'),
    start_time: now,
    last_change: now,
    last_update: now,
    plugins: [],
    non_fatal_plugins: [],
  };
}

function settled(agent: AgentDocument, now: number): AgentDocument {
  const overall = overallState(agent.plugins, agent.non_fatal_plugins);
  return {
    ...agent,
    state: overall,
    last_change: overall === agent.state ? agent.last_change : now,
    last_update: now,
  };
}

function isSame(
  one: { readonly state: number; readonly error?: string | undefined },
  other: { readonly state: number; readonly error?: string | undefined },
): boolean {
  return one.state === other.state && one.error === other.error;
}
