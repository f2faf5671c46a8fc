import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { BlobClient, BlobDownloadOptions } from '@azure/storage-blob';
import {
  askBlob,
  BLOB_STATUS,
  blobStatusOf,
  isBlobMissing,
  isPassingBlobFault,
} from '../../platform/ask-blob.ts';
import { notFound, type SkerryError } from '../../platform/errors.ts';
import type { RandomAccess } from '../content/bundle-input.ts';

/** Bytes of one request while a blob is read from one end to the other; the next is under way while one is used. */
const READ_BYTES = 2 * 1024 * 1024;
const MAX_TRIES = 3;

/** What a blob must still be like when it is read. */
export interface Unchanged {
  readonly etag: string;
  /** The error for one that is another by now, or gone. */
  readonly changed: () => SkerryError;
}

/**
 * A blob whose size is known, read in requests of limited size: each has its own time, so that nothing is held open for a reader
 * that is slow, and nothing hangs for one that waits.
 */
export class StoredBlob implements RandomAccess {
  readonly size: number;
  readonly #client: BlobClient;
  readonly #unchanged: Unchanged | undefined;

  /** @param unchanged for a blob that others may write to. */
  constructor(client: BlobClient, size: number, unchanged?: Unchanged) {
    this.#client = client;
    this.size = size;
    this.#unchanged = unchanged;
  }

  /** @throws SkerryError `not-found` when the blob is gone, what `changed` makes when it is another, `unavailable`. */
  async read(start: number, end: number): Promise<Uint8Array> {
    const count = end - start;
    if (count <= 0) return new Uint8Array();
    const options = this.#unchanged && { conditions: { ifMatch: this.#unchanged.etag } };
    const bytes = await askWhereThere(
      this.#client,
      () =>
        askBlob((abortSignal) => readRange(this.#client, start, count, { ...options, abortSignal }), {
          bytes: count,
        }),
      this.#unchanged,
    );
    if (bytes.byteLength !== count) {
      throw new Error(`The blob ${this.#client.name} ended ${count - bytes.byteLength} bytes too early.`);
    }
    return bytes;
  }

  /** Asks for nothing before its first bytes are wanted. */
  async *stream(start: number, end: number): AsyncGenerator<Uint8Array> {
    const readAt = (at: number) => this.read(at, Math.min(at + READ_BYTES, end));
    let next = start < end ? readAt(start) : undefined;
    for (let at = start + READ_BYTES; next !== undefined; at += READ_BYTES) {
      const bytes = await next;
      next = at < end ? readAt(at) : undefined;
      // Whoever stops reading never looks at it.
      next?.catch(() => undefined);
      yield bytes;
    }
  }
}

/** The whole of a blob. @throws SkerryError `not-found` when it is gone, `unavailable`. */
export async function readWhole(client: BlobClient, bytesAtMost: number): Promise<Uint8Array> {
  return await askWhereThere(client, () =>
    askBlob((abortSignal) => readRange(client, 0, undefined, { abortSignal }), { bytes: bytesAtMost }),
  );
}

async function askWhereThere<Answer>(
  client: BlobClient,
  ask: () => Promise<Answer>,
  unchanged?: Unchanged,
): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    const isAnother = isBlobMissing(error) || blobStatusOf(error) === BLOB_STATUS.preconditionFailed;
    if (unchanged !== undefined && isAnother) {
      throw unchanged.changed();
    }
    throw isBlobMissing(error)
      ? notFound(`The content ${client.name} is gone.`, { fix: 'Read a newer version.', cause: error })
      : error;
  }
}

/**
 * Again where a connection breaks off amid the content: the SDK tries again only until that begins (its own retries of a stream give up on
 * a connection that is reset).
 */
async function readRange(
  client: BlobClient,
  offset: number,
  count: number | undefined,
  options: BlobDownloadOptions,
): Promise<Uint8Array> {
  for (let tries = 1; ; tries++) {
    const { readableStreamBody } = await client.download(offset, count, options);
    try {
      return await buffer(readableStreamBody ?? Readable.from([]));
    } catch (error) {
      if (options.abortSignal?.aborted === true || tries === MAX_TRIES || !isPassingBlobFault(error))
        throw error;
    }
  }
}
