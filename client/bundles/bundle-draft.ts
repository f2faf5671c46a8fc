import { guard } from '../transport/guard.ts';
import { keyPath } from '../transport/path.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';
import type { BundleFile, PublishedVersion } from './bundle-version.ts';
import type { PublishOptions } from './bundle-versions.ts';
import { transferTime } from './transfer-time.ts';
import { type UploadOptions, uploadArchive } from './upload-archive.ts';

/** How a started draft comes over the wire. */
export interface StartedDraft {
  readonly draft: string;
  readonly from?: number;
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly upload: UploadPlace;
}

/** Where storage takes the archive of a draft. */
export interface UploadPlace {
  /** Whoever has it can write there. */
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** RFC 3339. */
  readonly expiresAt: string;
  readonly maxBytes: number;
}

export interface CommitOptions extends Omit<PublishOptions, 'type'> {
  /** That the content must have; else the commit is refused. */
  readonly digest?: string | undefined;
}

/** Milliseconds for one attempt: front ends of Azure give up after 230 s. */
const COMMIT_TIME = 235_000;
/** Milliseconds for a commit with its repetitions. */
const COMMIT_PATIENCE = 900_000;

/** A version in the making. It takes writes until it is committed or discarded; one that nobody commits is collected after a day. */
export class BundleDraft {
  readonly id: string;
  /** The version that it began with. */
  readonly from: number | undefined;
  readonly upload: UploadPlace;
  readonly #path: string;
  readonly #transport: Transport;
  #end: 'committed' | 'discarded' | undefined;

  constructor(path: string, { draft, from, upload }: StartedDraft, transport: Transport) {
    this.#path = path;
    this.id = draft;
    this.from = from;
    this.upload = upload;
    this.#transport = transport;
  }

  /** Whether it was committed or discarded. */
  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** Puts a file of up to 50 MB; of several for one path, the last one counts. */
  async put(
    path: string,
    content: Uint8Array<ArrayBuffer> | Blob | string,
    { signal }: CallOptions = {},
  ): Promise<BundleFile> {
    this.#assertOpen();
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    return await this.#transport.json<BundleFile>({
      method: 'PUT',
      path: this.#fileAt(path),
      content: { bytes, type: 'application/octet-stream' },
      ...transferTime(bytes instanceof Uint8Array ? bytes.byteLength : bytes.size),
      signal,
    });
  }

  /** @returns whether the draft had the file. */
  async delete(path: string, { signal }: CallOptions = {}): Promise<boolean> {
    this.#assertOpen();
    return await this.#transport.remove({ path: this.#fileAt(path), signal });
  }

  /** Makes a zip, which may be larger than what the API takes, the content of a draft that began with nothing: it goes straight to storage. */
  async uploadArchive(archive: Blob, options: UploadOptions = {}): Promise<void> {
    this.#assertOpen();
    await uploadArchive(this.#transport, this.upload, archive, options);
  }

  /**
   * Publishes what the draft holds. Where no answer comes it is done again: the same draft makes one version at most.
   */
  async commit({
    message,
    labels,
    ifChangedFrom,
    digest,
    ifRevision,
    signal,
  }: CommitOptions = {}): Promise<PublishedVersion> {
    if (this.#end === 'discarded') this.#assertOpen();
    const from = ifChangedFrom === undefined ? undefined : String(ifChangedFrom);
    const version = await this.#transport.json<PublishedVersion>({
      method: 'POST',
      path: `${this.#path}/commit`,
      headers: guard(ifRevision),
      body: { message, labels, ifChangedFrom: from, digest },
      isRepeatable: true,
      attemptTimeout: COMMIT_TIME,
      timeout: COMMIT_PATIENCE,
      signal,
    });
    this.#end = 'committed';
    return version;
  }

  /** Forgets the draft. @returns whether it was there. */
  async discard({ signal }: CallOptions = {}): Promise<boolean> {
    if (this.#end === 'committed') this.#assertOpen();
    this.#end = 'discarded';
    return await this.#transport.remove({ path: this.#path, signal });
  }

  #fileAt(path: string): string {
    return `${this.#path}/files/${keyPath(path)}`;
  }

  #assertOpen(): void {
    if (this.#end !== undefined) throw new Error(`The draft ${this.id} is ${this.#end}: it takes no writes.`);
  }
}
