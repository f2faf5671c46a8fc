import type { RootDatabase } from 'lmdb';

interface Job {
  /** Answers what tells the outcome, once it is committed. */
  perform(): () => void;
  reject(error: unknown): void;
}

/**
 * Gathers what is written in one turn of the event loop into one synchronous transaction. That is several times cheaper
 * than a transaction each, and than to hand every write to lmdb's own thread; and no reader ever sees half of a job.
 */
export class GroupCommit {
  readonly #database: RootDatabase;
  readonly #isRefusal: (error: unknown) => boolean;
  #jobs: Job[] = [];

  /** An error that `isRefusal` concerns only the job that threw it, which must not have written yet. */
  constructor(database: RootDatabase, isRefusal: (error: unknown) => boolean = () => false) {
    this.#database = database;
    this.#isRefusal = isRefusal;
  }

  /**
   * Runs `job` inside the next transaction and resolves once that is committed. An error that is no refusal undoes the
   * whole transaction and is everybody's.
   */
  commit<Result>(job: () => Result): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const perform = () => {
      try {
        const result = job();
        return () => resolve(result);
      } catch (error) {
        if (!this.#isRefusal(error)) throw error;
        return () => reject(error);
      }
    };
    if (this.#jobs.length === 0) setImmediate(() => this.#commitAll());
    this.#jobs.push({ perform, reject });
    return promise;
  }

  /** Commits what waits, and closes the database. */
  async close(): Promise<void> {
    this.#commitAll();
    await this.#database.close();
  }

  #commitAll(): void {
    const jobs = this.#jobs;
    this.#jobs = [];
    if (jobs.length === 0) return;
    try {
      const outcomes = this.#database.transactionSync(() => jobs.map(({ perform }) => perform()));
      for (const tell of outcomes) tell();
    } catch (error) {
      for (const { reject } of jobs) reject(error);
    }
  }
}
