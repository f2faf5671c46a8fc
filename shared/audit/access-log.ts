import { type Clock, toTimestamp } from '../platform/clock.ts';
import { type AccessObserver, type Caller, textOfKeys, type Verb } from '../platform/http/index.ts';
import { withoutSecrets } from '../platform/telemetry/index.ts';
import type { Records, Scope } from '../records/index.ts';

/** Of all namespaces; apart from roles and tokens, which every process follows. */
export const ACCESS_LOG_SCOPE: Scope = { ns: 'default', kind: 'audit', name: '' };
export const ACCESS_LOG = '/audit';
export const REFUSALS = `${ACCESS_LOG}/denials`;
export const REVEALS = `${ACCESS_LOG}/reveals`;

/** How long, in milliseconds, refusals are gathered before they are written, and how far writes are apart at least. */
const GATHERING_TIME = 1_000;
const SHORTEST_PAUSE = 10_000;
/** What is told apart in one write; of the rest only the number is kept, so that no flood makes it larger. */
const MAX_KINDS = 100;
/** What is kept of what a caller may choose, so that all kinds together fit into a record: characters, and bytes as JSON. */
const MAX_CHARACTERS = 500;
const MAX_BYTES = 1_000;
const AUTHOR = { actor: 'system:audit' };

/** `unlisted`: refusals of more kinds than are told apart. */
export const ACCESS_KINDS = ['denial', 'sign-in-failure', 'unlisted', 'reveal'] as const;

/** Somebody was denied something, could not sign in, or was shown secrets in clear; equal refusals within a few seconds are one. */
export interface AccessEntry {
  readonly kind: (typeof ACCESS_KINDS)[number];
  /** Who was denied something, or shown it. */
  readonly actor?: string;
  /** Where the last of the requests came from. */
  readonly address?: string;
  /** The name of the endpoint. */
  readonly endpoint?: string;
  /** What was denied, or done; of a sign-in that failed, nothing is known. */
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
export interface WrittenEntries {
  readonly entries: readonly AccessEntry[];
}

type Seen = Omit<AccessEntry, 'count' | 'firstAt' | 'lastAt'>;

/** What somebody is about to be shown. */
export interface Reveal {
  readonly caller: Caller;
  readonly clientAddress: string | undefined;
  /** The name of the endpoint. */
  readonly endpoint: string;
  readonly ns: string;
  readonly key: string;
}

export interface AccessLogOptions {
  readonly records: Pick<Records, 'commit'>;
  readonly clock: Pick<Clock, 'now'>;
  /** Has something done later, without keeping the process from ending. */
  readonly later?: (milliseconds: number, action: () => void) => void;
}

/**
 * Writes down who was refused what, at most once in ten seconds while there is something to write, and who was shown secrets, before they are.
 * Nothing that a caller shows to prove who they are is ever seen here.
 */
export class AccessLog implements AccessObserver {
  readonly #options: AccessLogOptions;
  readonly #later: (milliseconds: number, action: () => void) => void;
  #gathered = new Map<string, AccessEntry>();
  #isWaiting = false;
  /** When the last write of refusals began, in milliseconds since the Unix epoch. */
  #writtenAt = Number.NEGATIVE_INFINITY;

  constructor(options: AccessLogOptions) {
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

  /**
   * Writes down that somebody is shown secrets. They may be shown once this returns, and not if it throws: nobody is to see any without a trace.
   *
   * @throws SkerryError `unavailable` when the database does not answer.
   */
  async revealed({ caller, clientAddress, endpoint, ns, key }: Reveal): Promise<void> {
    const address = clientAddress === undefined ? {} : { address: short(clientAddress) };
    const actor = short(caller.maker.actor);
    await this.#write(REVEALS, [
      this.#once({ kind: 'reveal', actor, ...address, endpoint, verb: 'reveal', ns, key }),
    ]);
  }

  /** Writes the refusals that there are. What could not be written waits for the next time, as far as there is room. */
  async flush(): Promise<void> {
    const entries = [...this.#gathered.values()];
    if (entries.length === 0) {
      return;
    }
    this.#gathered = new Map();
    this.#writtenAt = this.#options.clock.now();
    try {
      await this.#write(REFUSALS, entries);
    } catch {
      for (const entry of entries) this.#add(entry);
      this.#wait();
    }
  }

  async #write(key: string, entries: readonly AccessEntry[]): Promise<void> {
    await this.#options.records.commit<WrittenEntries>(ACCESS_LOG_SCOPE, {
      key,
      ...AUTHOR,
      decide: () => ({ type: 'put', value: { entries } }),
    });
  }

  #once(seen: Seen): AccessEntry {
    const now = toTimestamp(this.#options.clock.now());
    return { ...seen, count: 1, firstAt: now, lastAt: now };
  }

  #note(seen: Seen): void {
    this.#add(this.#once(seen));
    this.#wait();
  }

  #add(refusal: AccessEntry): void {
    const name = nameOf(refusal);
    const isUnlisted =
      !this.#gathered.has(name) && this.#gathered.size >= MAX_KINDS && refusal.kind !== 'unlisted';
    if (isUnlisted) {
      const { count, firstAt, lastAt } = refusal;
      this.#add({ kind: 'unlisted', count, firstAt, lastAt });
      return;
    }
    const known = this.#gathered.get(name);
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

/** Equal for refusals that are counted together. */
function nameOf({ kind, actor, address, endpoint, verb, ns, key, isFaulty }: AccessEntry): string {
  return JSON.stringify([kind, actor ?? address, endpoint, verb, ns, key, isFaulty]);
}

/** Without what somebody put into the wrong place; characters that JSON escapes take up to six bytes. */
function short(text: string): string {
  let cut = withoutSecrets(text).slice(0, MAX_CHARACTERS).toWellFormed();
  while (Buffer.byteLength(JSON.stringify(cut)) > MAX_BYTES) {
    cut = cut.slice(0, Math.floor(cut.length / 2)).toWellFormed();
  }
  return cut;
}
