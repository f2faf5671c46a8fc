import type { PageOptions } from '../config/apps.ts';
import { guard, type WriteOptions } from '../transport/guard.ts';
import { type Page, pages } from '../transport/paged.ts';
import { keyPath, segment } from '../transport/path.ts';
import { orUndefined } from '../transport/problem.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';
import type { VersionReference } from './bundle.ts';
import { BundleContent } from './bundle-content.ts';
import type {
  BundleDifference,
  BundleVersion,
  BundleVersionWithFiles,
  PublishedVersion,
} from './bundle-version.ts';
import { transferTime } from './transfer-time.ts';

export interface ReadVersionOptions extends CallOptions {
  /** Who asks, which decides for a channel while a new version is rolled out. */
  readonly consumer?: string | undefined;
}

export interface VersionFacts {
  readonly message?: string | undefined;
  /** Names by which the version is found too; the newest version that carries one has it. */
  readonly labels?: readonly string[] | undefined;
}

export interface PublishOptions extends VersionFacts, WriteOptions {
  /** Publishes nothing where that version has this content, either. */
  readonly ifChangedFrom?: VersionReference | undefined;
  /** Publishes only where the newest version is at this revision; 0 means only where there is none. */
  readonly ifRevision?: number | undefined;
  /** Of an archive: `application/zip` unless told, or `application/gzip` for a tar.gz. */
  readonly type?: string | undefined;
}

/** The versions of bundles. They never change. */
export class BundleVersions {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** One page of the versions, the newest first. */
  async listPage(name: string, { limit, after, signal }: PageOptions = {}): Promise<Page<BundleVersion>> {
    return await this.#transport.json({ path: versionsPath(name), query: { limit, after }, signal });
  }

  /** All versions, the newest first. */
  list(
    name: string,
    options: Omit<PageOptions, 'after'> = {},
  ): AsyncGenerator<BundleVersion, void, undefined> {
    return pages((after) => this.listPage(name, { ...options, after }));
  }

  /** A version with its files; undefined where there is none. */
  async get(
    name: string,
    reference: VersionReference = 'latest',
    { consumer, signal }: ReadVersionOptions = {},
  ): Promise<BundleVersionWithFiles | undefined> {
    const call = { path: versionPath(name, reference), query: { consumer }, signal };
    return await orUndefined(this.#transport.json<BundleVersionWithFiles>(call));
  }

  /**
   * Publishes an archive of up to 50 MB as a version; larger ones need a draft. Content that the newest version has makes no new one.
   *
   * A repetition after an answer that got lost finds its content published, unless somebody published something else in between: then it
   * publishes again. `ifRevision`, or a draft, excludes that.
   */
  async publish(
    name: string,
    archive: Uint8Array<ArrayBuffer> | Blob,
    { type = 'application/zip', message, labels, ifChangedFrom, ifRevision, signal }: PublishOptions = {},
  ): Promise<PublishedVersion> {
    const size = archive instanceof Uint8Array ? archive.byteLength : archive.size;
    return await this.#transport.json<PublishedVersion>({
      method: 'PUT',
      path: versionsPath(name),
      query: { message, label: labels, ifChangedFrom },
      headers: guard(ifRevision),
      content: { bytes: archive, type },
      ...transferTime(size),
      signal,
    });
  }

  /**
   * Publishes the content of an earlier version as a new one; it makes none where the newest has that content.
   *
   * @param options.ifRevision of the newest version.
   */
  async rollback(
    name: string,
    reference: VersionReference,
    { message, labels, ifRevision, signal }: VersionFacts & WriteOptions = {},
  ): Promise<PublishedVersion> {
    return await this.#transport.json<PublishedVersion>({
      method: 'POST',
      path: `${versionPath(name, reference)}/rollback`,
      headers: guard(ifRevision),
      body: { message, labels },
      signal,
    });
  }

  /**
   * One file of a version, up to 50 MB; undefined where there is none. Several files that belong together are read of the same version only
   * by its number: see `Bundles.open`.
   */
  async readFile(
    name: string,
    reference: VersionReference,
    path: string,
    { consumer, signal }: ReadVersionOptions = {},
  ): Promise<BundleContent | undefined> {
    const answer = await orUndefined(
      this.#transport.send({
        path: `${versionPath(name, reference)}/files/${keyPath(path)}`,
        query: { consumer },
        signal,
      }),
    );
    return answer && new BundleContent(path, answer);
  }

  /** What differs between two versions: of the newest and the one before it, unless told. */
  async diff(
    name: string,
    {
      from,
      to,
      signal,
    }: CallOptions & {
      readonly from?: VersionReference | undefined;
      readonly to?: VersionReference | undefined;
    } = {},
  ): Promise<BundleDifference> {
    return await this.#transport.json<BundleDifference>({
      path: `bundles/${segment(name)}/diff`,
      query: { from, to },
      signal,
    });
  }
}

function versionsPath(name: string): string {
  return `bundles/${segment(name)}/versions`;
}

export function versionPath(name: string, reference: VersionReference): string {
  return `${versionsPath(name)}/${segment(String(reference))}`;
}
