/** Passes every storage step of a process, so that a test decides what happens between two of them. */
export type Gate = <Answer>(step: string, run: () => Promise<Answer>) => Promise<Answer>;

interface Waiting {
  readonly step: string;
  run(): Promise<void>;
}

/** One operation whose storage steps are taken one at a time, when the schedule says so. */
export class Actor {
  readonly #waiting: Waiting[] = [];
  #controlled = false;
  #finished = true;
  #dead = false;

  /** The gate through which the actor's process has to go. */
  readonly gate: Gate = (step, run) => {
    if (this.#dead) {
      return new Promise(() => {});
    }
    if (!this.#controlled) {
      return run();
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ step, run: () => run().then(resolve, reject) });
    });
  };

  /** Begins an operation; it stops before its first step. */
  start<Answer>(operation: () => Promise<Answer>): Promise<PromiseSettledResult<Answer>> {
    this.#controlled = true;
    this.#finished = false;
    return Promise.allSettled([operation()]).then(([outcome]) => {
      this.#finished = true;
      this.#controlled = false;
      return outcome;
    });
  }

  get isFinished(): boolean {
    return this.#finished;
  }

  /** Takes the next step and waits until the operation stands before another one, or has ended. */
  async step(): Promise<void> {
    await this.#waiting.shift()?.run();
    await this.arrive();
  }

  /** Lets the operation hang for ever before its next step, as if its process had died there. */
  abandon(): void {
    this.#waiting.length = 0;
    this.#controlled = false;
    this.#finished = true;
  }

  /** As `abandon`, for ever: whatever the operation goes on with, when it grows tired of waiting, reaches the storage no more. */
  kill(): void {
    this.#dead = true;
    this.abandon();
  }

  /** Waits until the operation stands before a step, or has ended. */
  async arrive(): Promise<void> {
    const deadline = Date.now() + 5_000;
    do {
      await new Promise(setImmediate);
      if (Date.now() > deadline) {
        throw new Error('An operation neither ends nor reaches its next step.');
      }
    } while (!this.#finished && this.#waiting.length === 0);
  }
}

/**
 * Takes the steps of the actors in the order that `choose` gives, until all have ended.
 *
 * @param choose gives the index of one of the actors that have not ended.
 */
export async function interleave(
  actors: readonly Actor[],
  choose: (candidates: readonly Actor[]) => number,
): Promise<void> {
  for (;;) {
    const candidates = actors.filter((actor) => !actor.isFinished);
    const chosen = candidates[choose(candidates)];
    if (chosen === undefined) {
      return;
    }
    await chosen.step();
  }
}
