import { expect, it } from 'vitest';
import { checkPlan } from '../../../shared/operations/check-plan.ts';
import { MAX_STEPS } from '../../../shared/operations/limits.ts';

const step = (id: string, ...dependsOn: readonly string[]) => ({ id, verb: 'run', dependsOn }) as const;

it.each([
  ['two of one id', [step('a'), step('a')], 'two steps of one id'],
  ['one that is not there', [step('a', 'b')], '"a" depends on "b"'],
  ['itself', [step('a', 'a')], '"a" would have to wait for itself'],
  [
    'a circle behind others',
    [step('a'), step('b', 'a', 'd'), step('c', 'b'), step('d', 'c')],
    'wait for itself',
  ],
  ['an id that is no name', [step('a/b')], '"a/b" cannot be'],
  ['too many', Array.from({ length: MAX_STEPS + 1 }, (_, at) => step(`s${at}`)), `${MAX_STEPS} are the most`],
])('refuses %s', (_what, steps, reason) => {
  expect(() => checkPlan(steps)).toThrow(reason);
});

it('takes what leads to an end', () => {
  checkPlan([]);
  checkPlan([step('c', 'a', 'b', 'a'), step('b', 'a'), step('a')]);
});
