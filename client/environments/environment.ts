import type { Json } from '../store/content.ts';

export type EnvironmentState =
  | 'Deploying'
  | 'Deployed-Validating'
  | 'Deployed-OK'
  | 'Deployed-Fail'
  | 'Destroying'
  | 'Destroyed';

export interface Tag {
  readonly name: string;
  readonly value: string;
}

/** A template that an environment is to be made from. */
export interface TemplateChoice {
  readonly id: string;
  /** The newest unless told. */
  readonly version?: number | undefined;
  /** Those that are left out have their defaults. */
  readonly parameters?: Readonly<Record<string, Json>> | undefined;
}

/** A template that an environment is made from. */
export interface TemplateUse {
  readonly id: string;
  readonly version: number;
  /** With the defaults filled in. */
  readonly parameters: Readonly<Record<string, Json>>;
}

export interface EnvironmentInput {
  readonly id: string;
  readonly name: string;
  readonly description?: string | undefined;
  readonly tags?: readonly Tag[] | undefined;
  readonly templates?: readonly TemplateChoice[] | undefined;
  /** RFC 3339: when it is destroyed by itself; null to let it stay. */
  readonly destructionPlannedOn?: string | null | undefined;
  /** Besides those of its templates. */
  readonly entrypoints?: readonly string[] | undefined;
  readonly statusEndpoints?: readonly string[] | undefined;
}

/** What is left out stays as it is. */
export type EnvironmentChanges = Partial<Omit<EnvironmentInput, 'id'>>;

export interface Environment {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly tags: readonly Tag[];
  readonly state: EnvironmentState;
  /** RFC 3339, as the other times: since when it is in this state. */
  readonly stateSince: string;
  /** Why it is in this state, where that is not plain. */
  readonly reason?: string;
  readonly createdOn: string;
  readonly destroyedOn?: string;
  readonly destructionPlannedOn?: string;
  readonly destructionWarnedOn?: string;
  /** The operation that destroys it as planned. */
  readonly destructionOperation?: string;
  readonly templates: readonly TemplateUse[];
  readonly entrypoints: readonly string[];
  readonly statusEndpoints: readonly string[];
  /** What its own status endpoints say. */
  readonly health?: PolledHealth;
  /** Set where it is not well because its status endpoints say so. */
  readonly failedBy?: 'health';
  /** The id of the operation that works on it; not told by a listing. */
  readonly operation?: string;
  /** How it differs from what it should be; not told by a listing. */
  readonly drift?: readonly Drift[];
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What status endpoints say. */
export interface PolledHealth {
  readonly state: 'healthy' | 'unhealthy';
  /** RFC 3339. */
  readonly since: string;
  readonly detail?: string;
}

export interface Drift {
  /** Absent where it is about the environment. */
  readonly resource?: string;
  readonly expected: Json;
  readonly observed: Json;
}

/** Another resource of the environment, `group:GROUP`, or something that Skerry does not keep. */
export type Dependency = string | { readonly external: string };
