import type { JsonValue } from './json.ts';

/** What the hash of a value starts with (Cosmos DB SDKs, PartitionKeyComponentType). */
const PREFIX = { undefined: 0x00, null: 0x01, false: 0x02, true: 0x03, number: 0x05, string: 0x08 } as const;
const STRING_END = 0xff;
const FIRST = 0x87c37b91114253d5n;
const SECOND = 0x4cf5ad432745937fn;

/**
 * Where a partition key stands in the space that physical partitions divide among them: its hash of version 2, that is Murmur3
 * (128 bits, x64) with the bytes turned round and the highest two bits cleared, as 32 hexadecimal digits.
 * @param value `{}` stands for a missing value
 */
export function effectivePartitionKey(value: JsonValue): string {
  const [low, high] = murmur3(componentBytes(value));
  const hash = Buffer.alloc(16);
  hash.writeBigUInt64BE(high);
  hash.writeBigUInt64BE(low, 8);
  hash.writeUInt8(hash.readUInt8(0) & 0x3f, 0);
  return hash.toString('hex').toUpperCase();
}

function componentBytes(value: JsonValue): Buffer {
  if (typeof value === 'string') {
    return Buffer.concat([Buffer.of(PREFIX.string), Buffer.from(value), Buffer.of(STRING_END)]);
  }
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9, PREFIX.number);
    bytes.writeDoubleLE(value, 1);
    return bytes;
  }
  if (typeof value === 'boolean') return Buffer.of(value ? PREFIX.true : PREFIX.false);
  return Buffer.of(value === null ? PREFIX.null : PREFIX.undefined);
}

/** MurmurHash3_x64_128 with seed 0 (Austin Appleby, public domain). */
function murmur3(key: Buffer): [low: bigint, high: bigint] {
  let low = 0n;
  let high = 0n;
  const whole = key.length - (key.length % 16);
  for (let offset = 0; offset < whole; offset += 16) {
    low ^= scramble(key.readBigUInt64LE(offset), FIRST, 31n, SECOND);
    low = u64(u64(rotate(low, 27n) + high) * 5n + 0x52dce729n);
    high ^= scramble(key.readBigUInt64LE(offset + 8), SECOND, 33n, FIRST);
    high = u64(u64(rotate(high, 31n) + low) * 5n + 0x38495ab5n);
  }
  const tail = Buffer.alloc(16);
  key.copy(tail, 0, whole);
  high ^= scramble(tail.readBigUInt64LE(8), SECOND, 33n, FIRST) ^ BigInt(key.length);
  low ^= scramble(tail.readBigUInt64LE(0), FIRST, 31n, SECOND) ^ BigInt(key.length);
  low = u64(low + high);
  high = u64(high + low);
  low = finalMix(low);
  high = finalMix(high);
  low = u64(low + high);
  return [low, u64(high + low)];
}

function scramble(block: bigint, first: bigint, by: bigint, second: bigint): bigint {
  return u64(rotate(u64(block * first), by) * second);
}

function finalMix(given: bigint): bigint {
  let mixed = u64((given ^ (given >> 33n)) * 0xff51afd7ed558ccdn);
  mixed = u64((mixed ^ (mixed >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return mixed ^ (mixed >> 33n);
}

function rotate(value: bigint, by: bigint): bigint {
  return u64((value << by) | (value >> (64n - by)));
}

function u64(value: bigint): bigint {
  return BigInt.asUintN(64, value);
}
