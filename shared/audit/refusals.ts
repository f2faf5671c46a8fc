import { ACCESS_SCOPE } from '../access/index.ts';
import { type Clock, toTimestamp } from '../platform/clock.ts';
import { type AccessObserver, textOfKeys, type Verb } from '../platform/http/index.ts';
import type { Records } from '../records/index.ts';

/** Those of all namespaces are kept beside roles and tokens, for the same eyes. */
export const REFUSALS_SCOPE = ACCESS_SCOPE;
export const REFUSALS_KEY = '/access/denials';

/** How long, in milliseconds, refusals are gathered before they are written, and how far writes are apart at least. */
const GATHERING_TIME = 1_000;
const SHORTEST_PAUSE = 10_000;
/** What is told apart in one write; of the rest only the number is kept, so that no flood makes it larger. */
const MAX_KINDS = 100;
/** Characters that are kept of what a caller may choose. */
const MAX_CHARACTERS = 500;
const AUTHOR = { actor: 'system:audit' };

/** Equal refusals within a few seconds. */
export interface Refusal {
  readonly kind: 'denial' | 'sign-in-failure';
  /** Who was denied something. */
  readonly actor?: string;
  /** Where the last of the requests came from. */
  readonly address?: string;
  /** The name of the endpoint. */
  readonly endpoint: string;
  /** What was denied; of a sign-in that failed, nothing is known. */
  readonly verb?: Verb;
  readonly ns?: string;
  /** As `textOfKeys` has it. */
  readonly key?: string;
  /** Whether credentials came that were not accepted; else none came. */
  readonly isFaulty?: boolean;
  readonly count: number;
  readonly firstAt: string;
  readonly lastAt: string;
}

/** What is written of them: the newest, whose changes are the history. */
export interface Refusals {
  readonly entries: readonly Refusal[];
  /** How many more there were, of further kinds. */
  readonly uncounted: number;
}

type Seen = Omit<Refusal, 'count' | 'firstAt' | 'lastAt'>;

export interface RefusalLogOptions {
  readonly records: Pick<Records, 'commit'>;
  readonly clock: Pick<Clock, 'now'>;
  /** Has something done later, without keeping the process from ending. */
  readonly later?: (milliseconds: number, action: () => void) => void;
}

/**
 * Writes down who was refused what: at most once in ten seconds, while there is something to write. Nothing that a caller shows to
 * prove who they are is ever seen here.
 */
export class RefusalLog implements AccessObserver {
  readonly #options: RefusalLogOptions;
  readonly #later: (milliseconds: number, action: () => void) => void;
  #gathered = new Map<string, Refusal>();
  #uncounted = 0;
  #isWaiting = false;
  /** When the last write began, in milliseconds since the Unix epoch. */
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(options: RefusalLogOptions) {
    this.#options = options;
    this.#later = options.later ?? ((milliseconds, action) => void setTimeout(action, milliseconds).unref());
  }

  denied({ caller, clientAddress, endpoint, verb, ns, keys }: Parameters<AccessObserver['denied']>[0]): void {
    this.#note({
      kind: 'denial',
      actor: short(caller.maker.actor),
      ...(clientAddress !== undefined && { address: short(clientAddress) }),
      endpoint,
      verb,
      ns,
      key: short(textOfKeys(keys)),
    });
  }

  signInFailed({ clientAddress, endpoint, isFaulty }: Parameters<AccessObserver['signInFailed']>[0]): void {
    this.#note({
      kind: 'sign-in-failure',
      ...(clientAddress !== undefined && { address: short(clientAddress) }),
      endpoint,
      isFaulty,
    });
  }

  /** Writes what there is. What could not be written waits for the next time, as far as there is room. */
  async flush(): Promise<void> {
    const entries = [...this.#gathered.values()];
    const uncounted = this.#uncounted;
    if (entries.length === 0) {
      return;
    }
    this.#gathered = new Map();
    this.#uncounted = 0;
    this.#writtenAt = this.#options.clock.now();
    try {
      await this.#options.records.commit<Refusals>(REFUSALS_SCOPE, {
        key: REFUSALS_KEY,
        ...AUTHOR,
        decide: () => ({ type: 'put', value: { entries, uncounted } }),
      });
    } catch {
      this.#uncounted += uncounted;
      for (const entry of entries) this.#add(entry);
      this.#wait();
    }
  }

  #note(seen: Seen): void {
    const now = toTimestamp(this.#options.clock.now());
    this.#add({ ...seen, count: 1, firstAt: now, lastAt: now });
    this.#wait();
  }

  #add(refusal: Refusal): void {
    const { kind, actor, address, endpoint, verb, ns, key, isFaulty } = refusal;
    const name = JSON.stringify([kind, actor ?? address, endpoint, verb, ns, key, isFaulty]);
    const known = this.#gathered.get(name);
    if (known === undefined && this.#gathered.size === MAX_KINDS) {
      this.#uncounted += refusal.count;
      return;
    }
    const [earlier, later] =
      known === undefined || known.firstAt > refusal.firstAt ? [refusal, known ?? refusal] : [known, refusal];
    const count = refusal.count + (known?.count ?? 0);
    this.#gathered.set(name, { ...later, count, firstAt: earlier.firstAt });
  }

  #wait(): void {
    if (this.#isWaiting) {
      return;
    }
    this.#isWaiting = true;
    const rest = this.#writtenAt + SHORTEST_PAUSE - this.#options.clock.now();
    this.#later(Math.min(Math.max(GATHERING_TIME, rest), SHORTEST_PAUSE), () => {
      this.#isWaiting = false;
      void this.flush();
    });
  }
}

function short(text: string): string {
  return text.slice(0, MAX_CHARACTERS);
}
