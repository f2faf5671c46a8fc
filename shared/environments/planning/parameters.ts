import { jsonEquals } from '../../platform/json-equals.ts';
import type { Json } from '../../records/index.ts';
import { type Fault, namesOf } from '../faults.ts';
import type { Parameter } from '../templates/template.ts';

type Path = Fault['path'];
export type Parameters = Readonly<Record<string, Parameter>>;
export type ParameterValues = Readonly<Record<string, Json>>;

/**
 * Values for all parameters, with the defaults where none is given.
 *
 * @param path where the values stand in what was sent.
 * @param faults each value that is missing, unknown or of another type is added to them.
 */
export function fillInParameters(
  parameters: Parameters,
  given: ParameterValues,
  path: Path,
  faults: Fault[],
): ParameterValues {
  const declared = new Map(Object.entries(parameters));
  for (const name of Object.keys(given)) {
    if (!declared.has(name)) {
      faults.push({
        path: [...path, name],
        detail: `The template has no parameter "${name}".`,
        fix: `Leave it out, or correct its name: ${namesOf(declared.keys())}.`,
      });
    }
  }
  const values = new Map<string, Json>();
  for (const [name, parameter] of declared) {
    const value = Object.hasOwn(given, name) ? given[name] : parameter.default;
    if (value === undefined) {
      faults.push({
        path: [...path, name],
        detail: `The parameter "${name}" has no value.`,
        fix: `Give it one, ${expected(parameter)}.`,
      });
    } else if (isAllowed(parameter, value)) {
      values.set(name, value);
    } else {
      faults.push(valueFault(name, parameter, value, [...path, name]));
    }
  }
  return Object.fromEntries(values);
}

/** What is wrong with the declarations themselves. */
export function checkParameters(parameters: Parameters, path: Path): Fault[] {
  return Object.entries(parameters).flatMap(([name, parameter]) => {
    const { default: value, enum: allowed = [] } = parameter;
    const misfits = allowed.flatMap((one, index) =>
      isOfType(parameter.type, one) ? [] : [valueFault(name, parameter, one, [...path, name, 'enum', index])],
    );
    const isMisfit = value !== undefined && misfits.length === 0 && !isAllowed(parameter, value);
    return isMisfit ? [valueFault(name, parameter, value, [...path, name, 'default'])] : misfits;
  });
}

function isAllowed({ type, enum: allowed }: Parameter, value: Json): boolean {
  return isOfType(type, value) && (allowed === undefined || allowed.some((one) => jsonEquals(one, value)));
}

function isOfType(type: Parameter['type'], value: Json): boolean {
  switch (type) {
    case 'integer':
      return Number.isSafeInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}

function valueFault(name: string, parameter: Parameter, value: Json, path: Path): Fault {
  return {
    path,
    detail: `The parameter "${name}" cannot be ${shorten(JSON.stringify(value))}.`,
    fix: `Use ${expected(parameter)}.`,
  };
}

function expected({ type, enum: allowed }: Parameter): string {
  if (allowed !== undefined) {
    return `one of ${shorten(allowed.map((one) => JSON.stringify(one)).join(', '))}`;
  }
  return type === 'integer'
    ? 'a whole number'
    : `${type === 'object' || type === 'array' ? 'an' : 'a'} ${type}`;
}

function shorten(text: string): string {
  return text.length <= 100 ? text : `${text.slice(0, 100)}…`;
}
