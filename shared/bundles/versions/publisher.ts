import { isRefusal, unavailable } from '../../platform/errors.ts';
import { type Author, checkPrecondition, type Precondition } from '../../platform/http/index.ts';
import type { CommitSet, Decisions, Records, StoredRecord } from '../../records/index.ts';
import {
  type BundleValue,
  bundleKey,
  bundleScope,
  channelKey,
  type VersionValue,
  versionKey,
} from '../bundle.ts';
import { type ChannelValue, versionOfChannel } from '../channels/channel.ts';
import type { KnownVersions } from './known-versions.ts';
import { LATEST, versionNumberOf } from './reference.ts';
import { unknownVersion, type Version } from './version.ts';
import type { VersionFinder } from './version-finder.ts';
import type { VersionNotes } from './version-notes.ts';

/** What a version holds, and where that is stored. */
type VersionContent = Pick<VersionValue, 'digest' | 'blob' | 'files' | 'size' | 'archiveSize'>;

/** What is to become a version, and may not be in storage yet. */
export interface OfferedContent extends VersionContent {
  /** Puts it into storage; called once at the most, and only where a new version will come of it, as things stand. */
  store(): Promise<void>;
  /** Called when it is in storage, and no record will ever name it; never fails. */
  discard(): Promise<void>;
}

export interface PublishOptions {
  readonly author: Author;
  /** What is new. */
  readonly message?: string | undefined;
  /** Names by which the version is found. */
  readonly labels?: readonly string[] | undefined;
  /** No new version comes of content that equals that of this one either. */
  readonly ifChangedFrom?: string | undefined;
  /** On the newest version. */
  readonly precondition?: Precondition | undefined;
  /** What the content must come to. */
  readonly digest?: string | undefined;
  /** The ULID of the draft that is committed: it becomes one version, however often that is asked for. */
  readonly draft?: string | undefined;
  /** What another commit of the draft has found meanwhile, if that made no version. */
  readonly settled?: (() => Promise<Publication | undefined>) | undefined;
}

type CheckedOptions = PublishOptions & VersionNotes;

export interface Publication {
  readonly version: Version;
  /** Whether there is a version of that content already, which `version` is. */
  readonly unchanged: boolean;
}

/** How many versions others may publish before a transaction no longer sees the newest; twice as many in each further try. */
const FIRST_ROOM = 1;
const MAX_ROOM = 24;
/** If others are faster time and again, the caller had better wait. */
const MAX_TRIES = 12;

type Value = BundleValue | VersionValue | ChannelValue;
type Seen = ReadonlyMap<string, StoredRecord<Value>>;

/** Known before a transaction: it names the keys that the transaction looks at. */
interface Outlook {
  readonly latest: number;
  readonly newest: Version | undefined;
  /** What `ifChangedFrom` stands for. */
  readonly unlike: Version | undefined;
  readonly room: number;
}

type Outcome =
  | { readonly kind: 'new' | 'unchanged' | 'repeated'; readonly version: number }
  /** The newest version is beyond what the transaction looked at, or `ifChangedFrom` stands for something else by now. */
  | { readonly kind: 'moved' }
  | { readonly kind: 'not stored' };

interface Decided extends Decisions<Value> {
  readonly outcome: Outcome;
}

interface Attempt {
  readonly ns: string;
  readonly name: string;
  readonly content: VersionContent;
  readonly isStored: boolean;
  /** The version whose content it is. */
  readonly source: Version | undefined;
  readonly options: CheckedOptions;
}

/**
 * Makes content a version. One transaction looks at the newest version and writes the next one, with the head of the bundle: so numbers have
 * no gaps, a version is there as a whole or not at all, and refusals hold of the newest state. The content is in storage before.
 */
export class Publisher {
  readonly #records: Records;
  readonly #known: KnownVersions;
  readonly #finder: VersionFinder;

  constructor(records: Records, known: KnownVersions, finder: VersionFinder) {
    this.#records = records;
    this.#known = known;
    this.#finder = finder;
  }

  /**
   * Publishes what is offered.
   *
   * @throws SkerryError `precondition-failed`; `not-found` for `ifChangedFrom`; `unavailable`, after which it may stand or not.
   */
  async publish(
    ns: string,
    name: string,
    offer: OfferedContent,
    options: CheckedOptions,
  ): Promise<Publication> {
    const { store, discard, ...content } = offer;
    let isStored = false;
    try {
      const publication = await this.#publish({ ns, name, content, source: undefined, options }, async () => {
        await store();
        isStored = true;
      });
      if (isStored && publication.version.blob !== content.blob) await discard();
      return publication;
    } catch (error) {
      // Only a refusal proves that no record names it. What is in doubt may stand, and needs its content; cleanup finds it if it does not.
      if (isStored && isRefusal(error)) await discard();
      throw error;
    }
  }

  /**
   * Publishes the content of a version again, where it is stored already.
   *
   * @throws SkerryError as `publish` does; `not-found` when cleanup took the version away.
   */
  async republish(ns: string, name: string, source: Version, options: CheckedOptions): Promise<Publication> {
    const { digest, blob, files, size, archiveSize } = source;
    const content = { digest, blob, files, size, archiveSize };
    return await this.#publish({ ns, name, content, source, options }, () => Promise.resolve());
  }

  async #publish(request: Omit<Attempt, 'isStored'>, store: () => Promise<void>): Promise<Publication> {
    const { ns, name, options } = request;
    let isStored = false;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const outlook = await this.#look(request, Math.min(FIRST_ROOM * 2 ** tries, MAX_ROOM));
      // Now that the newest version is known, others of the draft are looked for up to there; the transaction sees those behind.
      const repeated =
        options.draft === undefined ? undefined : await this.#finder.committedBy(ns, name, options.draft);
      if (repeated !== undefined) return { version: repeated, unchanged: false };
      if (!isStored && isNew(request, outlook)) {
        await store();
        isStored = true;
      }
      const settled = await options.settled?.();
      if (settled !== undefined) return settled;
      const { outcome, version } = await this.#transact({ ...request, isStored }, outlook);
      if (version !== undefined) return { version, unchanged: outcome.kind === 'unchanged' };
    }
    throw unavailable('Too many others publish versions of this bundle.');
  }

  async #look({ ns, name, options }: Omit<Attempt, 'isStored'>, room: number): Promise<Outlook> {
    const { ifChangedFrom } = options;
    const [latest, unlike] = await Promise.all([
      this.#finder.latest(ns, name),
      ifChangedFrom === undefined ? undefined : this.#finder.find(ns, name, ifChangedFrom),
    ]);
    const newest = latest === 0 ? undefined : await this.#known.get(ns, name, latest);
    return { latest, newest, unlike, room };
  }

  async #transact(
    attempt: Attempt,
    outlook: Outlook,
  ): Promise<{ readonly outcome: Outcome; readonly version?: Version }> {
    const { ns, name, options } = attempt;
    const committed = await this.#records.transact<Value, Decided>(bundleScope(ns, name), {
      keys: keysOf(attempt, outlook),
      ...options.author,
      decide: (current) => decide(attempt, outlook, current),
    });
    const { outcome } = committed.decided;
    return 'version' in outcome
      ? { outcome, version: await this.#versionIn(committed, attempt, outcome.version) }
      : { outcome };
  }

  async #versionIn(
    { commits }: CommitSet<Value, Decided>,
    { ns, name }: Attempt,
    version: number,
  ): Promise<Version> {
    const record = commits.get(versionKey(name, version))?.record;
    const found =
      record === undefined
        ? await this.#known.get(ns, name, version)
        : this.#known.remember(ns, name, record as StoredRecord<VersionValue>);
    if (found === undefined) throw unknownVersion(ns, name, String(version));
    return found;
  }
}

function keysOf({ name, source, options }: Attempt, { latest, room, unlike }: Outlook): string[] {
  const versions = Array.from({ length: room + 1 }, (_, index) => latest + index).filter((one) => one > 0);
  const { ifChangedFrom } = options;
  const keys = [
    bundleKey(name),
    ...versions.map((version) => versionKey(name, version)),
    ...[source, unlike].flatMap((version) => (version ? [versionKey(name, version.version)] : [])),
    ...(ifChangedFrom !== undefined && isName(ifChangedFrom) ? [channelKey(name, ifChangedFrom)] : []),
  ];
  return [...new Set(keys)];
}

function decide(attempt: Attempt, outlook: Outlook, current: Seen): Decided {
  const { ns, name, source, options, isStored } = attempt;
  const head = valueIn<BundleValue>(current, bundleKey(name));
  const latest = head?.latest ?? 0;
  const later = versionsBehind(attempt, outlook, current);
  const repeated = later.find(({ value }) => options.draft !== undefined && value.draft === options.draft);
  if (repeated !== undefined) return keep({ kind: 'repeated', version: repeated.value.version });
  if (latest >= outlook.latest + outlook.room || !isStillMeant(attempt, outlook, current, later)) {
    return keep({ kind: 'moved' });
  }
  const gone = [source, outlook.unlike].find(
    (version) => version && isGone(valueIn<VersionValue>(current, versionKey(name, version.version))),
  );
  if (gone !== undefined) throw unknownVersion(ns, name, String(gone.version));
  const newest = current.get(versionKey(name, latest)) as StoredRecord<VersionValue> | undefined;
  checkPrecondition(options.precondition, newest);
  const same = sameContent(attempt, newest?.value, outlook.unlike);
  if (same !== undefined) return keep({ kind: 'unchanged', version: same.version });
  if (!isStored && source === undefined) return keep({ kind: 'not stored' });
  const value = nextVersion(attempt, latest + 1);
  return {
    outcome: { kind: 'new', version: value.version },
    writes: [
      { key: versionKey(name, value.version), decision: { type: 'put', value } },
      { key: bundleKey(name), decision: { type: 'put', value: { ...head, latest: value.version } } },
    ],
  };
}

function keep(outcome: Outcome): Decided {
  return { outcome, writes: [] };
}

function nextVersion({ content, source, options }: Attempt, version: number): VersionValue {
  return {
    version,
    ...content,
    author: options.author.actor,
    message: options.message,
    labels: options.labels,
    ...(options.draft !== undefined && { draft: options.draft }),
    ...(source !== undefined && { rollbackOf: source.version }),
  };
}

/** Whether it makes a new version as things were a moment ago; if not, it need not be stored to find out. */
function isNew(request: Omit<Attempt, 'isStored'>, { newest, unlike }: Outlook): boolean {
  try {
    checkPrecondition(request.options.precondition, newest);
  } catch {
    return false;
  }
  return sameContent(request, newest, unlike) === undefined;
}

function sameContent<Candidate extends VersionValue>(
  { content }: Omit<Attempt, 'isStored'>,
  ...candidates: readonly (Candidate | undefined)[]
): Candidate | undefined {
  return candidates.find((candidate) => candidate?.digest === content.digest);
}

/** Versions of the transaction that were published after the outlook. */
function versionsBehind(
  { name }: Attempt,
  { latest, room }: Outlook,
  current: Seen,
): readonly StoredRecord<VersionValue>[] {
  return Array.from({ length: room }, (_, index) => current.get(versionKey(name, latest + 1 + index))).filter(
    (record) => record !== undefined,
  ) as StoredRecord<VersionValue>[];
}

/** Whether the name in `ifChangedFrom` still stands for the version that it stood for. */
function isStillMeant(
  { name, options: { ifChangedFrom } }: Attempt,
  { unlike }: Outlook,
  current: Seen,
  later: readonly StoredRecord<VersionValue>[],
): boolean {
  if (ifChangedFrom === undefined || !isName(ifChangedFrom)) return true;
  const channel = valueIn<ChannelValue>(current, channelKey(name, ifChangedFrom));
  return channel === undefined
    ? !later.some(({ value }) => value.labels.includes(ifChangedFrom))
    : versionOfChannel(channel, undefined) === unlike?.version;
}

function isName(reference: string): boolean {
  return reference !== LATEST && versionNumberOf(reference) === undefined;
}

function isGone(version: VersionValue | undefined): boolean {
  return version === undefined || version.removedAt !== undefined;
}

function valueIn<Kind extends Value>(current: Seen, key: string): Kind | undefined {
  return current.get(key)?.value as Kind | undefined;
}
