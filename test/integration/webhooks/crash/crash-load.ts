import { SkerryError } from '../../../../shared/platform/errors.ts';
import { type Json, parseScopeId, type Scope, scopeId } from '../../../../shared/records/index.ts';
import { Crash, NoAnswer } from './crash-faults.ts';
import { endpointOf, inputOf, type SubscriptionPlan, WRITTEN } from './crash-plans.ts';
import type { CrashWorld, Living } from './crash-world.ts';

export type LoadEvent =
  | { readonly type: 'write'; readonly nth: number; readonly value: number }
  | { readonly type: 'subscribe'; readonly plan: SubscriptionPlan }
  | { readonly type: 'replace'; readonly nth: number; readonly plan: SubscriptionPlan }
  | { readonly type: 'rotate'; readonly nth: number; readonly overlapSeconds: number }
  | { readonly type: 'pause' | 'resume' | 'retry' | 'recover' | 'remove'; readonly nth: number };

const AUTHOR = { actor: 'test' };

/** Clients of the processes, who remember what they were promised. */
export class CrashLoad {
  /** `SCOPE@REVISION` of each change that was acknowledged. */
  readonly acknowledged: string[] = [];
  /** Subscriptions that were asked to recover, which may hear of what was before them. */
  readonly recovered = new Set<string>();
  readonly #world: CrashWorld;
  readonly #ns: string;
  readonly #random: () => number;
  readonly #subscriptions: string[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  #fault: unknown;

  constructor(world: CrashWorld, ns: string, random: () => number) {
    this.#world = world;
    this.#ns = ns;
    this.#random = random;
  }

  /** Begins what an event says; it goes on while the next ones begin. */
  begin(event: LoadEvent): void {
    this.#inBackground(this.#perform(event));
  }

  /** Whether all that began has ended. */
  get isIdle(): boolean {
    if (this.#fault !== undefined) {
      throw this.#fault;
    }
    return this.#pending.size === 0;
  }

  recoverAll(): void {
    for (const id of this.#subscriptions) {
      this.#inBackground(this.#recover(id));
    }
  }

  /** Begins to make all subscriptions active that are not; returns whether there are any. */
  async resumeInactive(): Promise<boolean> {
    let areAny = false;
    for await (const { id, state } of this.#world.observer.subscriptions.all(this.#ns)) {
      if (state !== 'active') {
        areAny = true;
        this.#inBackground(this.#ask(({ process }) => process.activation.resume(this.#ns, id, AUTHOR)));
      }
    }
    return areAny;
  }

  #inBackground(work: Promise<unknown>): void {
    const watched: Promise<unknown> = work
      .catch((error: unknown) => {
        this.#fault ??= error;
      })
      .finally(() => this.#pending.delete(watched));
    this.#pending.add(watched);
  }

  /** @returns the answer, if one came. */
  async #ask<Answer>(work: (living: Living) => Promise<Answer>): Promise<Answer | undefined> {
    const outcome = await this.#world.ask(work);
    if (outcome.kind === 'failed' && !isRefusal(outcome.error)) {
      throw outcome.error;
    }
    return outcome.kind === 'done' ? outcome.answer : undefined;
  }

  async #perform(event: LoadEvent): Promise<void> {
    const ns = this.#ns;
    const world = this.#world;
    if (event.type === 'write') {
      return await this.#write(event.nth, event.value);
    }
    if (event.type === 'subscribe') {
      return await this.#subscribe(event.plan);
    }
    const id = this.#subscriptions[event.nth % this.#subscriptions.length];
    if (id === undefined) {
      return;
    }
    await this.#ask(async (living) => {
      const { subscriptions, activation } = living.process;
      switch (event.type) {
        case 'replace': {
          const { signature: _, ...input } = inputOf(event.plan);
          world.endpoints.set(id, endpointOf(event.plan.endpoint, this.#random));
          return await subscriptions.replace(ns, id, input, AUTHOR);
        }
        case 'rotate':
          return await subscriptions.rotateSecret(ns, id, { overlapSeconds: event.overlapSeconds }, AUTHOR);
        case 'pause':
          return await activation.pause(ns, id, AUTHOR);
        case 'resume':
          return await activation.resume(ns, id, AUTHOR);
        case 'remove':
          return await subscriptions.remove(ns, id, AUTHOR);
        case 'retry':
          return await this.#retry(living, id);
        case 'recover':
          return await this.#recover(id);
      }
    });
  }

  async #recover(id: string): Promise<void> {
    this.recovered.add(id);
    const since = new Date(this.#world.now - 6 * 60 * 60_000).toISOString();
    await this.#ask(({ process }) => process.repair.recover(this.#ns, id, since));
  }

  async #write(nth: number, value: number): Promise<void> {
    const key = WRITTEN[nth % WRITTEN.length] ?? '/app/dm';
    const scope = scopeOf(this.#ns, key);
    const written = await this.#ask(({ process }) =>
      process.records.commit<Json>(scope, {
        key,
        ...AUTHOR,
        decide: (current) =>
          value === 0 && current !== undefined
            ? { type: 'delete' }
            : { type: 'put', value: { n: value, other: this.#random() } },
      }),
    );
    if (written !== undefined) {
      this.acknowledged.push(`${scopeId(scope)}@${written.revision}`);
    }
  }

  async #subscribe(plan: SubscriptionPlan): Promise<void> {
    const created = await this.#ask(({ process }) =>
      process.subscriptions.create(this.#ns, inputOf(plan), AUTHOR),
    );
    if (created !== undefined) {
      this.#world.endpoints.set(created.id, endpointOf(plan.endpoint, this.#random));
      this.#subscriptions.push(created.id);
    }
  }

  async #retry({ process }: Living, id: string): Promise<void> {
    const { deliveries } = await process.storage.list(id, { limit: 5 });
    const delivery = deliveries[Math.floor(this.#random() * deliveries.length)];
    if (delivery !== undefined) {
      await process.repair.retry(this.#ns, id, delivery.id);
    }
  }
}

/** Whatever a process says to its client is as well, but for faults of this program. */
function isRefusal(error: unknown): boolean {
  return error instanceof SkerryError || error instanceof NoAnswer || error instanceof Crash;
}

function scopeOf(ns: string, key: string): Scope {
  const [, kind = '', name = ''] = key.split('/');
  return parseScopeId(kind === 'kv' ? `${ns}:kv:${name}` : `${ns}:app:`);
}
