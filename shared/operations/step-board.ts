import type { StepValue } from './operation.ts';
import { isUnderWay, isUntouched } from './progress.ts';

interface Place {
  readonly step: Pick<StepValue, 'id' | 'state' | 'attempts'>;
  readonly dependents: readonly string[];
  /** How many of the steps that it waits for have not succeeded. */
  readonly open: number;
}

/** How the steps of a plan wait for each other, and how far they are: brought up to date by what changes, at the cost of that alone. */
export class StepBoard {
  readonly #places = new Map<string, Place>();
  readonly #underWay = new Map<string, StepValue>();
  /** Ids, in order. */
  readonly #eligible: string[] = [];
  #untouched = 0;

  constructor(steps: readonly StepValue[]) {
    const succeeded = new Set(steps.flatMap(({ id, state }) => (state === 'succeeded' ? id : [])));
    const dependents = new Map<string, string[]>(steps.map(({ id }) => [id, []]));
    for (const { id, dependsOn } of steps) {
      for (const other of new Set(dependsOn)) dependents.get(other)?.push(id);
    }
    for (const step of steps) {
      const open = new Set(step.dependsOn.filter((id) => !succeeded.has(id))).size;
      this.#enter(step, { open, dependents: dependents.get(step.id) ?? [] });
    }
  }

  get size(): number {
    return this.#places.size;
  }

  /** Steps whose turn has come and that are not done. */
  get underWay(): readonly StepValue[] {
    return [...this.#underWay.values()];
  }

  /** Steps that wait for nothing but their turn, in order. */
  get eligible(): readonly string[] {
    return this.#eligible;
  }

  /** How many wait that have not begun, for whatever it is. */
  get untouched(): number {
    return this.#untouched;
  }

  has(id: string): boolean {
    return this.#places.has(id);
  }

  /** Steps that will be eligible, too, once this one has succeeded, in order. */
  unlockedBy(id: string): readonly string[] {
    const place = this.#places.get(id);
    if (place === undefined || place.step.state === 'succeeded') return [];
    return place.dependents.filter((other) => this.#isOpen(other, 1)).sort();
  }

  /** Takes note of a step of the plan as it is now. */
  take(step: StepValue): void {
    const place = this.#places.get(step.id);
    if (place === undefined) return;
    this.#leave(place);
    this.#enter(step, place);
    if (step.state === 'succeeded' && place.step.state !== 'succeeded') {
      for (const id of place.dependents) this.#close(id);
    }
  }

  #enter({ id, state, attempts, ...rest }: StepValue, { open, dependents }: Omit<Place, 'step'>): void {
    const step = { id, state, attempts };
    this.#places.set(id, { step, open, dependents });
    if (isUnderWay(step)) this.#underWay.set(id, { ...rest, ...step });
    if (isUntouched(step)) this.#untouched += 1;
    if (this.#isOpen(id, 0)) this.#insert(id);
  }

  #leave({ step }: Place): void {
    this.#underWay.delete(step.id);
    if (isUntouched(step)) this.#untouched -= 1;
    if (this.#isOpen(step.id, 0)) this.#eligible.splice(this.#indexOf(step.id), 1);
  }

  /** One of the steps that it waits for has succeeded. */
  #close(id: string): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#places.set(id, { ...place, open: place.open - 1 });
    if (this.#isOpen(id, 0)) this.#insert(id);
  }

  /** Whether a step has not begun, and waits for so many others. */
  #isOpen(id: string, open: number): boolean {
    const place = this.#places.get(id);
    return place !== undefined && place.open === open && isUntouched(place.step);
  }

  #insert(id: string): void {
    this.#eligible.splice(this.#indexOf(id), 0, id);
  }

  /** Where it stands in order, or would. */
  #indexOf(id: string): number {
    let low = 0;
    let high = this.#eligible.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#eligible[middle] ?? '') < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
