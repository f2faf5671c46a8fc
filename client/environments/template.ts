import type { Json } from '../store/content.ts';
import type { Dependency, Tag } from './environment.ts';

/** What makes an environment, or a part of it. */
export interface TemplateInput {
  readonly name: string;
  readonly description?: string | undefined;
  /** The commit that it was made from. */
  readonly commit?: string | undefined;
  readonly tags?: readonly Tag[] | undefined;
  readonly parameters?: Readonly<Record<string, TemplateParameter>> | undefined;
  readonly actions?: readonly TemplateAction[] | undefined;
  readonly resourceGroups?: readonly TemplateResourceGroup[] | undefined;
  readonly resources?: readonly TemplateResource[] | undefined;
  /** Templates whose resources come before all of this one's. */
  readonly dependsOn?: readonly string[] | undefined;
  readonly entrypoints?: readonly string[] | undefined;
}

export interface Template extends TemplateInput {
  readonly id: string;
  readonly version: number;
  readonly revision: number;
  /** RFC 3339, as `updatedAt`. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A template as listings show it. */
export interface TemplateSummary {
  readonly id: string;
  /** The newest. */
  readonly version: number;
  readonly name: string;
  readonly description?: string;
  readonly commit?: string;
  readonly tags: readonly Tag[];
  readonly revision: number;
  /** RFC 3339, as `updatedAt`. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A version as listings show it. */
export interface TemplateVersion {
  readonly version: number;
  readonly name: string;
  readonly description?: string;
  readonly commit?: string;
  /** RFC 3339. */
  readonly createdAt: string;
}

export interface TemplateParameter {
  readonly type: 'string' | 'number' | 'integer' | 'boolean' | 'object' | 'array';
  readonly description?: string;
  /** Without it a value has to be given. */
  readonly default?: Json;
  readonly enum?: readonly Json[];
}

/** What an executor can do; its texts may hold `${parameters.NAME}`, `${environment.id}` and `${resources.ID.outputs.NAME}`. */
export interface TemplateAction {
  readonly name: string;
  /** Such as `config`, `http` or `terraform`. */
  readonly executor: string;
  readonly app?: { readonly url?: string; readonly name?: string };
  readonly command: Json;
  readonly timeoutSeconds?: number;
  readonly maxAttempts?: number;
}

export interface TemplateResource {
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  readonly tags?: readonly Tag[];
  readonly count?: number | string;
  readonly dependsOn?: readonly Dependency[];
  /** Names of actions; a verb without one only records. */
  readonly actions?: { readonly create?: string; readonly update?: string; readonly destroy?: string };
  readonly links?: readonly string[];
  readonly statusEndpoints?: readonly string[];
}

export interface TemplateResourceGroup {
  readonly id: string;
  readonly name?: string;
  readonly tags?: readonly Tag[];
  readonly resources: readonly string[];
  readonly dependsOn?: readonly Dependency[];
}
