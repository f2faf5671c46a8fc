import type { Json } from '../../records/index.ts';
import type { Reference } from './interpolation.ts';

/** An output of a resource, as a text refers to it. */
export interface OutputReference {
  /** Of the environment: `TEMPLATE.ID`. */
  readonly resource: string;
  /** The output's name, and members of it. */
  readonly path: Reference;
}

/** What texts of a template are filled in with. */
export interface Values {
  readonly parameters: Readonly<Record<string, Json>>;
  readonly environment: string;
  readonly template: { readonly id: string; readonly version: number };
  /** The resource that the text is about, where there is one. */
  readonly resource?: { readonly id: string; readonly name: string; readonly count: number };
}

/** Reads `resources.ID.outputs.NAME`, or with `TEMPLATE.ID`; undefined for anything else. */
export function outputReference(reference: Reference, template: string): OutputReference | undefined {
  const [root, first = '', second = '', third = '', ...rest] = reference;
  if (root !== 'resources') {
    return undefined;
  }
  if (second === 'outputs' && third !== '') {
    return { resource: `${template}.${first}`, path: [third, ...rest] };
  }
  return third === 'outputs' && rest.length > 0 ? { resource: `${first}.${second}`, path: rest } : undefined;
}

/** The output as it is written for when the step runs: from anywhere in the environment. */
export function absoluteReference({ resource, path }: OutputReference): Reference {
  return ['resources', ...resource.split('.'), 'outputs', ...path];
}

/** Reads what `absoluteReference` made. */
export function absoluteOutput([root, template, id, outputs, ...path]: Reference):
  | OutputReference
  | undefined {
  return root === 'resources' && outputs === 'outputs' && path.length > 0
    ? { resource: `${template}.${id}`, path }
    : undefined;
}

/** What stands for a reference, outputs of resources aside; undefined where there is nothing. */
export function valueAt([root, ...path]: Reference, values: Values): Json | undefined {
  switch (root) {
    case 'parameters':
      return memberAt(values.parameters, path);
    case 'environment':
      return memberAt({ id: values.environment }, path);
    case 'template':
      return memberAt({ ...values.template }, path);
    case 'resource':
      return values.resource && memberAt({ ...values.resource }, path);
    default:
      return undefined;
  }
}

/** What is at a path of names; only what a value has itself, not what every object or array comes with. */
export function memberAt(value: Json | Readonly<Record<string, Json>>, path: Reference): Json | undefined {
  let at: Json | undefined = value as Json;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) {
      return undefined;
    }
    at = (at as Record<string, Json | undefined>)[name];
  }
  return at;
}
