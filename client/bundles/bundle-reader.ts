import type { CallOptions, Transport } from '../transport/transport.ts';
import type { BundleContent } from './bundle-content.ts';
import type { BundleFile, BundleVersionWithFiles } from './bundle-version.ts';
import { type BundleVersions, versionPath } from './bundle-versions.ts';
import { readWhole } from './read-whole.ts';

/** One version of a bundle: whatever is published meanwhile, all that is read here belongs to it. */
export class BundleReader {
  readonly bundle: string;
  readonly version: number;
  readonly facts: BundleVersionWithFiles;
  readonly #versions: BundleVersions;
  readonly #transport: Transport;

  constructor(
    bundle: string,
    facts: BundleVersionWithFiles,
    { versions, transport }: { readonly versions: BundleVersions; readonly transport: Transport },
  ) {
    this.bundle = bundle;
    this.version = facts.version;
    this.facts = facts;
    this.#versions = versions;
    this.#transport = transport;
  }

  get files(): readonly BundleFile[] {
    return this.facts.files;
  }

  /** A file of up to 50 MB; undefined where there is none. */
  async readFile(path: string, options: CallOptions = {}): Promise<BundleContent | undefined> {
    return await this.#versions.readFile(this.bundle, this.version, path, options);
  }

  /**
   * All files in one archive, as it comes, however large it is. What breaks off goes on where it was; it fails when Skerry or storage is out
   * of reach for longer than a call may take.
   *
   * @param options.format `zip` unless told; Skerry makes a tar.gz of up to 50 MB of files.
   */
  archive({
    format = 'zip',
    signal,
  }: CallOptions & { readonly format?: 'zip' | 'tar.gz' | undefined } = {}): ReadableStream<
    Uint8Array<ArrayBuffer>
  > {
    return readWhole(this.#transport, {
      path: `${versionPath(this.bundle, this.version)}/archive`,
      headers: { accept: format === 'zip' ? 'application/zip' : 'application/gzip' },
      signal,
    });
  }
}
