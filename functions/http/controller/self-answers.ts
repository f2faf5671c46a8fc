import type { ReadinessReport } from '../../../shared/platform/readiness.ts';
import type { ControllerMember, ControllerValue } from './controller-value.ts';

/** How one thing that the service needs was found. */
export interface Check {
  readonly name: string;
  readonly isSuccess: boolean;
  /** A sentence. */
  readonly description: string;
  /** Milliseconds since the Unix epoch: when it was asked. */
  readonly at: number;
}

export interface ControllerHealth {
  readonly isHealthy: boolean;
  readonly checks: readonly Check[];
}

/** Nothing can be told: that is not healthy. */
const UNKNOWN: ControllerHealth = { isHealthy: false, checks: [] };

/** Asks all that the service depends on; where not even that can be done, it is not healthy, and there is nothing to show. */
export async function askHealth(
  ask: () => Promise<ReadinessReport>,
  now: () => number,
): Promise<ControllerHealth> {
  const at = now();
  try {
    const { status, dependencies } = await ask();
    return {
      isHealthy: status === 'ready',
      checks: Object.entries(dependencies).map(([name, { status: state, detail, durationMs }]) => ({
        name,
        isSuccess: state === 'ready',
        description:
          state === 'ready' ? `It answered within ${durationMs} ms.` : `It does not: ${detail ?? 'failed'}.`,
        at,
      })),
    };
  } catch {
    return UNKNOWN;
  }
}

/** RFC 3339 as the controller writes it, in whole seconds. */
export function controllerTime(epochMilliseconds: number): string {
  return `${new Date(epochMilliseconds).toISOString().slice(0, -5)}Z`;
}

export function infoResponse(facts: {
  readonly builtAt: number;
  readonly revision: string;
  readonly version: string;
}): ControllerValue {
  return {
    type: 'infoResponse',
    members: [
      ['buildtime', 'BuildTime', controllerTime(facts.builtAt)],
      ['revision', 'Revision', facts.revision],
      ['version', 'Version', facts.version],
    ],
  };
}

export function pingResponse(now: number): ControllerValue {
  return { type: 'pingResponse', members: [['response', 'Response', `Pong - ${controllerTime(now)}`]] };
}

export function startedResponse(startedAt: number): ControllerValue {
  return { type: 'startedResponse', members: [['time', 'Timestamp', controllerTime(startedAt)]] };
}

export function readinessResponse(health: ControllerHealth, now: number): ControllerValue {
  return { type: 'readinessResponse', members: healthMembers(health, now, summaryCheck) };
}

/** What is said of each check: its name and status, and where details are asked for what was found, and when. */
export function livelinessResponse(
  health: ControllerHealth,
  now: number,
  isDetailed: boolean,
): ControllerValue {
  return isDetailed
    ? { type: 'livelinessDetailedResponse', members: healthMembers(health, now, detailedCheck) }
    : { type: 'livelinessSummaryResponse', members: healthMembers(health, now, summaryCheck) };
}

function healthMembers(
  { isHealthy, checks }: ControllerHealth,
  now: number,
  show: (check: Check) => ControllerValue,
): readonly ControllerMember[] {
  return [
    ['checks', 'Checks', checks.map(show)],
    ['status', 'Status', statusText(isHealthy)],
    ['time', 'Timestamp', controllerTime(now)],
  ];
}

function summaryCheck({ name, isSuccess }: Check): ControllerValue {
  return {
    type: 'summaryCheckInformation',
    members: [
      ['name', 'Name', name],
      ['status', 'Status', statusText(isSuccess)],
    ],
  };
}

function detailedCheck({ name, isSuccess, description, at }: Check): ControllerValue {
  return {
    type: 'detailedCheckInformation',
    members: [
      ['description', 'Description', description],
      ['name', 'Name', name],
      ['status', 'Status', statusText(isSuccess)],
      ['timestamp', 'Timestamp', controllerTime(at)],
    ],
  };
}

function statusText(isSuccess: boolean): string {
  return isSuccess ? 'success' : 'failed';
}
