import type { Plan } from '../../environments/plan.ts';
import { formatTable } from '../format-table.ts';

/** A plan as a person reads it: the steps in an order in which they can be done, and what stays. */
export function formatPlan({ steps, create, update, destroy, keep }: Plan): string {
  const counts = `${create.length} to create, ${update.length} to update, ${destroy.length} to destroy, ${keep.length} to keep`;
  if (steps.length === 0) return `nothing to do: ${counts}`;
  const rows = steps.map(({ id, verb, resource, executor, action, dependsOn }) => [
    id,
    verb,
    resource,
    executor,
    action,
    dependsOn.join(' '),
  ]);
  return `${formatTable(['STEP', 'VERB', 'RESOURCE', 'EXECUTOR', 'ACTION', 'AFTER'], rows)}\n\n${counts}`;
}
