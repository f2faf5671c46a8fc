import type { WatchEvent } from '../watch/watch.ts';
import type { LongRunningOperation, OperationStep, OperationWithSteps } from './operation.ts';

/** What is new of an operation. */
export interface OperationUpdate {
  /** As it is now. */
  readonly operation: OperationWithSteps;
  /** The steps that are news: at first all of them. */
  readonly changed: readonly OperationStep[];
}

/** The record of an operation; its id is in its key. */
type OperationRecord = Omit<LongRunningOperation, 'id' | 'ns' | 'progress'> & { readonly stepCount?: number };

/** The record of a step, which names its executor where it says what is to be done. */
type StepRecord = Omit<OperationStep, 'executor'> & { readonly action?: { readonly executor: string } };

interface MirroredStep {
  readonly step: OperationStep;
  readonly revision: number;
}

/** An operation as it follows from the records that a watch tells. */
export class OperationMirror {
  readonly #id: string;
  readonly #ns: string;
  #record: OperationRecord | undefined;
  #steps = new Map<string, MirroredStep>();

  constructor(id: string, ns: string) {
    this.#id = id;
    this.#ns = ns;
  }

  /** @returns undefined as long as there is no such operation. */
  take(event: WatchEvent): OperationUpdate | undefined {
    const known = this.#steps;
    if (event.kind === 'resync') {
      this.#record = undefined;
      this.#steps = new Map();
    }
    const records = event.kind === 'resync' ? event.items : event.changes;
    const changed = new Map<string, OperationStep>();
    for (const { key, value, revision } of records) {
      if (key === `/op/${this.#id}`) {
        this.#record = (value as OperationRecord | null) ?? undefined;
      } else if (value !== null) {
        const step = stepOf(value as StepRecord);
        if (known.get(key)?.revision !== revision) changed.set(key, step);
        this.#steps.set(key, { step, revision });
      }
    }
    return this.#record && { operation: this.#shape(this.#record), changed: [...changed.values()] };
  }

  #shape(record: OperationRecord): OperationWithSteps {
    const { type, session, state, command, data, actor, acceptedAt, stepCount: total = 0 } = record;
    const { startedAt, endedAt, cancelRequestedAt, error, result } = record;
    const steps = Array.from(this.#steps.values(), ({ step }) => step);
    const done = steps.filter((step) => step.endedAt !== undefined).length;
    return withoutAbsent({
      ...{ id: this.#id, ns: this.#ns, type, session, state, command, data, actor, acceptedAt },
      ...{ startedAt, endedAt, cancelRequestedAt, error, result, progress: { done, total }, steps },
    });
  }
}

/** What everybody sees of a step; the rest is for those who run it. */
function stepOf({ id, verb, resource, action, state, ...record }: StepRecord): OperationStep {
  const { attempts, startedAt, endedAt, nextAt, error, log } = record;
  return withoutAbsent({
    ...{ id, verb, resource, executor: action?.executor, state },
    ...{ attempts, startedAt, endedAt, nextAt, error, log },
  });
}

function withoutAbsent<Value extends object>(
  value: { [Name in keyof Value]: Value[Name] | undefined },
): Value {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Value;
}
