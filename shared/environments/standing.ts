import { conflict, notFound } from '../platform/errors.ts';
import { canonicalPath } from '../platform/http/index.ts';
import type { Records } from '../records/index.ts';
import { type EnvironmentValue, environmentKey, environmentScope } from './environment.ts';
import { unknownEnvironment } from './environments.ts';

export async function readEnvironment(
  records: Records,
  ns: string,
  id: string,
): Promise<EnvironmentValue | undefined> {
  const record = await records.get<EnvironmentValue>(environmentScope(ns, id), environmentKey(id));
  return record?.value;
}

/**
 * The environment, where there is one to work on.
 *
 * @throws SkerryError `not-found`; `conflict` for one that is destroyed.
 */
export function standing(ns: string, id: string, value: EnvironmentValue | undefined): EnvironmentValue {
  if (value === undefined) {
    throw unknownEnvironment(ns, id);
  }
  if (value.state === 'Destroyed') {
    throw destroyed(ns, id);
  }
  return value;
}

/** The error for an environment on which nobody can work any more. */
export function destroyed(ns: string, id: string): Error {
  return conflict(`The environment "${id}" is destroyed.`, {
    fix: `Forget it with DELETE ${canonicalPath(ns, `environments/${id}`)} and "forget=true", and create it anew.`,
  });
}

/** The error for a resource that an environment does not have. */
export function unknownResource(environment: string, id: string): Error {
  return notFound(`The environment "${environment}" has no resource "${id}".`, {
    field: 'resource',
    fix: 'Correct its id, which is TEMPLATE.RESOURCE for what a template made.',
  });
}
