import { unprocessable } from '../platform/errors.ts';
import { NAME_PATTERN } from '../platform/http/index.ts';
import { sortTopologically } from '../platform/sort-topologically.ts';
import { MAX_STEPS } from './limits.ts';
import type { PlannedStep } from './operation.ts';

/** @throws SkerryError `unprocessable` for a plan that could not be carried out to its end. */
export function checkPlan(steps: readonly PlannedStep[]): void {
  if (steps.length > MAX_STEPS) {
    throw unprocessable(`The plan has ${steps.length} steps; ${MAX_STEPS} are the most.`, {
      fix: 'Do it in several operations.',
    });
  }
  const ids = new Set(steps.map(({ id }) => id));
  if (ids.size < steps.length) {
    throw unprocessable('The plan has two steps of one id.');
  }
  for (const { id, dependsOn } of steps) {
    if (!NAME_PATTERN.test(id)) {
      throw unprocessable(`"${id}" cannot be the id of a step.`);
    }
    const missing = dependsOn.find((other) => !ids.has(other));
    if (missing !== undefined) {
      throw unprocessable(`The step "${id}" depends on "${missing}", which is not in the plan.`);
    }
  }
  const { cycle } = sortTopologically(new Map(steps.map(({ id, dependsOn }) => [id, dependsOn])));
  if (cycle !== undefined) {
    throw unprocessable(`The step "${cycle[0]}" would have to wait for itself: ${cycle.join(' -> ')}.`);
  }
}
