import type { Current, Operation, PlannedStep, Writes } from '../../operations/index.ts';
import type { EnvironmentValue } from '../environment.ts';
import { readEnvironment, standing } from '../standing.ts';
import { EnvironmentRule } from './environment-rule.ts';
import { environmentIn } from './write-record.ts';

/** Commands that do something with what an environment consists of, and leave its state as it is. */
export abstract class ResourceWorkRule<
  Data extends { readonly environment: string },
> extends EnvironmentRule<Data> {
  /** @throws SkerryError with what is wrong. */
  protected abstract stepsFor(
    ns: string,
    data: Data,
    value: EnvironmentValue,
  ): Promise<readonly PlannedStep[]>;

  protected environmentOf({ environment }: Data): string {
    return environment;
  }

  async check(ns: string, data: Data): Promise<void> {
    await this.#steps(ns, data);
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

  conclude(): Writes {
    return [];
  }
}
