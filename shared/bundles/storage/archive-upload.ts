import type { BlockBlobClient } from '@azure/storage-blob';
import { askBlob } from '../../platform/ask-blob.ts';
import type { ArchiveSink } from '../content/bundle-input.ts';
import type { Manifest } from '../content/manifest.ts';
import { createBlob } from './create-blob.ts';
import { deleteBlob } from './delete-blob.ts';

/** What is smaller is sent in one request, when it is complete. */
const WHOLE_BYTES = 8 * 1024 * 1024;
const BLOCK_BYTES = 4 * 1024 * 1024;
/** Blocks that are sent at a time: with those that wait to be, what an upload holds in memory. */
const BLOCKS_AT_A_TIME = 4;

/** Only on condition that nothing is there is a blob ever written. */
const ONCE = { ifNoneMatch: '*' } as const;

/** Bytes of the archive that are not sent yet, in their order; of a place that is reserved, until it is filled, only how many. */
type Part = { readonly bytes: Uint8Array } | Place;

interface Place {
  readonly reserved: number;
  /** The block that it became, where what is behind it was sent before it was filled. */
  block?: string;
  bytes?: Uint8Array;
}

export interface UploadTarget {
  /** Names the archive; made for this upload alone. */
  readonly blob: string;
  readonly zip: BlockBlobClient;
  readonly manifest: BlockBlobClient;
}

/**
 * One archive on its way to storage, in constant memory. Nothing can be seen of it before `finish`, and after that nobody knows of it
 * before a record names it.
 */
export class ArchiveUpload implements ArchiveSink {
  readonly blob: string;
  readonly #zip: BlockBlobClient;
  readonly #manifest: BlockBlobClient;
  #parts: Part[] = [];
  /** Bytes in `#parts`. */
  #held = 0;
  #size = 0;
  readonly #blocks: string[] = [];
  readonly #sending = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;
  #isWritten = false;

  constructor({ blob, zip, manifest }: UploadTarget) {
    this.blob = blob;
    this.#zip = zip;
    this.#manifest = manifest;
  }

  /** @throws SkerryError `unavailable`. */
  async append(bytes: Uint8Array): Promise<void> {
    this.#take({ bytes }, bytes.byteLength);
    await this.#sendFullBlocks();
  }

  async reserve(bytes: number): Promise<{ fill(bytes: Uint8Array): Promise<void> }> {
    const place: Place = { reserved: bytes };
    this.#take(place, bytes);
    await this.#sendFullBlocks();
    return { fill: (filling) => this.#fill(place, filling) };
  }

  /**
   * Writes the archive and its manifest.
   *
   * @throws SkerryError `unavailable`.
   */
  async finish(manifest: Manifest): Promise<void> {
    if (manifest.archiveSize !== this.#size) {
      throw new Error(`An archive of ${this.#size} bytes was said to have ${manifest.archiveSize}.`);
    }
    this.#isWritten = true;
    await Promise.all([this.#finishZip(), this.#writeManifest(manifest)]);
  }

  /**
   * Takes back what was written, as far as storage lets go of it; the rest is found by cleanup. Blocks that never became a blob end by
   * themselves. It never fails: what made the upload useless is what its caller has to hear of.
   */
  async abandon(): Promise<void> {
    this.#parts = [];
    await Promise.allSettled(this.#sending);
    if (this.#isWritten) {
      await Promise.allSettled([this.#zip, this.#manifest].map(deleteBlob));
    }
  }

  #take(part: Part, bytes: number): void {
    this.#parts.push(part);
    this.#held += bytes;
    this.#size += bytes;
  }

  async #fill(place: Place, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength !== place.reserved) {
      throw new Error(`A place of ${place.reserved} bytes was filled with ${bytes.byteLength}.`);
    }
    if (place.block === undefined) {
      place.bytes = bytes;
    } else {
      await this.#send(place.block, bytes);
    }
  }

  async #sendFullBlocks(): Promise<void> {
    const isWhole = this.#blocks.length === 0 && this.#size <= WHOLE_BYTES;
    if (!isWhole && this.#held >= BLOCK_BYTES) {
      await this.#sendHeld();
    }
  }

  /** Sends all that is held, in blocks of limited size; each place that is not filled yet becomes a block of its own. */
  async #sendHeld(): Promise<void> {
    const parts = this.#parts;
    this.#parts = [];
    this.#held = 0;
    let run: Uint8Array[] = [];
    for (const part of parts) {
      if (part.bytes !== undefined) {
        run.push(part.bytes);
      } else {
        await this.#sendInBlocks(run);
        run = [];
        (part as Place).block = this.#nextBlock();
      }
    }
    await this.#sendInBlocks(run);
  }

  async #sendInBlocks(run: readonly Uint8Array[]): Promise<void> {
    const bytes = run.length === 1 && run[0] !== undefined ? run[0] : Buffer.concat(run);
    for (let at = 0; at < bytes.byteLength; at += BLOCK_BYTES) {
      await this.#send(this.#nextBlock(), bytes.subarray(at, at + BLOCK_BYTES));
    }
  }

  #nextBlock(): string {
    const id = Buffer.from(String(this.#blocks.length).padStart(6, '0')).toString('base64');
    this.#blocks.push(id);
    return id;
  }

  /** Waits only while too many are under way; what becomes of it is known at the next one, or at the end. */
  async #send(block: string, bytes: Uint8Array): Promise<void> {
    while (this.#sending.size >= BLOCKS_AT_A_TIME) {
      await Promise.race(this.#sending);
    }
    this.#throwFailure();
    const sending = askBlob(
      async (abortSignal) => {
        await this.#zip.stageBlock(block, bytes, bytes.byteLength, { abortSignal });
      },
      { bytes: bytes.byteLength },
    )
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#sending.delete(sending));
    this.#sending.add(sending);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #finishZip(): Promise<void> {
    const options = { conditions: ONCE, blobHTTPHeaders: { blobContentType: 'application/zip' } };
    if (this.#blocks.length === 0) {
      const bytes = Buffer.concat(this.#parts.map(bytesOf));
      this.#parts = [];
      await createBlob(this.#zip, this.#size, (abortSignal) =>
        this.#zip.upload(bytes, bytes.byteLength, { ...options, abortSignal }),
      );
      return;
    }
    await this.#sendHeld();
    await Promise.all(this.#sending);
    this.#throwFailure();
    await createBlob(
      this.#zip,
      this.#size,
      (abortSignal) => this.#zip.commitBlockList(this.#blocks, { ...options, abortSignal }),
      0,
    );
  }

  async #writeManifest(manifest: Manifest): Promise<void> {
    const bytes = Buffer.from(JSON.stringify(manifest));
    await createBlob(this.#manifest, bytes.byteLength, (abortSignal) =>
      this.#manifest.upload(bytes, bytes.byteLength, {
        conditions: ONCE,
        blobHTTPHeaders: { blobContentType: 'application/json' },
        abortSignal,
      }),
    );
  }
}

function bytesOf(part: Part): Uint8Array {
  if (part.bytes === undefined) {
    throw new Error('A place in the archive was reserved and not filled.');
  }
  return part.bytes;
}
