import type { Json, Scope } from '../records/index.ts';

/** The kind of an environment's scope: its own record, those of its resources and groups, and its lane. */
export const ENVIRONMENT_KIND = 'env';

export const ENVIRONMENT_STATES = [
  'Deploying',
  'Deployed-Validating',
  'Deployed-OK',
  'Deployed-Fail',
  'Destroying',
  'Destroyed',
] as const;

export type EnvironmentState = (typeof ENVIRONMENT_STATES)[number];

export interface Tag {
  readonly name: string;
  readonly value: string;
}

/** A template that an environment is made from. */
export interface TemplateUse {
  readonly id: string;
  /** A version of the template; pinned when the operation begins. */
  readonly version: number;
  /** With the defaults filled in. */
  readonly parameters: Readonly<Record<string, Json>>;
}

/** The record `/env/ID`. */
export interface EnvironmentValue {
  readonly name: string;
  readonly description?: string;
  readonly tags: readonly Tag[];
  readonly state: EnvironmentState;
  /** RFC 3339: since when it is in this state. */
  readonly stateSince: string;
  /** Why it is in this state, where that is not plain. */
  readonly reason?: string;
  /** In Deployed-Fail where it is its health that failed: it is Deployed-OK again when that recovers. */
  readonly failedBy?: 'health';
  /** RFC 3339. */
  readonly createdOn: string;
  readonly destroyedOn?: string;
  readonly destructionPlannedOn?: string;
  /** RFC 3339: when it was told that the planned destruction is near. */
  readonly destructionWarnedOn?: string;
  /** The operation that destroys it as planned; it is asked for once for each planned time. */
  readonly destructionOperation?: string;
  /** What it is, or is to be, made from. */
  readonly templates: readonly TemplateUse[];
  readonly entrypoints: readonly string[];
  readonly statusEndpoints: readonly string[];
  /** Of its own status endpoints. */
  readonly health?: Health;
}

export type ResourceStatus = 'deploying' | 'ok' | 'failed' | 'destroying';

/** What polling its status endpoints says. */
export interface Health {
  readonly state: 'healthy' | 'unhealthy';
  /** RFC 3339: since when. */
  readonly since: string;
  readonly detail?: string;
}

/** Another resource of the environment, or something that Skerry does not keep. */
export type Dependency = string | { readonly external: string };

/** The record `/env/ID/resources/RESOURCE`, where RESOURCE is `TEMPLATE.ID` for those that a template makes. */
export interface ResourceValue {
  readonly name: string;
  readonly description?: string;
  readonly tags: readonly Tag[];
  /** Which template made it, and with what; absent where it was written down by hand. */
  readonly template?: TemplateUse;
  readonly count: number;
  /** RFC 3339: when it was made; absent as long as that has not succeeded. */
  readonly createdOn?: string;
  readonly status: ResourceStatus;
  /** RFC 3339: since when. */
  readonly statusSince: string;
  /** Why the status is as it is. */
  readonly detail?: string;
  readonly links: readonly string[];
  readonly statusEndpoints: readonly string[];
  readonly dependencies: readonly Dependency[];
  readonly outputs?: Readonly<Record<string, Json>>;
  readonly health?: Health;
  /** What a refresh found to differ from what should be there. */
  readonly drift?: string;
}

/** The record `/env/ID/groups/GROUP`, named as resources are. */
export interface ResourceGroupValue {
  readonly name: string;
  readonly tags: readonly Tag[];
  readonly template?: TemplateUse;
  /** Ids of resources of the environment. */
  readonly resources: readonly string[];
  /** Resources, or `group:GROUP`, that come before all of it. */
  readonly dependencies: readonly Dependency[];
}

export function environmentScope(ns: string, id: string): Scope {
  return { ns, kind: ENVIRONMENT_KIND, name: id };
}

export function environmentKey(id: string): string {
  return `/${ENVIRONMENT_KIND}/${id}`;
}

/** Its lane: which operation works on it. */
export function environmentLaneKey(id: string): string {
  return `${environmentKey(id)}/work`;
}

/** Below it are all resources. */
export function resourcesPrefix(id: string): string {
  return `${environmentKey(id)}/resources/`;
}

export function resourceKey(environment: string, resource: string): string {
  return resourcesPrefix(environment) + resource;
}

/** Below it are all resource groups. */
export function groupsPrefix(id: string): string {
  return `${environmentKey(id)}/groups/`;
}

export function groupKey(environment: string, group: string): string {
  return groupsPrefix(environment) + group;
}
