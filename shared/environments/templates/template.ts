import type { Json, Scope } from '../../records/index.ts';
import type { Dependency, Tag } from '../environment.ts';

/** The kind of the scope of a namespace's templates. */
export const TEMPLATE_KIND = 'tpl';

export const PARAMETER_TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array'] as const;

export interface Parameter {
  readonly type: (typeof PARAMETER_TYPES)[number];
  readonly description?: string;
  /** Without it a value has to be given. */
  readonly default?: Json;
  readonly enum?: readonly Json[];
}

/** What can be done by an executor. Texts of `app` and `command` may hold `${parameters.NAME}`, `${environment.id}`, `${resources.ID.outputs.NAME}`. */
export interface Action {
  readonly name: string;
  readonly executor: string;
  readonly app?: { readonly url?: string; readonly name?: string };
  readonly command: Json;
  /** 3,600 unless said otherwise. */
  readonly timeoutSeconds?: number;
  /** 5 unless said otherwise. */
  readonly maxAttempts?: number;
}

export interface ResourceDefinition {
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  readonly tags?: readonly Tag[];
  /** How many, 1 unless said otherwise; a text such as `${parameters.nodes}` is a number once filled in. With 0 it is not made. */
  readonly count?: number | string;
  /** Resources of the same template by their id, of others as `TEMPLATE.ID`, groups as `group:ID`, externals. */
  readonly dependsOn?: readonly Dependency[];
  /** Names of actions; a verb without one only records. `update` without one is `create` again. */
  readonly actions?: {
    readonly create?: string;
    readonly update?: string;
    readonly destroy?: string;
  };
  readonly links?: readonly string[];
  readonly statusEndpoints?: readonly string[];
}

export interface ResourceGroupDefinition {
  readonly id: string;
  readonly name?: string;
  readonly tags?: readonly Tag[];
  readonly resources: readonly string[];
  readonly dependsOn?: readonly Dependency[];
}

/** What makes an environment, or a part of it. */
export interface TemplateDefinition {
  readonly name: string;
  readonly description?: string;
  /** The commit that it was made from. */
  readonly commit?: string;
  readonly tags: readonly Tag[];
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly actions: readonly Action[];
  readonly resourceGroups: readonly ResourceGroupDefinition[];
  readonly resources: readonly ResourceDefinition[];
  /** Templates whose resources come before all of this one's, in environments that have both. */
  readonly dependsOn: readonly string[];
  /** URLs at which the environment is entered. */
  readonly entrypoints: readonly string[];
}

/** The record `/tpl/ID/versions/NUMBER`: never changed. */
export interface TemplateVersionValue extends TemplateDefinition {
  readonly version: number;
}

/** The record `/tpl/ID`. */
export interface TemplateValue {
  readonly name: string;
  readonly description?: string;
  readonly tags: readonly Tag[];
  readonly commit?: string;
  /** The newest version. */
  readonly latest: number;
}

export function templateScope(ns: string): Scope {
  return { ns, kind: TEMPLATE_KIND, name: '' };
}

export function templateKey(id: string): string {
  return `/${TEMPLATE_KIND}/${id}`;
}

/** Its lane: which operation imports it. */
export function templateLaneKey(id: string): string {
  return `${templateKey(id)}/work`;
}

/** Below it are all versions. */
export function templateVersionsPrefix(id: string): string {
  return `${templateKey(id)}/versions/`;
}

/** Digits of a version's number in its key, so that keys sort as numbers do. */
const VERSION_DIGITS = 9;
export const MAX_TEMPLATE_VERSION = 10 ** VERSION_DIGITS - 1;

export function templateVersionKey(id: string, version: number): string {
  return templateVersionsPrefix(id) + String(version).padStart(VERSION_DIGITS, '0');
}
