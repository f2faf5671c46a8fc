/**
 * How environments are: `environment-status.ts` asks their status endpoints and moves their state, `planned-destructions.ts` ends them when that
 * is planned, both when `environment-sweeper.ts` is woken; `drift.ts` says how they differ from what they should be.
 */
export { type Drift, driftOf, type UsedTemplate } from './drift.ts';
export { EnvironmentStatus, type EnvironmentStatusOptions } from './environment-status.ts';
export { EnvironmentSweeper } from './environment-sweeper.ts';
export { PlannedDestructions } from './planned-destructions.ts';
export type { PollTerms } from './poll-terms.ts';
export { StatusPolls } from './status-polls.ts';
