import type { EnvironmentState, EnvironmentValue, ResourceValue } from '../environment.ts';
import { BAD_POLLS, type PollTerms, pauseSince } from './poll-terms.ts';

/** A resource of an environment, with its id. */
export interface EnvironmentResource {
  readonly id: string;
  readonly value: ResourceValue;
}

/** What is known of an environment after a round of polls. */
export interface Findings {
  readonly complaints: readonly Complaint[];
  /** Whether something has status endpoints that were never asked. */
  readonly isUnknown: boolean;
  /** Whether anything has status endpoints. */
  readonly isPolled: boolean;
}

/** What is wrong. */
export interface Complaint {
  /** A sentence without its full stop. */
  readonly text: string;
  /** Milliseconds since the Unix epoch. */
  readonly since: number;
}

/** The state that the findings call for. */
export interface NextState {
  readonly to: EnvironmentState;
  readonly reason?: string;
  readonly failedBy?: 'health';
}

/** What is wrong with an environment, by what executors said of its resources, and by what its status endpoints say. */
export function findingsOf(
  environment: EnvironmentValue,
  resources: readonly EnvironmentResource[],
): Findings {
  const watched = [environment, ...resources.map(({ value }) => value)].filter(
    ({ statusEndpoints }) => statusEndpoints.length > 0,
  );
  const complaints = resources.flatMap((resource) => complaintOf(resource) ?? []);
  const { health } = environment;
  const own =
    health?.state === 'unhealthy' ? [{ text: describe(health.detail), since: Date.parse(health.since) }] : [];
  return {
    complaints: [...own, ...complaints],
    isUnknown: watched.some((one) => one.health === undefined),
    isPolled: watched.length > 0,
  };
}

/**
 * The next state of a deployed environment; undefined where it stays as it is. Validated, it is well as soon as everything is; well, it
 * fails once something has been wrong for as many rounds as count; and what failed by its health is validated again when that is back.
 */
export function nextState(
  environment: EnvironmentValue,
  { complaints, isUnknown }: Findings,
  now: number,
  { interval, validation }: PollTerms,
): NextState | undefined {
  const isWell = complaints.length === 0 && !isUnknown;
  const failed = (found: readonly Complaint[]) =>
    ({ to: 'Deployed-Fail', reason: reasonOf(found), failedBy: 'health' }) as const;
  switch (environment.state) {
    case 'Deployed-Validating':
      if (isWell) {
        return { to: 'Deployed-OK' };
      }
      return now - Date.parse(environment.stateSince) >= validation ? failed(complaints) : undefined;
    case 'Deployed-OK': {
      const lasting = complaints.filter(({ since }) => now - since >= (BAD_POLLS - 1) * interval);
      return lasting.length > 0 ? failed(lasting) : undefined;
    }
    case 'Deployed-Fail':
      return environment.failedBy === 'health' && isWell ? { to: 'Deployed-Validating' } : undefined;
    default:
      return undefined;
  }
}

/** When to look at an environment again, in milliseconds since the Unix epoch; undefined where nothing would come of it. */
export function nextRoundAt(
  environment: EnvironmentValue,
  { complaints, isUnknown, isPolled }: Findings,
  now: number,
  terms: PollTerms,
): number | undefined {
  const since = Date.parse(environment.stateSince);
  switch (environment.state) {
    case 'Destroyed':
      return undefined;
    case 'Deploying':
    case 'Destroying':
      // The operation says when it is over; this is for what it did not come to say.
      return now + pauseSince(since, now, terms);
    case 'Deployed-Validating':
      return now + terms.interval;
    default: {
      if (complaints.length === 0 && !isUnknown) {
        return isPolled ? now + terms.interval : undefined;
      }
      if (!isPolled && environment.state === 'Deployed-Fail') {
        // What executors said of its resources is changed by operations alone; what was written down by hand, with an alarm.
        return undefined;
      }
      const youngest = Math.max(...complaints.map((complaint) => complaint.since), isUnknown ? now : 0);
      return now + pauseSince(youngest, now, terms);
    }
  }
}

function complaintOf({ id, value }: EnvironmentResource): Complaint | undefined {
  const { status, statusSince, detail, health } = value;
  if (status === 'failed') {
    const why = detail === undefined ? '' : `: ${detail}`;
    return { text: `The resource ${id} failed${why}`, since: Date.parse(statusSince) };
  }
  return health?.state === 'unhealthy'
    ? { text: describe(health.detail, id), since: Date.parse(health.since) }
    : undefined;
}

function describe(detail: string | undefined, resource?: string): string {
  const what = resource === undefined ? 'The environment' : `The resource ${resource}`;
  return `${what} is unhealthy${detail === undefined ? '' : ` (${detail})`}`;
}

/** Of many, one stands for all. */
function reasonOf([first, ...others]: readonly Complaint[]): string {
  if (first === undefined) {
    return 'Not all status endpoints could be asked in time.';
  }
  const text = first.text.replace(/\.$/, '');
  return others.length === 0 ? `${text}.` : `${text}; ${others.length} more complaints.`;
}
