import type { z } from 'zod';
import type { StepRequest } from '../operations/index.ts';
import { finalFailure } from './step-failure.ts';

/**
 * The command of an action, checked.
 *
 * @throws StepFailure, final, that names the first fault by its place; values are not repeated, as they may be secret.
 */
export function readCommand<Command>({ action }: StepRequest, schema: z.ZodType<Command>): Command {
  const parsed = schema.safeParse(action.command);
  if (parsed.success) {
    return parsed.data;
  }
  const [fault] = parsed.error.issues;
  const place = ['command', ...(fault?.path ?? [])].join('.');
  throw finalFailure(
    `The action ${action.name} has a command that is not one of ${action.executor}: ${place}: ${fault?.message}.`,
  );
}

/**
 * The URL of the action's app, without a slash at its end.
 *
 * @throws StepFailure, final, where it has none.
 */
export function appUrl({ action }: StepRequest, fallback?: string): string {
  const url = action.app.url ?? fallback;
  if (url === undefined) {
    throw finalFailure(`The action ${action.name} needs app.url.`);
  }
  return url.replace(/\/+$/, '');
}
