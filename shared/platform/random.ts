import { randomFillSync } from 'node:crypto';

/** Randomness as everything in Skerry sees it, so that a seeded test can repeat itself. */
export interface Random {
  /** A number in [0, 1), for jitter. */
  fraction(): number;
  /** An unguessable id of 128 bits as 26 characters of Crockford's base 32, lower case. */
  id(): string;
}

export const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz';

/** Writes bytes in Crockford's base 32 (five bits a character, no padding). */
export function toBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let pending = 0;
  for (const byte of bytes) {
    pending = (pending << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += CROCKFORD[(pending >> bits) & 31];
      pending &= (1 << bits) - 1;
    }
  }
  return bits > 0 ? text + CROCKFORD[(pending << (5 - bits)) & 31] : text;
}

const ID_BYTES = 16;

/** Random bytes in stock: asking the system for each id would cost more than all else that an id takes. */
const stock = Buffer.alloc(256 * ID_BYTES);
let used = stock.length;

function randomId(): string {
  if (used === stock.length) {
    randomFillSync(stock);
    used = 0;
  }
  used += ID_BYTES;
  return toBase32(stock.subarray(used - ID_BYTES, used));
}

export const systemRandom: Random = { fraction: () => Math.random(), id: randomId };
