import type { StepVerb } from '../operations/operation.ts';

/** What a command would do, and in which order. */
export interface Plan {
  readonly steps: readonly PlannedStep[];
  /** Ids of resources, as the next three. */
  readonly create: readonly string[];
  readonly update: readonly string[];
  readonly destroy: readonly string[];
  readonly keep: readonly string[];
}

export interface PlannedStep {
  readonly id: string;
  readonly verb: StepVerb;
  readonly resource?: string;
  readonly executor?: string;
  /** The name of the template's action. */
  readonly action?: string;
  /** Steps that come before. */
  readonly dependsOn: readonly string[];
}
