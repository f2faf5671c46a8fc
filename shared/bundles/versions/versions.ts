import type { Clock } from '../../platform/clock.ts';
import { tooLarge, unprocessable } from '../../platform/errors.ts';
import { canonicalPath } from '../../platform/http/index.ts';
import type { Records } from '../../records/index.ts';
import { bundleScope, type VersionValue, versionsPrefix } from '../bundle.ts';
import type { ArchiveSink, BundleInput, RandomAccess } from '../content/bundle-input.ts';
import { normalizePath } from '../content/bundle-path.ts';
import { collect } from '../content/content-chunks.ts';
import { comparePaths, type Manifest, type ManifestFile } from '../content/manifest.ts';
import { toTarGz } from '../content/tar-gz.ts';
import { unpackFile, unpackStream } from '../content/unpack-file.ts';
import { writeZip } from '../content/write-zip.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import type { ArchiveStore } from '../storage/archive-store.ts';
import { KnownVersions } from './known-versions.ts';
import { type Publication, Publisher, type PublishOptions } from './publisher.ts';
import { unknownFile, type Version } from './version.ts';
import { VersionFinder } from './version-finder.ts';
import { checkNotes } from './version-notes.ts';
import type { VersionUses } from './version-uses.ts';

/** Larger files are read in several requests, as fast as they are taken, so that many slow readers do not fill the memory. */
const WHOLE_READ_BYTES = 4 * 1024 * 1024;

export interface VersionsOptions {
  readonly records: Records;
  readonly archives: ArchiveStore;
  readonly uses: VersionUses;
  readonly clock: Clock;
}

export interface VersionListing {
  readonly versions: readonly Version[];
  /** Of the bundle. */
  readonly revision: number;
  /** Cursor of the next page; absent on the last one. */
  readonly next?: string;
}

/** The versions of bundles. All methods throw SkerryError `unavailable` when storage does not answer. */
export class Versions {
  readonly #records: Records;
  readonly #archives: ArchiveStore;
  readonly #known: KnownVersions;
  readonly #finder: VersionFinder;
  readonly #publisher: Publisher;
  readonly #uses: VersionUses;

  constructor({ records, archives, uses, clock }: VersionsOptions) {
    this.#records = records;
    this.#archives = archives;
    this.#uses = uses;
    this.#known = new KnownVersions(records, clock);
    this.#finder = new VersionFinder(records, this.#known, uses);
    this.#publisher = new Publisher(records, this.#known, this.#finder);
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
    options: Omit<PublishOptions, 'draft' | 'settled' | 'ifChangedFrom'>,
  ): Promise<Publication> {
    checkNotes(options);
    const source = await this.#finder.find(ns, name, reference);
    const { message = `Version ${source.version} again.`, labels } = options;
    const notes = checkNotes({ message, labels });
    return await this.#publisher.republish(ns, name, source, { ...options, ...notes });
  }

  /** See `VersionFinder.committedBy`. */
  async committedBy(ns: string, name: string, draft: string): Promise<Version | undefined> {
    return await this.#finder.committedBy(ns, name, draft);
  }

  /** See `VersionFinder.find`. Whoever finds a version reads it: for a day more, cleanup leaves it alone. */
  async find(ns: string, name: string, reference: string, consumer?: string): Promise<Version> {
    const version = await this.#finder.find(ns, name, reference, consumer);
    await this.#uses.note(ns, name, version.version);
    return version;
  }

  /** A page of the versions, the newest first, without those that cleanup took away: so a page may have fewer than `limit`. */
  async list(
    ns: string,
    name: string,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<VersionListing> {
    const prefix = versionsPrefix(name);
    const { records, revision, next } = await this.#records.list<VersionValue>(bundleScope(ns, name), {
      ...page,
      prefix,
      order: 'descending',
    });
    const versions = records.map((record) => this.#known.remember(ns, name, record));
    return {
      versions: versions.filter(({ removedAt }) => removedAt === undefined),
      revision,
      ...(next !== undefined && { next }),
    };
  }

  /** @throws SkerryError `not-found` when cleanup has removed the content. */
  async manifest(ns: string, name: string, version: Version): Promise<Manifest> {
    return await this.#archives.manifest(ns, name, version.blob);
  }

  /** The zip of a version. */
  async archive(ns: string, name: string, version: Version): Promise<RandomAccess> {
    return await this.#archives.open(ns, name, version);
  }

  /** The files of a version as a tar.gz, in memory; for versions of up to `MAX_TAR_GZ_BYTES`. */
  async tarGz(ns: string, name: string, version: Version): Promise<Uint8Array> {
    const [manifest, archive] = await Promise.all([
      this.manifest(ns, name, version),
      this.archive(ns, name, version),
    ]);
    return await collect(toTarGz(manifest, archive));
  }

  /** A link to the zip of a version, which is good for ten minutes. */
  async archiveUrl(ns: string, name: string, version: Version): Promise<string> {
    return await this.#archives.signedUrl(ns, name, version.blob, {
      fileName: `${name}-${version.version}.zip`,
    });
  }

  /**
   * A file of a version, in the form in which the manifest has it.
   *
   * @throws SkerryError `not-found`; `too-large` for what has to be read with its archive; `unprocessable` for what is no path.
   */
  async findFile(ns: string, name: string, version: Version, path: string): Promise<ManifestFile> {
    const { files } = await this.manifest(ns, name, version);
    const file = fileIn(files, normalizePath(path));
    if (file === undefined) throw unknownFile(ns, name, version, path);
    if (file.size > BUNDLE_LIMITS.fileReadBytes) {
      throw tooLarge(`The file has ${file.size} bytes; ${BUNDLE_LIMITS.fileReadBytes} are read at a time.`, {
        fix: `Read it with its archive, at ${canonicalPath(ns, `bundles/${name}/versions/${version.version}/archive`)}.`,
      });
    }
    return file;
  }

  /**
   * Reads one file by one request for its range of the archive, and makes sure that it is what was published.
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

  /** The content of a file that was found. */
  async contentOf(ns: string, name: string, version: Version, file: ManifestFile): Promise<Uint8Array> {
    const archive = await this.archive(ns, name, version);
    return await unpackFile(file, await archive.read(file.offset, file.offset + file.packedSize));
  }

  /** The content of a file that was found, for readers: of a large one as it comes (see `unpackStream`). */
  async streamOf(
    ns: string,
    name: string,
    version: Version,
    file: ManifestFile,
  ): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
    if (file.size <= WHOLE_READ_BYTES) return await this.contentOf(ns, name, version, file);
    const archive = await this.archive(ns, name, version);
    return unpackStream(file, archive.stream(file.offset, file.offset + file.packedSize));
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

/** Unpacked, of all files of a version that is packed anew as a tar.gz: which is done in memory. */
export const MAX_TAR_GZ_BYTES = 50 * 1024 * 1024;

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
