import { type SkerryError, tooLarge } from '../errors.ts';
import type { IncomingRequest } from './request.ts';

/** Bytes, unless an endpoint says otherwise; room for a value of 256 KiB and what surrounds it (docs/api.md, "Fields"). */
export const MAX_BODY_BYTES = 300 * 1024;

/**
 * Reads a body as it was sent.
 *
 * @param fix what to do with one that is too large.
 * @throws SkerryError `too-large`.
 */
export async function readBodyBytes(
  request: IncomingRequest,
  maxBytes: number,
  fix = 'Send less; large content belongs in bundles.',
): Promise<Uint8Array> {
  const declared = request.headers.get('content-length');
  if (declared === null) {
    return await readStream(request.body, maxBytes, fix);
  }
  if (Number(declared) > maxBytes) {
    throw bodyTooLarge(maxBytes, fix);
  }
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.byteLength > maxBytes) {
    throw bodyTooLarge(maxBytes, fix);
  }
  return bytes;
}

/** Without a declared length the limit has to hold while reading, or anyone could fill the memory. */
async function readStream(
  stream: AsyncIterable<unknown> | null,
  maxBytes: number,
  fix: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream ?? []) {
    if (!(chunk instanceof Uint8Array)) {
      throw new TypeError('A body stream yields bytes.');
    }
    length += chunk.byteLength;
    if (length > maxBytes) {
      throw bodyTooLarge(maxBytes, fix);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function bodyTooLarge(maxBytes: number, fix: string): SkerryError {
  return tooLarge(`The body is larger than ${maxBytes} bytes.`, { fix });
}
