import { backoff } from '../transport/backoff.ts';
import { startDeadline } from '../transport/deadline.ts';
import { SkerryUnreachable } from '../transport/problem.ts';
import { type CallOptions, messageOf, type Transport } from '../transport/transport.ts';
import type { UploadPlace } from './bundle-draft.ts';
import { transferTime } from './transfer-time.ts';

/** Bytes of a block, and how many are on their way at once: all that is held in memory. */
const BLOCK = 8 * 1024 * 1024;
const AT_ONCE = 4;
const ATTEMPTS = 6;

export interface UploadOptions extends CallOptions {
  /** Told how many more bytes have arrived. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/**
 * Brings an archive to Blob Storage, block by block.
 *
 * @throws RangeError for one that is larger than it may be; SkerryUnreachable where storage does not take it.
 */
export async function uploadArchive(
  transport: Transport,
  { url, maxBytes }: UploadPlace,
  archive: Blob,
  { onProgress = () => {}, signal }: UploadOptions,
): Promise<void> {
  if (archive.size > maxBytes) {
    throw new RangeError(`The archive has ${archive.size} bytes, and may have ${maxBytes}.`);
  }
  const blocks = Math.max(1, Math.ceil(archive.size / BLOCK));
  let next = 0;
  const failure = new AbortController();
  const stop = () => failure.abort(signal?.reason);
  if (signal?.aborted) stop();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, blocks) }, sendBlocks));
    const list = Array.from({ length: blocks }, (_, index) => `<Latest>${blockId(index)}</Latest>`);
    const body = `<?xml version="1.0" encoding="utf-8"?><BlockList>${list.join('')}</BlockList>`;
    await put(transport, `${url}&comp=blocklist`, body, failure.signal);
  } catch (error) {
    // What is still on its way is of no use to anybody.
    failure.abort(error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }

  async function sendBlocks(): Promise<void> {
    while (next < blocks) {
      const index = next++;
      const block = new Uint8Array(await archive.slice(index * BLOCK, (index + 1) * BLOCK).arrayBuffer());
      const place = `${url}&comp=block&blockid=${encodeURIComponent(blockId(index))}`;
      await put(transport, place, block, failure.signal);
      onProgress(block.byteLength);
    }
  }
}

/** All ids of a blob have the same length. */
function blockId(index: number): string {
  return btoa(String(index).padStart(6, '0'));
}

/** Sends something to storage, as often as it takes. */
async function put(
  { fetch, timing }: Transport,
  url: string,
  body: Uint8Array<ArrayBuffer> | string,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 1; ; failures += 1) {
    const deadline = startDeadline(transferTime(body.length).attemptTimeout, signal);
    let reason: unknown;
    try {
      const response = await fetch(url, { method: 'PUT', body, signal: deadline.signal });
      const text = await response.text();
      if (response.ok) return;
      const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? 'no code';
      reason = new Error(`it answered ${response.status} (${code})`);
      if (![408, 429].includes(response.status) && response.status < 500) failures = ATTEMPTS;
    } catch (error) {
      signal.throwIfAborted();
      reason = error;
    } finally {
      deadline.end();
    }
    if (failures >= ATTEMPTS) {
      // Not the whole URL: whoever has that can write there.
      const { host } = new URL(url);
      throw new SkerryUnreachable(`Storage at ${host} does not take the archive: ${messageOf(reason)}.`, {
        cause: reason,
      });
    }
    await timing.wait(backoff(failures, timing.random()), signal);
  }
}
