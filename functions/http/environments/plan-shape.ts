import { z } from 'zod';
import type { Plan } from '../../../shared/environments/index.ts';

const resourceIds = z.array(z.string());

export const planSchema = z.strictObject({
  steps: z
    .array(
      z.strictObject({
        id: z.string(),
        verb: z.enum(['create', 'update', 'destroy', 'run', 'refresh']),
        resource: z.string().optional(),
        executor: z.string().optional().describe('Who does the work; a step without one only records.'),
        action: z.string().optional().describe("The name of the template's action."),
        dependsOn: z.array(z.string()).describe('Steps that have to succeed before.'),
      }),
    )
    .describe('Each behind those that it depends on.'),
  create: resourceIds,
  update: resourceIds,
  destroy: resourceIds,
  keep: resourceIds.describe('Resources that stay as they are.'),
});

/** A plan as everybody sees it. */
export function showPlan({ steps, create, update, destroy, keep }: Plan): z.input<typeof planSchema> {
  const shown = steps.map(({ id, verb, resource, action, dependsOn }) => ({
    id,
    verb,
    ...(resource !== undefined && { resource }),
    ...(action !== undefined && { executor: action.executor, action: action.name }),
    dependsOn: [...dependsOn],
  }));
  return { steps: shown, create: [...create], update: [...update], destroy: [...destroy], keep: [...keep] };
}
