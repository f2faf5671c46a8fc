import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { StepState, StepValue } from '../../../shared/operations/index.ts';
import { isUnderWay } from '../../../shared/operations/progress.ts';
import { StepBoard } from '../../../shared/operations/step-board.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const STATES: readonly StepState[] = ['waiting', 'ready', 'running', 'succeeded', 'failed', 'skipped'];

const plans = fc.array(fc.array(fc.nat(20), { maxLength: 3 }), { minLength: 1, maxLength: 12 });
const moves = fc.array(
  fc.record({ step: fc.nat(11), state: fc.constantFrom(...STATES), hasBegun: fc.boolean() }),
  {
    maxLength: 30,
  },
);

/** What a board says, found by looking at everything. */
function naive(steps: readonly StepValue[]) {
  const succeeded = new Set(steps.filter(({ state }) => state === 'succeeded').map(({ id }) => id));
  const untouched = steps.filter(({ state, attempts }) => state === 'waiting' && attempts === 0);
  const openOf = (step: StepValue) => new Set(step.dependsOn.filter((id) => !succeeded.has(id)));
  const unlockedBy = (id: string) =>
    untouched.filter((step) => openOf(step).size === 1 && openOf(step).has(id)).map((step) => step.id);
  return {
    untouched: untouched.length,
    eligible: untouched.filter((step) => openOf(step).size === 0).map(({ id }) => id),
    underWay: steps.filter(isUnderWay).map(({ id }) => id),
    unlocked: steps.map(({ id }) => unlockedBy(id)),
  };
}

it('says after each change what looking at all steps would say', () => {
  fc.assert(
    fc.property(plans, moves, (plan, changes) => {
      const steps = plan.map(
        (back, at): StepValue => ({
          id: `s${String(at).padStart(2, '0')}`,
          verb: 'create',
          dependsOn: back.filter((one) => one < at).map((one) => `s${String(one).padStart(2, '0')}`),
          state: 'waiting',
          attempts: 0,
          log: [],
        }),
      );
      const board = new StepBoard(steps);
      for (const { step, state, hasBegun } of changes) {
        const before = steps[step % steps.length] as StepValue;
        if (before.state === 'succeeded') continue;
        const after = { ...before, state, attempts: hasBegun ? before.attempts + 1 : before.attempts };
        steps[step % steps.length] = after;
        board.take(after);
        expect({
          untouched: board.untouched,
          eligible: board.eligible,
          underWay: board.underWay.map(({ id }) => id).sort(),
          unlocked: steps.map(({ id }) => board.unlockedBy(id)),
        }).toEqual(naive(steps));
      }
    }),
    { seed: printedSeed('step-board'), numRuns: runs(300, 20_000) },
  );
});
