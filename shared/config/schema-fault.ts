import { isOutOfTime } from '../platform/timed-runner.ts';
import type { JsonSchema } from './application.ts';

export interface SchemaFault {
  readonly path: readonly (string | number)[];
  /** A clause for the end of a sentence. */
  readonly detail: string;
}

/** Where a schema that could not be compiled goes wrong; the validator's errors do not say. */
export function locateSchemaFault(schema: JsonSchema, error: unknown): SchemaFault {
  if (isOutOfTime(error)) {
    return { path: [], detail: 'compiling it takes too long' };
  }
  const message = error instanceof Error ? error.message : 'it does not compile';
  if (error instanceof Error && 'missingRef' in error) {
    const path = find(schema, (name, value) => isReference(name) && !resolves(value, schema));
    return { path: path ?? [], detail: `${message}; references lead only to places in the schema itself` };
  }
  const path = find(schema, (name, value, parent) => isBrokenPattern(name, value, parent));
  return { path: path ?? [], detail: message };
}

function isReference(name: string): boolean {
  return name === '$ref' || name === '$dynamicRef';
}

/** Whether a reference leads anywhere, by the only form that this can tell: a JSON Pointer from the root. */
function resolves(reference: unknown, schema: JsonSchema): boolean {
  if (typeof reference !== 'string' || !reference.startsWith('#')) {
    return false;
  }
  let place: unknown = schema;
  for (const part of reference.slice(1).split('/').slice(1)) {
    const name = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
    place =
      typeof place === 'object' && place !== null
        ? Object.entries(place).find(([key]) => key === name)?.[1]
        : undefined;
  }
  return place !== undefined;
}

function isBrokenPattern(name: string, value: unknown, parent: string | number | undefined): boolean {
  const pattern = parent === 'patternProperties' ? name : name === 'pattern' ? value : undefined;
  if (typeof pattern !== 'string') {
    return false;
  }
  try {
    new RegExp(pattern, 'u');
    return false;
  } catch {
    return true;
  }
}

type Path = readonly (string | number)[];
type Predicate = (name: string, value: unknown, parent: string | number | undefined) => boolean;

/** The path of the first member that the predicate holds for, depth first. */
function find(value: unknown, holds: Predicate, path: Path = []): Path | undefined {
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  for (const [name, member] of Object.entries(value)) {
    const memberPath = [...path, Array.isArray(value) ? Number(name) : name];
    const found = holds(name, member, path.at(-1)) ? memberPath : find(member, holds, memberPath);
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
