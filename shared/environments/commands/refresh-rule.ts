import type { z } from 'zod';
import type { PlannedStep } from '../../operations/index.ts';
import type { EnvironmentValue } from '../environment.ts';
import { type RefreshData, refreshDataSchema } from '../environment-schema.ts';
import { ResourceWorkRule } from './resource-work-rule.ts';

/** `resource.refresh`: looks whether what templates made is there as it should be. */
export class RefreshRule extends ResourceWorkRule<RefreshData> {
  readonly type = 'resource.refresh';
  readonly summary = 'Looks whether resources of an environment are there as they should be.';
  readonly schema: z.ZodType<RefreshData> = refreshDataSchema;

  protected async stepsFor(
    ns: string,
    { environment, resource }: RefreshData,
    value: EnvironmentValue,
  ): Promise<PlannedStep[]> {
    return await this.parts.environmentPlanner.planRefresh(ns, environment, value, resource);
  }
}
