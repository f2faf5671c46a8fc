import type { Clock } from '../../platform/clock.ts';
import { tooLarge, unprocessable } from '../../platform/errors.ts';
import { canonicalPath } from '../../platform/http/index.ts';
import type { Records } from '../../records/index.ts';
import type { ArchiveSink, BundleInput, RandomAccess } from '../content/bundle-input.ts';
import { normalizePath } from '../content/bundle-path.ts';
import { comparePaths, type Manifest, type ManifestFile } from '../content/manifest.ts';
import { unpackFile } from '../content/unpack-file.ts';
import { writeZip } from '../content/write-zip.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import type { ArchiveStore } from '../storage/archive-store.ts';
import { KnownVersions } from './known-versions.ts';
import { type Publication, Publisher, type PublishOptions } from './publisher.ts';
import { unknownFile, type Version } from './version.ts';
import { VersionFinder } from './version-finder.ts';
import { checkNotes } from './version-notes.ts';
import type { VersionUses } from './version-uses.ts';

export interface VersionsOptions {
  readonly records: Records;
  readonly archives: ArchiveStore;
  readonly uses: VersionUses;
  readonly clock: Clock;
}

/** The versions of bundles. All methods throw SkerryError `unavailable` when storage does not answer. */
export class Versions {
  readonly #archives: ArchiveStore;
  readonly #finder: VersionFinder;
  readonly #publisher: Publisher;
  readonly #uses: VersionUses;

  constructor({ records, archives, uses, clock }: VersionsOptions) {
    const known = new KnownVersions(records, clock);
    this.#archives = archives;
    this.#uses = uses;
    this.#finder = new VersionFinder(records, known, uses);
    this.#publisher = new Publisher(records, known, this.#finder);
  }

  /**
   * Publishes files as the next version, unless the newest has the same content.
   *
   * @throws SkerryError `unprocessable` for another digest than was expected; what `writeZip` and `Publisher.publish` throw; `invalid` for notes that are none.
   */
  async publish(
    ns: string,
    name: string,
    inputs: readonly BundleInput[],
    options: PublishOptions,
  ): Promise<Publication> {
    const notes = checkNotes(options);
    const upload = await this.#archives.begin(ns, name);
    const manifest = await writeExpected(inputs, upload, options.digest).catch(async (error: unknown) => {
      await upload.abandon();
      throw error;
    });
    const { digest, size, archiveSize, files } = manifest;
    return await this.#publisher.publish(
      ns,
      name,
      {
        digest,
        blob: upload.blob,
        files: files.length,
        size,
        archiveSize,
        store: () => upload.finish(manifest),
        discard: () => upload.abandon(),
      },
      { ...options, ...notes },
    );
  }

  /**
   * Publishes the content of a version again, as the newest.
   *
   * @throws SkerryError `not-found`, and what `publish` throws.
   */
  async rollback(
    ns: string,
    name: string,
    reference: string,
    options: Omit<PublishOptions, 'draft' | 'ifChangedFrom'>,
  ): Promise<Publication> {
    const notes = checkNotes(options);
    const source = await this.#finder.find(ns, name, reference);
    return await this.#publisher.republish(ns, name, source, { ...options, ...notes });
  }

  /** See `VersionFinder.committedBy`. */
  async committedBy(ns: string, name: string, draft: string): Promise<Version | undefined> {
    return await this.#finder.committedBy(ns, name, draft);
  }

  /** See `VersionFinder.find`. Whoever finds a version reads it: for half a day more, cleanup leaves it alone. */
  async find(ns: string, name: string, reference: string, consumer?: string): Promise<Version> {
    const version = await this.#finder.find(ns, name, reference, consumer);
    this.#uses.note(ns, name, version.version);
    return version;
  }

  /** @throws SkerryError `not-found` when cleanup has removed the content. */
  async manifest(ns: string, name: string, version: Version): Promise<Manifest> {
    return await this.#archives.manifest(ns, name, version.blob);
  }

  /** The zip of a version. */
  async archive(ns: string, name: string, version: Version): Promise<RandomAccess> {
    return await this.#archives.open(ns, name, version);
  }

  /**
   * A file of a version, in the form in which the manifest has it.
   *
   * @throws SkerryError `not-found`; `unprocessable` for what is no path.
   */
  async findFile(ns: string, name: string, version: Version, path: string): Promise<ManifestFile> {
    const { files } = await this.manifest(ns, name, version);
    const file = fileIn(files, normalizePath(path));
    if (file === undefined) throw unknownFile(ns, name, version, path);
    return file;
  }

  /**
   * Reads one file by one request of its range in the archive, and makes sure that it is what was published.
   *
   * @throws SkerryError `not-found`; `too-large` for what has to be read with its archive; `unprocessable` for what is no path.
   */
  async readFile(
    ns: string,
    name: string,
    version: Version,
    path: string,
  ): Promise<{ readonly file: ManifestFile; readonly bytes: Uint8Array }> {
    const file = await this.findFile(ns, name, version, path);
    return { file, bytes: await this.contentOf(ns, name, version, file) };
  }

  /** As `readFile`, of a file that was found. */
  async contentOf(ns: string, name: string, version: Version, file: ManifestFile): Promise<Uint8Array> {
    if (file.size > BUNDLE_LIMITS.fileReadBytes) {
      throw tooLarge(`The file has ${file.size} bytes; ${BUNDLE_LIMITS.fileReadBytes} are read at a time.`, {
        fix: `Read it with its archive, at ${canonicalPath(ns, `bundles/${name}/versions/${version.version}/archive`)}.`,
      });
    }
    const archive = await this.archive(ns, name, version);
    return await unpackFile(file, await archive.read(file.offset, file.offset + file.packedSize));
  }
}

/** @throws SkerryError `unprocessable` also for content that comes to another digest. */
async function writeExpected(
  inputs: readonly BundleInput[],
  sink: ArchiveSink,
  expected: string | undefined,
): Promise<Manifest> {
  const manifest = await writeZip(inputs, sink);
  if (expected !== undefined && manifest.digest !== expected) {
    throw unprocessable(`The content comes to ${manifest.digest}, not to ${expected}.`, {
      field: 'digest',
      fix: 'Nothing was published. Compare the files that were sent with those that were meant, and send what differs.',
      extensions: { digest: manifest.digest },
    });
  }
  return manifest;
}

/** Files are in the order of their paths. */
function fileIn(files: readonly ManifestFile[], path: string): ManifestFile | undefined {
  let low = 0;
  let high = files.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const file = files[middle];
    if (file === undefined) return undefined;
    const order = comparePaths(file.path, path);
    if (order === 0) return file;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return undefined;
}
