import type { ContainerClient } from '@azure/storage-blob';
import { type Clock, toTimestamp } from '../../platform/clock.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import { type Decisions, isUnder, type Records, type Scope, type StoredRecord } from '../../records/index.ts';
import {
  type BundleValue,
  bundleKey,
  channelsPrefix,
  consumersPrefix,
  type RetentionRule,
  type VersionValue,
  versionsPrefix,
} from '../bundle.ts';
import type { ChannelValue } from '../channels/channel.ts';
import type { ConsumerValue } from '../channels/consumers.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import { deleteBlob } from '../storage/delete-blob.ts';
import { READING_MILLISECONDS, type VersionUses } from '../versions/version-uses.ts';
import { isKept } from './is-kept.ts';

/** Versions that one transaction takes away: their values, with long messages, and the channels fit into a batch. */
const MARKS_AT_ONCE = 20;
const DELETIONS_AT_ONCE = 40;
const VERSIONS_AT_ONCE = 4;
/** More channels than a bundle has, so that a decision knows that it saw all. */
const CHANNELS_SEEN = 2 * BUNDLE_LIMITS.channels;

const AUTHOR = { actor: 'system:cleanup' };

type VersionRecord = StoredRecord<VersionValue>;
type Value = BundleValue | VersionValue | ChannelValue;
type Current = ReadonlyMap<string, StoredRecord<Value>>;

export interface VersionRemovalOptions {
  readonly records: Records;
  readonly uses: VersionUses;
  readonly clock: Clock;
  /** What holds for bundles that say nothing themselves. */
  readonly rule: RetentionRule;
}

/**
 * How old versions of a bundle end, in three steps, after each of which a process may die and another one goes on:
 *
 * 1. The record is marked `removedAt`, decided on the newest channels: from then on nobody finds the version, but for those who
 *    are reading it (version-uses.ts), and nobody can put a channel on it or publish its content again.
 * 2. An hour later, and when nobody has read it for a day and a half, its blobs are deleted, unless another version has the same. Storage
 *    may refuse: then the next run tries again.
 * 3. When they are gone the record is deleted.
 */
export class VersionRemoval {
  readonly #options: VersionRemovalOptions;

  constructor(options: VersionRemovalOptions) {
    this.#options = options;
  }

  /** All versions of a bundle, those that were taken away too, the oldest first. */
  async versionsOf(scope: Scope): Promise<readonly VersionRecord[]> {
    const prefix = versionsPrefix(scope.name);
    return (await this.#options.records.listAll<VersionValue>(scope, { prefix })).records;
  }

  /** Takes away from readers what the rule of the bundle does not keep; answers how many versions those were. */
  async takeAway(scope: Scope, versions: readonly VersionRecord[], isOver: () => boolean): Promise<number> {
    const found = versions.filter(({ value }) => value.removedAt === undefined);
    const newerThan = new Map(found.map(({ key }, index) => [key, found.length - 1 - index]));
    const head = await this.#options.records.get<BundleValue>(scope, bundleKey(scope.name));
    const facts = (record: VersionRecord) => ({
      version: record.value.version,
      newer: newerThan.get(record.key) ?? 0,
      age: this.#options.clock.now() - Date.parse(record.createdAt),
    });
    const old = found.filter((record) => !isKept(facts(record), this.#ruleOf(head?.value), new Set()));
    if (old.length === 0) return 0;
    const pinned = await this.#pinnedByReaders(scope);
    let count = 0;
    for (const batch of batches(old, MARKS_AT_ONCE)) {
      if (isOver()) break;
      const { decided } = await this.#options.records.transact<Value>(scope, {
        keys: [bundleKey(scope.name), ...batch.map(({ key }) => key)],
        range: { prefix: channelsPrefix(scope.name), limit: CHANNELS_SEEN },
        ...AUTHOR,
        decide: (current) => {
          const { rule, inChannels } = this.#seenIn(scope, current);
          const all = new Set([...pinned, ...inChannels]);
          return this.#mark(
            batch.filter((record) => !isKept(facts(record), rule, all)),
            current,
          );
        },
      });
      count += decided.writes.length;
    }
    return count;
  }

  /**
   * Deletes what has been taken away for long enough: first the content, then the record.
   *
   * @returns how many versions are gone, and how many storage keeps for now.
   */
  async deleteRemoved(
    scope: Scope,
    versions: readonly VersionRecord[],
    { container, isOver }: { readonly container: ContainerClient; readonly isOver: () => boolean },
  ): Promise<{ readonly deleted: number; readonly retained: number }> {
    const due = await this.#dueOf(scope, versions);
    const ending = new Set(due);
    const stillNamed = new Set(versions.filter((one) => !ending.has(one)).map(({ value }) => value.blob));
    const outcomes = await mapConcurrently(due, VERSIONS_AT_ONCE, async ({ value: { blob } }) => {
      if (isOver()) return 'postponed';
      return stillNamed.has(blob) ? 'gone' : await deleteArchive(container, scope, blob);
    });
    const gone = due.filter((_, index) => outcomes[index] === 'gone');
    for (const batch of batches(gone, DELETIONS_AT_ONCE)) {
      await this.#deleteRecords(
        scope,
        batch.map(({ key }) => key),
      );
    }
    return { deleted: gone.length, retained: outcomes.filter((outcome) => outcome === 'retained').length };
  }

  async #dueOf(scope: Scope, versions: readonly VersionRecord[]): Promise<readonly VersionRecord[]> {
    const latest = this.#options.clock.now() - READING_MILLISECONDS;
    const due = versions.filter(
      ({ value: { removedAt } }) => removedAt !== undefined && Date.parse(removedAt) <= latest,
    );
    if (due.length === 0) return [];
    const used = await this.#options.uses.usedKeys(scope);
    return due.filter(({ key }) => !used.has(key));
  }

  async #deleteRecords(scope: Scope, keys: readonly string[]): Promise<void> {
    await this.#options.records.transact<VersionValue>(scope, {
      keys,
      ...AUTHOR,
      decide: (current) => ({
        writes: keys.filter((key) => current.has(key)).map((key) => ({ key, decision: { type: 'delete' } })),
      }),
    });
  }

  #mark(batch: readonly VersionRecord[], current: Current): Decisions<Value> {
    const removedAt = toTimestamp(this.#options.clock.now());
    return {
      writes: batch.flatMap(({ key }) => {
        const value = current.get(key)?.value as VersionValue | undefined;
        return value === undefined || value.removedAt !== undefined
          ? []
          : [{ key, decision: { type: 'put', value: { ...value, removedAt } } }];
      }),
    };
  }

  /** What a decision goes by; where there may be more channels than it saw, it keeps everything. */
  #seenIn(scope: Scope, current: Current) {
    const head = current.get(bundleKey(scope.name))?.value as BundleValue | undefined;
    const channels = [...current.values()].filter(({ key }) => isUnder(channelsPrefix(scope.name), key));
    const { versions, days } = this.#ruleOf(head);
    return {
      rule: { versions: channels.length < CHANNELS_SEEN ? versions : Number.POSITIVE_INFINITY, days },
      inChannels: channels.flatMap(({ value }) => versionsIn(value as ChannelValue)),
    };
  }

  #ruleOf(head: BundleValue | undefined): RetentionRule {
    return head?.retention ?? this.#options.rule;
  }

  /**
   * Versions that consumers run, or that somebody reads. Not part of the decision: who acknowledges a version has read it, and the use is there
   * before.
   */
  async #pinnedByReaders(scope: Scope): Promise<readonly number[]> {
    const [consumers, used] = await Promise.all([
      this.#options.records.listAll<ConsumerValue>(scope, { prefix: consumersPrefix(scope.name) }),
      this.#options.uses.usedKeys(scope),
    ]);
    return [
      ...consumers.records.flatMap(({ value }) => value.version ?? []),
      ...[...used].map((key) => Number(key.slice(versionsPrefix(scope.name).length))),
    ];
  }
}

function versionsIn({ version, previous, rollout }: ChannelValue): number[] {
  return [version, previous, rollout?.version].filter((one) => one !== undefined);
}

async function deleteArchive(
  container: ContainerClient,
  { ns, name }: Scope,
  blob: string,
): Promise<'gone' | 'retained'> {
  const outcomes = await Promise.all(
    ['zip', 'json'].map((form) => deleteBlob(container.getBlobClient(`${ns}/${name}/${blob}.${form}`))),
  );
  return outcomes.includes('retained') ? 'retained' : 'gone';
}

function batches<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
