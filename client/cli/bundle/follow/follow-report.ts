import type { Output } from '../../output.ts';

/** Tells what a follower does. With JSON, each thing is a line on standard output. */
export class FollowReport {
  readonly #output: Pick<Output, 'isJson' | 'event' | 'note'>;
  readonly #bundle: string;
  readonly #folder: string;
  #told: string | undefined;

  constructor(output: Pick<Output, 'isJson' | 'event' | 'note'>, bundle: string, folder: string) {
    this.#output = output;
    this.#bundle = bundle;
    this.#folder = folder;
  }

  /** @param previous the version before it. */
  applied(version: number, previous: number | undefined): void {
    const before = previous === undefined ? '' : `, in place of ${previous}`;
    this.#news(
      { event: 'applied', version, previous: previous ?? null },
      () => `is in ${this.#folder}${before}`,
    );
  }

  /** Nothing had to be done. */
  inStep(version: number): void {
    this.#news({ event: 'in-step', version }, () => `is in ${this.#folder}`);
  }

  /** @param version in place of the one that failed; undefined where there is none to go back to. */
  failed(failed: number, reason: string, version: number | undefined): void {
    const now = version === undefined ? 'there is none to go back to' : `back at ${version}`;
    const event = { event: 'failed', version: failed, reason, back: version ?? null };
    this.#warn(event, `${this.#bundle} ${failed} failed, ${now}: ${reason}`);
  }

  waiting(reason: string): void {
    if (this.#told === reason) return;
    this.#told = reason;
    this.#warn({ event: 'waiting', reason }, `waiting: ${reason}`);
  }

  /** Something that passes, or that nothing depends on. */
  fault(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#warn({ event: 'fault', reason }, reason);
  }

  #news(
    event: { readonly event: string; readonly version: number; readonly previous?: number | null },
    text: () => string,
  ): void {
    const told = JSON.stringify([event.event, event.version]);
    // That nothing has changed is told once.
    if (event.event === 'in-step' && this.#told === told) return;
    this.#told = told;
    this.#output.event(event, () => `${this.#bundle} ${event.version} ${text()}`);
  }

  #warn(event: unknown, text: string): void {
    if (this.#output.isJson) this.#output.event(event, () => text);
    else this.#output.note(`skerry: ${text}`);
  }
}
