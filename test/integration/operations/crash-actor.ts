import type { Gate } from '../interleaving.ts';

/** What happens to a step: it is taken, its process dies before or after it took effect, or no answer comes. */
export type Fate = 'taken' | 'killed before' | 'killed after' | 'no answer, no effect' | 'no answer, effect';

/** As it comes from below HTTP. */
class NoAnswer extends Error {
  readonly code = 'ECONNRESET';
}

interface Waiting {
  run(fate: Fate): Promise<void>;
}

/** A process of which every step that others see is taken when the test says so, and that may die at each. */
export class CrashActor {
  #waiting: Waiting[] = [];
  #isDead = false;
  #isBusy = false;

  readonly gate: Gate = (_step, run) => {
    if (this.#isDead) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      this.#waiting.push({
        run: async (fate) => {
          if (fate === 'killed before') return this.kill();
          if (fate === 'no answer, no effect') return reject(new NoAnswer('No answer.'));
          const [outcome] = await Promise.allSettled([run()]);
          if (fate === 'killed after') return this.kill();
          if (fate === 'no answer, effect') return reject(new NoAnswer('No answer.'));
          if (outcome.status === 'fulfilled') resolve(outcome.value);
          else reject(outcome.reason);
        },
      });
    });
  };

  get isDead(): boolean {
    return this.#isDead;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Begins a task; `onEnd` is told whether it came to a good end, unless the process dies. */
  async start(
    task: () => Promise<unknown>,
    onEnd: (isDone: boolean, error?: unknown) => void,
  ): Promise<void> {
    this.#isBusy = true;
    void task().then(
      () => this.#finish(() => onEnd(true)),
      (error) => this.#finish(() => onEnd(false, error)),
    );
    await this.#arrive();
  }

  /** Takes one of the steps that it stands before. */
  async step(fate: Fate, pick: number): Promise<void> {
    const [waiting] = this.#waiting.splice(Math.floor(pick * this.#waiting.length), 1);
    await waiting?.run(fate);
    await this.#arrive();
  }

  kill(): void {
    this.#isDead = true;
    this.#isBusy = false;
    this.#waiting = [];
  }

  #finish(tell: () => void): void {
    if (this.#isDead) return;
    this.#isBusy = false;
    tell();
  }

  async #arrive(): Promise<void> {
    const deadline = Date.now() + 10_000;
    do {
      await new Promise(setImmediate);
      if (Date.now() > deadline) {
        throw new Error('A process neither ends its task nor reaches a step.');
      }
    } while (this.#isBusy && this.#waiting.length === 0);
  }
}
