/** What a process does to the world outside, between which it may die. */
export const STEPS = [
  'read',
  'commit',
  'document',
  'send',
  'schedule',
  'publish',
  'post',
  'complete',
] as const;

export type Step = (typeof STEPS)[number];

/** A process dies; a handler throws; what is asked does not answer. */
export type FaultKind = 'kill' | 'crash' | 'unavailable';

export interface Fault {
  readonly step: Step;
  /** Steps of that sort that come before. */
  readonly after: number;
  readonly kind: FaultKind;
  /** Whether the step has taken effect. */
  readonly moment: 'before' | 'after';
}

/** Which faults are due, over all processes. */
export class Faults {
  readonly happened: Fault[] = [];
  readonly #counts = new Map<Step, number>();
  #waiting: readonly Fault[] = [];

  /** Lets these happen from now on. */
  arm(faults: readonly Fault[]): void {
    this.#counts.clear();
    this.#waiting = faults;
  }

  /** The fault of the next step of that sort, if it has one. */
  next(step: Step): Fault | undefined {
    const nth = this.#counts.get(step) ?? 0;
    this.#counts.set(step, nth + 1);
    const due = this.#waiting.find((fault) => fault.step === step && fault.after <= nth);
    if (due !== undefined) {
      this.#waiting = this.#waiting.filter((fault) => fault !== due);
      this.happened.push(due);
    }
    return due;
  }

  end(): void {
    this.#waiting = [];
  }
}

/** As if the function that runs were cut off, and its process not. */
export class Crash extends Error {}

/** As it comes from below HTTP and AMQP. */
export class NoAnswer extends Error {
  readonly code = 'ECONNRESET';
}

/** As what a step fails. */
export function errorOf({ step, moment, kind }: Fault): Error {
  return kind === 'crash'
    ? new Crash(`A crash ${moment} ${step}.`)
    : new NoAnswer(`No answer ${moment} ${step}.`);
}
