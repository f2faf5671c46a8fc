/**
 * One call at a time, shared by all who ask for it: whoever asks gets the answer of a run that began after they
 * asked, so that an answer proves something about the time of the question.
 */
export class Coalesced<Answer> {
  readonly #run: () => Promise<Answer>;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<Answer> | undefined;

  constructor(run: () => Promise<Answer>) {
    this.#run = run;
  }

  ask(): Promise<Answer> {
    this.#next ??= this.#runAfter(this.#running);
    return this.#next;
  }

  async #runAfter(previous: Promise<unknown>): Promise<Answer> {
    await Promise.allSettled([previous]);
    if (this.#next !== undefined) {
      this.#running = this.#next;
      this.#next = undefined;
    }
    return await this.#run();
  }
}
