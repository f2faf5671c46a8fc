import { toTimestamp } from '../platform/clock.ts';
import { conflict } from '../platform/errors.ts';
import type { EnvironmentState, EnvironmentValue } from './environment.ts';

/** Why an environment may go from one state to another. An edge that is not here is illegal. */
const EDGES: {
  readonly [From in EnvironmentState]: { readonly [To in EnvironmentState]?: string };
} = {
  Deploying: {
    'Deployed-Validating': 'Every step of the deployment succeeded.',
    'Deployed-Fail': 'The deployment failed or was cancelled.',
  },
  'Deployed-Validating': {
    'Deployed-OK': 'Every status endpoint answers well, or there is none.',
    'Deployed-Fail': 'A status endpoint did not answer well in time.',
    Deploying: 'An update begins.',
    Destroying: 'The destruction begins.',
  },
  'Deployed-OK': {
    'Deployed-Fail': 'A status endpoint has stopped answering well.',
    'Deployed-Validating': 'Its health is looked at again.',
    Deploying: 'An update begins.',
    Destroying: 'The destruction begins.',
  },
  'Deployed-Fail': {
    'Deployed-Validating': 'The status endpoints answer well again.',
    Deploying: 'An update begins.',
    Destroying: 'The destruction begins.',
  },
  Destroying: {
    Destroyed: 'Every step of the destruction succeeded.',
    'Deployed-Fail': 'The destruction failed or was cancelled.',
  },
  Destroyed: {},
};

/** The state that an environment begins in. */
export const FIRST_STATE: EnvironmentState = 'Deploying';

/** The rule of an edge; undefined where there is no such edge. */
export function ruleOf(from: EnvironmentState, to: EnvironmentState): string | undefined {
  return EDGES[from][to];
}

/**
 * The environment in another state. All changes of state are made by this.
 *
 * @param now milliseconds since the Unix epoch.
 * @param reason why, where the state does not say it.
 * @throws SkerryError `conflict` where no edge leads there.
 */
export function transition(
  value: EnvironmentValue,
  to: EnvironmentState,
  now: number,
  reason?: string,
): EnvironmentValue {
  if (ruleOf(value.state, to) === undefined) {
    throw conflict(`An environment that is ${value.state} cannot become ${to}.`, {
      fix:
        value.state === 'Destroyed'
          ? 'Forget the environment, and create it anew.'
          : 'Wait until its operation is over.',
    });
  }
  const { reason: _, failedBy: __, ...rest } = value;
  return {
    ...rest,
    state: to,
    stateSince: toTimestamp(now),
    ...(reason !== undefined && { reason }),
  };
}
