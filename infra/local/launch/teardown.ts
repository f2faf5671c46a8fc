/** What must be stopped or given up at the end, last started first; it can run while the start is still under way. */
export class Teardown {
  readonly #steps: (() => Promise<void>)[] = [];
  #run: Promise<void> | undefined;

  /** Whether the end has begun: what fails from now on fails because of it. */
  get begun(): boolean {
    return this.#run !== undefined;
  }

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Runs every step once, in reverse order; a step that fails is reported and does not keep the others from running. */
  run(): Promise<void> {
    this.#run ??= this.#runSteps();
    return this.#run;
  }

  async #runSteps(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        console.error('While stopping:', error);
      }
    }
  }
}
