import type { z } from 'zod';
import type {
  CommandRule,
  Current,
  Operation,
  PlannedStep,
  StepValue,
  Writes,
} from '../../operations/index.ts';
import type { EnvironmentValue } from '../environment.ts';
import { environmentKey } from '../environment.ts';
import { readEnvironment, standing } from '../standing.ts';
import { type EnvironmentRuleParts, environmentLane, fillInStep } from './environment-rule.ts';
import { stepChanges, stepKeys } from './step-changes.ts';
import { environmentIn } from './write-record.ts';

/** Commands that do something with what an environment consists of, and leave its state as it is. */
export abstract class ResourceWorkRule<Data extends { readonly environment: string }>
  implements CommandRule<Data>
{
  abstract readonly type: string;
  abstract readonly summary: string;
  abstract readonly schema: z.ZodType<Data>;
  protected readonly parts: EnvironmentRuleParts;

  constructor(parts: EnvironmentRuleParts) {
    this.parts = parts;
  }

  /** @throws SkerryError with what is wrong. */
  protected abstract stepsFor(
    ns: string,
    data: Data,
    value: EnvironmentValue,
  ): Promise<readonly PlannedStep[]>;

  lane(ns: string, { environment }: Data) {
    return environmentLane(ns, environment);
  }

  async check(ns: string, data: Data): Promise<void> {
    await this.#steps(ns, data);
  }

  keys({ data }: Operation<Data>): string[] {
    return [environmentKey(data.environment)];
  }

  begin({ ns, data }: Operation<Data>, current: Current): Writes {
    standing(ns, data.environment, environmentIn(current, data.environment));
    return [];
  }

  async plan({ ns, data }: Operation<Data>): Promise<readonly PlannedStep[]> {
    return await this.#steps(ns, data);
  }

  async #steps(ns: string, data: Data): Promise<readonly PlannedStep[]> {
    const value = await readEnvironment(this.parts.records, ns, data.environment);
    return await this.stepsFor(ns, data, standing(ns, data.environment, value));
  }

  fillIn(operation: Operation<Data>, step: StepValue) {
    return fillInStep(this.parts.records, operation.data.environment, operation, step);
  }

  stepKeys({ data }: Operation<Data>, step: StepValue): string[] {
    return stepKeys(data.environment, step);
  }

  stepEnded({ data }: Operation<Data>, step: StepValue, current: Current, now: number): Writes {
    return stepChanges(data.environment, step, current, now);
  }

  conclude(): Writes {
    return [];
  }
}
