import type { Records } from '../../records/index.ts';
import { type Dependency, groupsPrefix, type ResourceGroupValue, type Tag } from '../environment.ts';
import { GROUP_PREFIX } from '../name.ts';
import { unknownDependencies } from './circle.ts';
import { EnvironmentParts, type Part, type PartAddress, type WriteOptions } from './environment-parts.ts';

export type ResourceGroup = Part<ResourceGroupValue>;

/** What somebody says of a group that no template made. */
export interface ResourceGroupInput {
  readonly name: string;
  readonly tags: readonly Tag[];
  readonly resources: readonly string[];
  readonly dependencies: readonly Dependency[];
}

/** Groups of resources. */
export class ResourceGroups extends EnvironmentParts<ResourceGroupValue> {
  constructor(records: Records) {
    super(records, {
      noun: 'resource group',
      prefix: groupsPrefix,
      reference: (id) => GROUP_PREFIX + id,
      withPart: ({ resources, groups }, id, value) => ({
        resources,
        groups: new Map([...groups, [id, value]]),
      }),
      unknownNames: ({ resources, dependencies }, parts) =>
        unknownDependencies([...resources, ...dependencies], parts),
    });
  }

  /** Writes a group down; see `EnvironmentParts.put`. */
  async write(address: PartAddress, input: ResourceGroupInput, options: WriteOptions) {
    return await this.put(address, () => input, options);
  }
}
