import type { Output } from '../output.ts';
import type { Repetition } from './merge-files.ts';
import type { Applied } from './store-mirror.ts';

/** Tells what a sync does: keys, never what they hold. With JSON, each thing is a line on standard output. */
export class SyncReport {
  readonly #output: Output;
  #told = new Set<string>();

  constructor(output: Output) {
    this.#output = output;
  }

  applied(applied: Applied): void {
    const { store, revision, put, deleted, batches } = applied;
    this.#output.event({ event: 'applied', ...applied }, () =>
      [
        ...deleted.map((key) => `delete  /kv/${store}/${key}`),
        ...put.map((key) => `put     /kv/${store}/${key}`),
        `store ${store} is at revision ${revision}${batches > 1 ? `; this took ${batches} transactions` : ''}`,
      ].join('\n'),
    );
  }

  inStep(stores: number): void {
    this.#output.event(
      { event: 'in-step', stores },
      () => `in step: ${stores} ${stores === 1 ? 'store holds' : 'stores hold'} what the files say`,
    );
  }

  /** Says of each key once that several places write it. */
  repeated(repetitions: readonly Repetition[]): void {
    const now = new Set<string>();
    for (const repetition of repetitions) {
      const { store, key, files } = repetition;
      const id = JSON.stringify(repetition);
      now.add(id);
      if (this.#told.has(id)) continue;
      this.#warn(
        { event: 'repeated', ...repetition },
        `/kv/${store}/${key} is in ${files.join(', ')}: the last one counts`,
      );
    }
    this.#told = now;
  }

  /** A file that cannot be used; what it said before stays. */
  skipped(reason: string): void {
    this.#warn({ event: 'skipped', reason }, `skipped: ${reason}`);
  }

  /** @param seconds until the next attempt; undefined where none is made before the files change. */
  failed(store: string, error: unknown, seconds: number | undefined): void {
    const reason = error instanceof Error ? error.message : String(error);
    const next =
      seconds === undefined ? 'tried again when the files change' : `tried again in ${seconds.toFixed(1)} s`;
    this.#warn(
      { event: 'failed', store, reason, retryInSeconds: seconds ?? null },
      `store ${store}: ${reason} (${next})`,
    );
  }

  statusFault(store: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#warn({ event: 'status-fault', store, reason }, `status of ${store}: ${reason}`);
  }

  #warn(event: unknown, text: string): void {
    if (this.#output.isJson) this.#output.event(event, () => text);
    else this.#output.note(`skerry: ${text}`);
  }
}
