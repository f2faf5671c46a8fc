import { timeOfUlid } from '../../platform/ulid.ts';
import type { Records } from '../../records/index.ts';
import {
  type BundleValue,
  bundleKey,
  bundleScope,
  channelKey,
  type VersionValue,
  versionsPrefix,
} from '../bundle.ts';
import { type ChannelValue, versionOfChannel } from '../channels/channel.ts';
import type { KnownVersions } from './known-versions.ts';
import { LATEST, versionNumberOf } from './reference.ts';
import { unknownBundle, unknownVersion, type Version } from './version.ts';
import type { VersionUses } from './version-uses.ts';

/** How far the clocks of those who make drafts and versions may be apart. */
const CLOCK_SKEW_MILLISECONDS = 60_000;
/** Versions that are looked through at a time. */
const PAGE = 100;

/** Finds the version that something stands for. */
export class VersionFinder {
  readonly #records: Records;
  readonly #known: KnownVersions;
  readonly #uses: VersionUses;

  constructor(records: Records, known: KnownVersions, uses: VersionUses) {
    this.#records = records;
    this.#known = known;
    this.#uses = uses;
  }

  /**
   * The version that a number, `latest`, a channel (for a consumer, if one is named) or a label stands for, in this order. One that
   * cleanup took away is still found as long as somebody reads it.
   *
   * @throws SkerryError `not-found`.
   */
  async find(ns: string, name: string, reference: string, consumer?: string): Promise<Version> {
    const version = await this.#find(ns, name, reference, consumer);
    if (version === undefined || (await this.#isTakenAway(ns, name, version))) {
      throw (await this.latest(ns, name)) === 0
        ? unknownBundle(ns, name)
        : unknownVersion(ns, name, reference);
    }
    return version;
  }

  /** The number of the newest version; 0 before the first. */
  async latest(ns: string, name: string): Promise<number> {
    const head = await this.#records.get<BundleValue>(bundleScope(ns, name), bundleKey(name));
    return head?.value.latest ?? 0;
  }

  /**
   * The version that a draft became; undefined where it became none.
   *
   * @param draft its ULID, by whose time it is known which versions are too old.
   */
  async committedBy(ns: string, name: string, draft: string): Promise<Version | undefined> {
    const since = (timeOfUlid(draft) ?? 0) - CLOCK_SKEW_MILLISECONDS;
    for await (const version of this.#newestFirst(ns, name)) {
      if (version.draft === draft) return version;
      if (Date.parse(version.createdAt) < since) return undefined;
    }
    return undefined;
  }

  async #isTakenAway(ns: string, name: string, { version, removedAt }: Version): Promise<boolean> {
    return removedAt !== undefined && !(await this.#uses.isUsed(ns, name, version));
  }

  async #find(ns: string, name: string, reference: string, consumer: string | undefined) {
    const number =
      versionNumberOf(reference) ??
      (reference === LATEST
        ? await this.latest(ns, name)
        : await this.#byChannel(ns, name, reference, consumer));
    if (number === undefined) {
      return await this.#byLabel(ns, name, reference);
    }
    return number === 0 ? undefined : await this.#known.get(ns, name, number);
  }

  async #byChannel(
    ns: string,
    name: string,
    channel: string,
    consumer: string | undefined,
  ): Promise<number | undefined> {
    const key = channelKey(name, channel);
    const record = await this.#records.get<ChannelValue>(bundleScope(ns, name), key);
    return record && versionOfChannel(record.value, consumer);
  }

  async #byLabel(ns: string, name: string, label: string): Promise<Version | undefined> {
    for await (const version of this.#newestFirst(ns, name)) {
      if (version.removedAt === undefined && version.labels.includes(label)) return version;
    }
    return undefined;
  }

  async *#newestFirst(ns: string, name: string): AsyncGenerator<Version> {
    const request = { prefix: versionsPrefix(name), order: 'descending', limit: PAGE } as const;
    let after: string | undefined;
    do {
      const { records, next } = await this.#records.list<VersionValue>(bundleScope(ns, name), {
        ...request,
        after,
      });
      for (const record of records) yield this.#known.remember(ns, name, record);
      after = next;
    } while (after !== undefined);
  }
}
