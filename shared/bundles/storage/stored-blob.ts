import type { BlobClient } from '@azure/storage-blob';
import { askBlob, isBlobMissing } from '../../platform/ask-blob.ts';
import { notFound } from '../../platform/errors.ts';
import type { RandomAccess } from '../content/bundle-input.ts';

/** Bytes of one request while a blob is read from one end to the other; the next is under way while one is used. */
const READ_BYTES = 2 * 1024 * 1024;

/**
 * A blob whose size is known, read in requests of limited size: each has its own time, so that nothing is held open for a reader
 * that is slow, and nothing hangs for one that waits.
 */
export class StoredBlob implements RandomAccess {
  readonly size: number;
  readonly #client: BlobClient;

  constructor(client: BlobClient, size: number) {
    this.#client = client;
    this.size = size;
  }

  /** @throws SkerryError `not-found` when the blob is gone, `unavailable`. */
  async read(start: number, end: number): Promise<Uint8Array> {
    const count = end - start;
    if (count <= 0) return new Uint8Array();
    const bytes = await askWhereThere(this.#client, () =>
      askBlob((abortSignal) => readRange(this.#client, start, count, abortSignal), { bytes: count }),
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
    askBlob((abortSignal) => readRange(client, 0, undefined, abortSignal), { bytes: bytesAtMost }),
  );
}

async function askWhereThere<Answer>(client: BlobClient, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (error) {
    throw isBlobMissing(error)
      ? notFound(`The content ${client.name} is gone.`, { fix: 'Read a newer version.', cause: error })
      : error;
  }
}

/** The SDK goes on where a connection broke off. */
async function readRange(
  client: BlobClient,
  offset: number,
  count: number | undefined,
  abortSignal: AbortSignal,
): Promise<Uint8Array> {
  const { readableStreamBody } = await client.download(offset, count, { abortSignal, maxRetryRequests: 3 });
  const chunks: Uint8Array[] = [];
  for await (const chunk of readableStreamBody ?? []) {
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}
