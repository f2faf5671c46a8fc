import type { BlobServiceClient, ContainerClient } from '@azure/storage-blob';
import type { Clock } from '../../platform/clock.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import { timeOfUlid } from '../../platform/ulid.ts';
import type { Records, Scope } from '../../records/index.ts';
import { bundleScope, channelsPrefix, type RetentionRule } from '../bundle.ts';
import type { ChannelValue } from '../channels/channel.ts';
import type { RolloutAlarms } from '../channels/rollout-alarms.ts';
import { deleteBlob } from '../storage/delete-blob.ts';
import type { VersionUses } from '../versions/version-uses.ts';
import { type Folder, FolderWalk } from './folder-walk.ts';
import { VersionRemoval } from './version-removal.ts';

/** How long, in milliseconds, a run looks at drafts, and then at bundles; together less than the five minutes that a function may take. */
const TIME_FOR_DRAFTS = 60_000;
const TIME_FOR_BUNDLES = 150_000;
const HOUR = 3_600_000;
/** How old, in milliseconds, an archive without a version has to be: whoever uploaded it, which takes minutes, never published it. */
const ARCHIVE_ABANDONED_AFTER = 24 * HOUR;
/** How old, in milliseconds, a draft has to be: it ends after a day, and a commit that began before is over by then. */
const DRAFT_ABANDONED_AFTER = 25 * HOUR;
/** As many blobs as the service lists at a time. */
const PAGE_SIZE = 5_000;
const DELETIONS_AT_ONCE = 8;
/** How old, in seconds, what is known of channels may be: no older than the versions that were read just before, so that it costs nothing. */
const CHANNELS_AGE = 60;
/** A draft is there as long as this is. */
const DRAFT_HEAD = 'draft.json';
const ARCHIVE = /^(?<blob>[^/]+)\.(zip|json)$/;

/** What a run did. */
export interface CleanupSummary {
  /** Versions that readers find no more. */
  removed: number;
  /** Versions that are gone with their content. */
  deleted: number;
  /** Versions, and blobs that no version names, that storage does not let go of yet. */
  retained: number;
  /** Blobs that no version names, of uploads that were never published. */
  orphans: number;
  drafts: number;
  /** Rollouts that were overdue, so that their alarms were raised again. */
  overdue: number;
  /** Whether something is left to the next run for want of time. */
  isCutOff: boolean;
  /** Folders that the run could not finish: `ns/bundle`, or of a draft `ns/bundle/draft`. */
  failed: { folder: string; error: unknown }[];
}

export interface BundleCleanupOptions {
  readonly records: Records;
  readonly uses: VersionUses;
  readonly alarms: Pick<RolloutAlarms, 'raiseOverdue'>;
  readonly blob: () => Promise<BlobServiceClient>;
  readonly clock: Clock;
  /** What holds for bundles that say nothing themselves. */
  readonly rule: RetentionRule;
}

/**
 * Takes away what nobody uses: old versions, archives that never became one, and drafts that were abandoned; and wakes rollouts whose alarm
 * was lost. What there is it finds in
 * storage, 5,000 blobs a request: every bundle has the blobs of its newest version. Any number of runs may be under way at once, and each goes on
 * where another was cut off.
 */
export class BundleCleanup {
  readonly #options: BundleCleanupOptions;
  readonly #versions: VersionRemoval;
  readonly #bundleWalk: FolderWalk;
  readonly #draftWalk: FolderWalk;

  constructor(options: BundleCleanupOptions) {
    this.#options = options;
    this.#versions = new VersionRemoval(options);
    this.#bundleWalk = new FolderWalk(() => this.#container('bundles'), { depth: 2, pageSize: PAGE_SIZE });
    this.#draftWalk = new FolderWalk(() => this.#container('drafts'), { depth: 3, pageSize: PAGE_SIZE });
  }

  /** @throws SkerryError `unavailable` when storage cannot be listed. */
  async run(): Promise<CleanupSummary> {
    const summary: CleanupSummary = {
      removed: 0,
      deleted: 0,
      retained: 0,
      orphans: 0,
      drafts: 0,
      overdue: 0,
      isCutOff: false,
      failed: [],
    };
    await this.#walk(this.#draftWalk, TIME_FOR_DRAFTS, summary, async (folder, isOver) => {
      await this.#cleanDraft(folder, summary, isOver);
    });
    await this.#walk(this.#bundleWalk, TIME_FOR_BUNDLES, summary, async (folder, isOver) => {
      await this.#cleanBundle(folder, summary, isOver);
    });
    return summary;
  }

  async #walk(
    walk: FolderWalk,
    milliseconds: number,
    summary: CleanupSummary,
    clean: (folder: Folder, isOver: () => boolean) => Promise<void>,
  ): Promise<void> {
    const deadline = this.#options.clock.now() + milliseconds;
    const isOver = () => this.#options.clock.now() >= deadline;
    const isComplete = await walk.walk(async (folder) => {
      try {
        await clean(folder, isOver);
      } catch (error) {
        summary.failed.push({ folder: folder.path.join('/'), error });
      }
    }, isOver);
    summary.isCutOff ||= !isComplete;
  }

  async #cleanBundle({ path, blobs }: Folder, summary: CleanupSummary, isOver: () => boolean): Promise<void> {
    const [ns = '', name = ''] = path;
    const scope = bundleScope(ns, name);
    const container = await this.#container('bundles');
    // Read after the blobs were listed: what became of an upload by then is known.
    const versions = await this.#versions.versionsOf(scope);
    summary.overdue += await this.#raiseOverdue(scope);
    const { deleted, retained } = await this.#versions.deleteRemoved(scope, versions, { container, isOver });
    summary.deleted += deleted;
    summary.retained += retained;
    const removed = await this.#versions.takeAway(scope, versions, isOver);
    summary.removed += removed;

    const named = new Set(versions.map(({ value }) => value.blob));
    const orphans = blobs.filter((blob) => {
      const archive = ARCHIVE.exec(blob)?.groups?.blob ?? '';
      return !named.has(archive) && this.#isOlderThan(ARCHIVE_ABANDONED_AFTER, archive);
    });
    const outcomes = await this.#delete(container, path, orphans, isOver);
    summary.orphans += outcomes.filter((outcome) => outcome === 'gone').length;
    summary.retained += outcomes.filter((outcome) => outcome === 'retained').length;
  }

  async #raiseOverdue(scope: Scope): Promise<number> {
    const { records, alarms } = this.#options;
    const page = { prefix: channelsPrefix(scope.name), maxAgeSeconds: CHANNELS_AGE };
    return await alarms.raiseOverdue(scope, (await records.list<ChannelValue>(scope, page)).records);
  }

  async #cleanDraft({ path, blobs }: Folder, summary: CleanupSummary, isOver: () => boolean): Promise<void> {
    const [, , draft = ''] = path;
    if (!this.#isOlderThan(DRAFT_ABANDONED_AFTER, draft)) return;
    const container = await this.#container('drafts');
    const [head, rest] = [
      blobs.filter((blob) => blob === DRAFT_HEAD),
      blobs.filter((blob) => blob !== DRAFT_HEAD),
    ];
    await this.#delete(container, path, head, isOver);
    await this.#delete(container, path, rest, isOver);
    summary.drafts += head.length;
  }

  async #delete(
    container: ContainerClient,
    path: readonly string[],
    blobs: readonly string[],
    isOver: () => boolean,
  ): Promise<('gone' | 'retained' | 'postponed')[]> {
    return await mapConcurrently(blobs, DELETIONS_AT_ONCE, async (blob) =>
      isOver() ? 'postponed' : await deleteBlob(container.getBlobClient([...path, blob].join('/'))),
    );
  }

  /** Never so for what is no ULID. */
  #isOlderThan(milliseconds: number, ulid: string): boolean {
    const madeAt = timeOfUlid(ulid);
    return madeAt !== undefined && madeAt < this.#options.clock.now() - milliseconds;
  }

  async #container(name: 'bundles' | 'drafts'): Promise<ContainerClient> {
    return (await this.#options.blob()).getContainerClient(name);
  }
}
