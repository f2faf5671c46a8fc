/** `kill`: the process dies; `bug`: something throws that nobody expects; `unavailable`: no answer comes. */
export type FaultKind = 'kill' | 'bug' | 'unavailable';

export interface Fault {
  readonly kind: FaultKind;
  /** Whether the step has taken effect. */
  readonly moment: 'before' | 'after';
}

const KINDS: readonly FaultKind[] = ['kill', 'kill', 'unavailable', 'unavailable', 'bug'];

/** Of the steps, how many meet a fault. */
export interface FaultRates {
  readonly anywhere: number;
  /** The steps that more of them meet. */
  readonly focus?: string;
  readonly there: number;
}

/** Which steps of all processes meet a fault. */
export class StepFaults {
  readonly counts = { steps: 0, kill: 0, bug: 0, unavailable: 0 };
  readonly #random: () => number;
  readonly #rates: FaultRates;
  #isOver = false;

  constructor(random: () => number, rates: FaultRates) {
    this.#random = random;
    this.#rates = rates;
  }

  next(step: string): Fault | undefined {
    this.counts.steps += 1;
    if (this.#random() >= this.#rateOf(step)) return undefined;
    const kind = this.#pick(KINDS) ?? 'kill';
    this.counts[kind] += 1;
    return { kind, moment: this.#random() < 0.5 ? 'before' : 'after' };
  }

  end(): void {
    this.#isOver = true;
  }

  #rateOf(step: string): number {
    const { anywhere, focus, there } = this.#rates;
    return this.#isOver ? 0 : step === focus ? there : anywhere;
  }

  #pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.#random() * items.length)];
  }
}

/** What nobody expects. */
export class Bug extends Error {}

/** As it comes from below HTTP. */
export class NoAnswer extends Error {
  readonly code = 'ECONNRESET';
}

/** As what a step fails. */
export function errorOf({ kind, moment }: Fault, step: string): Error {
  return kind === 'bug' ? new Bug(`A bug ${moment} ${step}.`) : new NoAnswer(`No answer ${moment} ${step}.`);
}
