import type { Maker } from '../platform/http/index.ts';
import type { Json } from '../records/index.ts';
import type { PlannedAction, StepVerb } from './operation.ts';

/**
 * One attempt of a step. The action has every value filled in. It is made in the name of whoever sent the command, and does to Skerry's own records no more than
 * they may at that time.
 */
export interface StepRequest extends Maker {
  readonly ns: string;
  /** The operation's id. */
  readonly operation: string;
  readonly step: string;
  readonly verb: StepVerb;
  /** From 1. */
  readonly attempt: number;
  /** The same for all attempts of the step: by it a receiver knows that it has done the work already. */
  readonly idempotencyKey: string;
  /** Grows with every operation of the environment: a receiver that has seen a larger one refuses. */
  readonly fence: number;
  readonly environment?: string;
  readonly resource?: string;
  readonly action: PlannedAction;
  /** Outputs of the resource as an earlier step left them, and on top of them those of this step's attempts that failed. */
  readonly outputs: Readonly<Record<string, Json>>;
  /** Aborted when the attempt's time is over; it is some seconds, so what lasts longer has to be `pending`. */
  readonly signal: AbortSignal;
}

export type StepOutcome =
  | {
      readonly state: 'succeeded';
      /** Of up to 16 KiB as JSON; kept with the resource, and given to later steps. Nothing secret. */
      readonly outputs?: Readonly<Record<string, Json>>;
      readonly log?: readonly string[];
    }
  | {
      readonly state: 'failed';
      /** A sentence. Nothing secret. */
      readonly reason: string;
      /** Whether another attempt may succeed. */
      readonly isPassing: boolean;
      /** What stands all the same, for whoever goes on or takes it away; bounded as above. Those that it does not name stay. */
      readonly outputs?: Readonly<Record<string, Json>>;
      readonly log?: readonly string[];
    }
  | {
      /** The work goes on elsewhere. */
      readonly state: 'pending';
      /** What `poll` needs to find it. */
      readonly handle: Json;
      readonly pollAfterSeconds: number;
      readonly log?: readonly string[];
    };

/** What is really there of a resource. */
export interface Observation {
  readonly exists: boolean;
  /** How it differs from what the action would make; absent where it does not. */
  readonly difference?: string;
}

/** Does the work of actions. What it throws counts as a failure that may pass. */
export interface Executor {
  /** Begins the work, or does it. Called again with the same idempotency key after a failure or a crash. */
  start(request: StepRequest): Promise<StepOutcome>;
  /** Asks after work that was pending. */
  poll?(request: StepRequest, handle: Json): Promise<StepOutcome>;
  /**
   * Stops work that is pending, as well as that goes. Calls are repeated after a crash, and several processes may call at a time: so it
   * may be called again, also while another call of it is under way, and when the work is over.
   */
  cancel?(request: StepRequest, handle: Json): Promise<void>;
  /** Looks at what is there; for `resource.refresh`. */
  observe?(request: StepRequest): Promise<Observation>;
}

/** The executor of a name; undefined where there is none. They are loaded when they are used. */
export type FindExecutor = (name: string) => Promise<Executor | undefined>;
