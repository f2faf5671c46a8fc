import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { PackedFacts } from './manifest.ts';

export type Facts = Pick<PackedFacts, 'size' | 'sha256' | 'crc32' | 'isText'>;

/** Finds out what is to be known of content as it passes. */
export class ContentFacts {
  #size = 0;
  #crc = 0;
  #isText = true;
  /** The beginning of a character that the next piece ends. */
  #begun: Uint8Array = new Uint8Array();
  readonly #hash = createHash('sha256');

  get size(): number {
    return this.#size;
  }

  add(piece: Uint8Array): void {
    this.#size += piece.length;
    this.#crc = crc32(piece, this.#crc);
    this.#hash.update(piece);
    if (this.#isText) this.#checkText(piece);
  }

  end(): Facts {
    const isText = this.#isText && this.#begun.length === 0;
    return { size: this.#size, sha256: this.#hash.digest('hex'), crc32: this.#crc, isText };
  }

  #checkText(piece: Uint8Array): void {
    const bytes = this.#begun.length === 0 ? piece : Buffer.concat([this.#begun, piece]);
    const end = bytes.length - unfinished(bytes);
    this.#isText = isUtf8(bytes.subarray(0, end)) && !bytes.includes(0);
    this.#begun = bytes.slice(end);
  }
}

/** How many bytes at the end begin a character of more. */
function unfinished(bytes: Uint8Array): number {
  for (let back = 1; back <= 3; back++) {
    const byte = bytes.at(-back) ?? 0;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    if (length > back) return back;
    if (byte < 0x80 || byte >= 0xc0) return 0;
  }
  return 0;
}
