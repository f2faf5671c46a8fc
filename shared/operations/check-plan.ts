import { unprocessable } from '../platform/errors.ts';
import { NAME_PATTERN } from '../platform/http/index.ts';
import { MAX_STEPS } from './limits.ts';
import type { PlannedStep } from './operation.ts';

/** @throws SkerryError `unprocessable` for a plan that could not be carried out to its end. */
export function checkPlan(steps: readonly PlannedStep[]): void {
  if (steps.length > MAX_STEPS) {
    throw unprocessable(`The plan has ${steps.length} steps; ${MAX_STEPS} are the most.`, {
      fix: 'Do it in several operations.',
    });
  }
  const byId = new Map(steps.map((step) => [step.id, step]));
  if (byId.size < steps.length) {
    throw unprocessable('The plan has two steps of one id.');
  }
  for (const { id, dependsOn } of steps) {
    if (!NAME_PATTERN.test(id)) {
      throw unprocessable(`"${id}" cannot be the id of a step.`);
    }
    const missing = dependsOn.find((other) => !byId.has(other));
    if (missing !== undefined) {
      throw unprocessable(`The step "${id}" depends on "${missing}", which is not in the plan.`);
    }
  }
  const inCircle = firstInCircle(byId);
  if (inCircle !== undefined) {
    throw unprocessable(`The step "${inCircle}" would have to wait for itself.`);
  }
}

/** Takes away what depends on nothing that is left, until that is all, or a circle. */
function firstInCircle(steps: ReadonlyMap<string, PlannedStep>): string | undefined {
  const open = new Map([...steps].map(([id, { dependsOn }]) => [id, new Set(dependsOn).size]));
  const dependents = Map.groupBy(
    [...steps.values()].flatMap(({ id, dependsOn }) =>
      [...new Set(dependsOn)].map((other) => ({ id, other })),
    ),
    ({ other }) => other,
  );
  const free = [...open].flatMap(([id, count]) => (count === 0 ? id : []));
  for (const id of free) {
    open.delete(id);
    for (const dependent of dependents.get(id) ?? []) {
      const count = (open.get(dependent.id) ?? 0) - 1;
      open.set(dependent.id, count);
      if (count === 0) free.push(dependent.id);
    }
  }
  return open.keys().next().value;
}
