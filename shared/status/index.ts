/**
 * The status of agents as cn-infra keeps it: plugins report, and the agent is as well as all of them together.
 * `agent-status.ts` has the rules, `agents.ts` keeps the documents, `probe.ts` shows them.
 */
export { type AgentDescription, type PluginReport, type State, stateOf } from './agent-status.ts';
export { type AgentAddress, type AgentStatus, Agents, unknownAgent } from './agents.ts';
export { isLive, isReady, metricsOf, type Probed, probeBody, probeOf } from './probe.ts';
