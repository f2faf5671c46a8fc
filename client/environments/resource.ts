import type { Json } from '../store/content.ts';
import type { Dependency, PolledHealth, Tag, TemplateUse } from './environment.ts';

export type ResourceStatus = 'deploying' | 'ok' | 'failed' | 'destroying';

/** A resource that is written down by hand. */
export interface ResourceInput {
  readonly name: string;
  readonly description?: string | undefined;
  readonly tags?: readonly Tag[] | undefined;
  readonly count?: number | undefined;
  readonly status?: ResourceStatus | undefined;
  readonly links?: readonly string[] | undefined;
  readonly statusEndpoints?: readonly string[] | undefined;
  readonly dependencies?: readonly Dependency[] | undefined;
}

export interface Resource {
  readonly environment: string;
  /** `TEMPLATE.ID` where a template made it. */
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly tags: readonly Tag[];
  /** Which template made it, and with what; absent where it was written down by hand. */
  readonly template?: TemplateUse;
  readonly count: number;
  /** Absent where it was written down by hand. */
  readonly createdOn?: string;
  readonly status: ResourceStatus;
  /** RFC 3339, as the other times. */
  readonly statusSince: string;
  readonly detail?: string;
  readonly links: readonly string[];
  readonly statusEndpoints: readonly string[];
  readonly dependencies: readonly Dependency[];
  readonly outputs?: Readonly<Record<string, Json>>;
  /** What its status endpoints say. */
  readonly health?: PolledHealth;
  /** What a refresh found to differ from what should be there. */
  readonly drift?: string;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A group of resources that is written down by hand. */
export interface ResourceGroupInput {
  readonly name: string;
  readonly tags?: readonly Tag[] | undefined;
  /** Ids of resources of the environment. */
  readonly resources?: readonly string[] | undefined;
  readonly dependencies?: readonly Dependency[] | undefined;
}

export interface ResourceGroup {
  readonly environment: string;
  readonly id: string;
  readonly name: string;
  readonly tags: readonly Tag[];
  readonly template?: TemplateUse;
  readonly resources: readonly string[];
  readonly dependencies: readonly Dependency[];
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}
