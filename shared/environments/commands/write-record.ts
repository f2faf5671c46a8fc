import type { Current, Writes } from '../../operations/index.ts';
import { jsonEquals } from '../../platform/json-equals.ts';
import type { Json } from '../../records/index.ts';
import { type EnvironmentValue, environmentKey, type ResourceValue, resourceKey } from '../environment.ts';

export function environmentIn(current: Current, id: string): EnvironmentValue | undefined {
  return current.get(environmentKey(id))?.value as EnvironmentValue | undefined;
}

export function resourceIn(current: Current, environment: string, id: string): ResourceValue | undefined {
  return current.get(resourceKey(environment, id))?.value as ResourceValue | undefined;
}

/** Puts an environment's own record, by whose id environments are listed; nothing where it stands so. */
export function putEnvironment(current: Current, id: string, value: EnvironmentValue): Writes {
  return putRecord(current, environmentKey(id), value, { listed: id });
}

/** Puts a record; nothing where it stands so. */
export function putRecord(
  current: Current,
  key: string,
  value: object,
  attributes: { readonly listed?: string } = {},
): Writes {
  return jsonEquals(current.get(key)?.value, value)
    ? []
    : [{ key, decision: { type: 'put', value: value as Json, ...attributes } }];
}

/** Removes a record, where there is one. */
export function removeRecord(current: Current, key: string): Writes {
  return current.has(key) ? [{ key, decision: { type: 'delete' } }] : [];
}
