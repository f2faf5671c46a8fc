import { describe, expect, it } from 'vitest';
import {
  ENVIRONMENT_STATES,
  type EnvironmentValue,
  ruleOf,
  transition,
} from '../../../shared/environments/index.ts';

const VALUE: EnvironmentValue = {
  ...{
    name: 'Prod',
    tags: [],
    state: 'Deployed-Fail',
    stateSince: '',
    reason: 'It failed.',
    failedBy: 'health',
  },
  ...{ createdOn: '', templates: [], entrypoints: [], statusEndpoints: [] },
};

const LEGAL = [
  'Deploying Deployed-Validating',
  'Deploying Deployed-Fail',
  'Deployed-Validating Deployed-OK',
  'Deployed-Validating Deployed-Fail',
  'Deployed-Validating Deploying',
  'Deployed-Validating Destroying',
  'Deployed-OK Deployed-Fail',
  'Deployed-OK Deployed-Validating',
  'Deployed-OK Deploying',
  'Deployed-OK Destroying',
  'Deployed-Fail Deployed-Validating',
  'Deployed-Fail Deploying',
  'Deployed-Fail Destroying',
  'Destroying Destroyed',
  'Destroying Deployed-Fail',
];

describe('an environment', () => {
  it('moves along these edges and no others', () => {
    const found = ENVIRONMENT_STATES.flatMap((from) =>
      ENVIRONMENT_STATES.filter((to) => ruleOf(from, to) !== undefined).map((to) => `${from} ${to}`),
    );
    expect(found.sort()).toEqual([...LEGAL].sort());
    for (const from of ENVIRONMENT_STATES) {
      for (const to of ENVIRONMENT_STATES) {
        const move = () => transition({ ...VALUE, state: from }, to, 0).state;
        if (LEGAL.includes(`${from} ${to}`)) expect(move()).toBe(to);
        else expect(move).toThrow(`An environment that is ${from} cannot become ${to}.`);
      }
    }
  });

  it('leaves behind why it was in its state', () => {
    const { reason: _, failedBy: __, ...rest } = VALUE;
    const moved = { ...rest, state: 'Deploying', stateSince: '1970-01-01T00:00:00.000Z' };
    expect(transition(VALUE, 'Deploying', 0)).toEqual(moved);
    expect(transition(VALUE, 'Deploying', 0, 'Why.')).toEqual({ ...moved, reason: 'Why.' });
  });
});
