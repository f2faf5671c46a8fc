import { MemoryGate } from '../../../shared/platform/memory-gate.ts';

const PIECE_BYTES = 256 * 1024;
/** What a client has not taken within so many milliseconds, the front end in Azure no longer gives it either. */
const LONGEST_SENDING = 240_000;
/** What is smaller need not be counted while it is sent. */
const WHOLE_BYTES = 256 * 1024;

/** What is packed anew for readers at a time; the memory of a small instance is 512 MB. */
const readings = new MemoryGate({
  maxBytes: 160 * 1024 * 1024,
  patience: 60_000,
  refusal: 'Too many archives are being packed here at the moment.',
});

/** Content in memory on its way to a client: as long as that takes, it counts as held. */
class HeldContent implements AsyncIterable<Uint8Array> {
  readonly byteLength: number;
  readonly #bytes: Uint8Array;
  readonly #leave: () => void;

  constructor(bytes: Uint8Array, leave: () => void) {
    this.#bytes = bytes;
    this.byteLength = bytes.byteLength;
    // Of a client that is gone before the first byte nobody tells.
    const timer = setTimeout(leave, LONGEST_SENDING);
    timer.unref();
    this.#leave = () => {
      clearTimeout(timer);
      leave();
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < this.byteLength; at += PIECE_BYTES) {
        yield this.#bytes.subarray(at, at + PIECE_BYTES);
      }
    } finally {
      this.#leave();
    }
  }
}

/** Content in memory that a gate let in. @param leave is called when it has been sent. */
export function heldUntilSent(bytes: Uint8Array, leave: () => void): Uint8Array | AsyncIterable<Uint8Array> {
  if (bytes.byteLength > WHOLE_BYTES) return new HeldContent(bytes, leave);
  leave();
  return bytes;
}

/**
 * What is made in memory of something stored, where there is room for it.
 *
 * @param bytes that it takes at the most.
 * @throws SkerryError `too-many-requests`, and what `make` throws.
 */
export async function readInMemory<Made>(
  bytes: number,
  make: (leave: () => void) => Promise<Made>,
): Promise<Made> {
  const leave = await readings.enter(bytes);
  try {
    return await make(leave);
  } catch (error) {
    leave();
    throw error;
  }
}
