import type { PlannedAction } from '../../operations/index.ts';
import { unprocessable } from '../../platform/errors.ts';
import type { Json } from '../../records/index.ts';
import { fillIn, type Reference, referencesIn, write } from './interpolation.ts';
import { absoluteOutput, memberAt } from './references.ts';

export type Outputs = Readonly<Record<string, Json>>;

/** The resources whose outputs a planned action still waits for. */
export function resourcesAwaited({ app, command }: PlannedAction): string[] {
  const references = [...referencesIn([{ ...app }, command])];
  return [...new Set(references.flatMap((reference) => absoluteOutput(reference)?.resource ?? []))];
}

/**
 * A planned action with the outputs of resources filled in.
 *
 * @throws SkerryError `unprocessable` for an output that there is not.
 */
export function fillInOutputs(
  action: PlannedAction,
  outputsOf: (resource: string) => Outputs | undefined,
): PlannedAction {
  const resolve = (reference: Reference): Json => {
    const output = absoluteOutput(reference);
    const value = output && memberAt(outputsOf(output.resource) ?? {}, output.path);
    if (value === undefined) {
      throw unprocessable(`"${write(reference)}" is not there: the resource has no such output.`, {
        fix: 'Correct the name of the output, or let the action that makes the resource put it out.',
      });
    }
    return value;
  };
  return {
    ...action,
    app: fillIn({ ...action.app }, resolve) as PlannedAction['app'],
    command: fillIn(action.command, resolve),
  };
}
