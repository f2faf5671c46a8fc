import { ServiceBusError } from '../service-bus-error.ts';

/**
 * The part of the AMQP 1.0 type system (OASIS AMQP 1.0, part 1) that the emulator handles itself. Message sections are
 * cut and joined as bytes, never decoded as a whole, so that no type of a sender is lost on the way to the receiver.
 */

/** A value a broker looks into; other types are opaque. */
export type Scalar = string | number | boolean | Date | Buffer | null;

export class DecodeError extends ServiceBusError {
  constructor(description: string) {
    super('amqp:decode-error', 400, description);
  }
}

const DESCRIBED = 0x00;

/** Bytes of a fixed-width value, by the high half of its typeCode. */
const FIXED_WIDTHS: Readonly<Record<number, number>> = { 4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16 };

/** Where the value that starts at `offset` ends. */
export function endOfValue(buffer: Buffer, offset: number): number {
  const typeCode = byteAt(buffer, offset);
  if (typeCode === DESCRIBED) return endOfValue(buffer, endOfValue(buffer, offset + 1));
  const end = offset + 1 + payloadLength(buffer, offset, typeCode >> 4);
  if (end > buffer.length) throw new DecodeError('A value ends beyond its frame.');
  return end;
}

function payloadLength(buffer: Buffer, offset: number, category: number): number {
  const width = FIXED_WIDTHS[category];
  if (width !== undefined) return width;
  if (category < 0xa) throw new DecodeError(`Unknown type at ${offset}.`);
  return category % 2 === 0 ? 1 + byteAt(buffer, offset + 1) : 4 + uint32At(buffer, offset + 1);
}

function byteAt(buffer: Buffer, offset: number): number {
  const byte = buffer[offset];
  if (byte === undefined) throw new DecodeError('The bytes end inside a value.');
  return byte;
}

function uint32At(buffer: Buffer, offset: number): number {
  if (offset + 4 > buffer.length) throw new DecodeError('The bytes end inside a value.');
  return buffer.readUInt32BE(offset);
}

/** What an encoded value means, by its type code. */
const SCALARS: Readonly<Record<number, (value: Buffer) => Scalar>> = {
  64: () => null,
  65: () => true,
  66: () => false,
  67: () => 0,
  68: () => 0,
  80: (value) => value.readUInt8(1),
  82: (value) => value.readUInt8(1),
  83: (value) => value.readUInt8(1),
  84: (value) => value.readInt8(1),
  85: (value) => value.readInt8(1),
  86: (value) => value[1] === 1,
  96: (value) => value.readUInt16BE(1),
  97: (value) => value.readInt16BE(1),
  112: (value) => value.readUInt32BE(1),
  113: (value) => value.readInt32BE(1),
  128: (value) => Number(value.readBigUInt64BE(1)),
  129: (value) => Number(value.readBigInt64BE(1)),
  131: (value) => new Date(Number(value.readBigInt64BE(1))),
  152: (value) => value.subarray(1),
  160: (value) => value.subarray(2),
  161: (value) => value.toString('utf8', 2),
  163: (value) => value.toString('utf8', 2),
  176: (value) => value.subarray(5),
  177: (value) => value.toString('utf8', 5),
  179: (value) => value.toString('utf8', 5),
};

/** Decodes one whole encoded value; undefined for a type that no broker looks into. */
export function decodeScalar(value: Buffer): Scalar | undefined {
  return SCALARS[byteAt(value, 0)]?.(value);
}

/** The encoded items of an encoded list, or the keys and values of an encoded map. */
export function itemsOf(compound: Buffer): Buffer[] {
  const typeCode = byteAt(compound, 0);
  if (typeCode === 0x45 || typeCode === 0x40) return [];
  const narrow = typeCode === 0xc0 || typeCode === 0xc1;
  if (!narrow && typeCode !== 0xd0 && typeCode !== 0xd1) throw new DecodeError('Expected a list or a map.');
  const count = narrow ? byteAt(compound, 2) : uint32At(compound, 5);
  const items: Buffer[] = [];
  let offset = narrow ? 3 : 9;
  while (items.length < count) {
    const end = endOfValue(compound, offset);
    items.push(compound.subarray(offset, end));
    offset = end;
  }
  return items;
}

/** The encoded value of an encoded message section, null when there is no section. */
export function sectionValue(section: Buffer): Buffer {
  return section.length === 0 ? NULL : section.subarray(endOfValue(section, 1));
}

/** A described value with a small numeric descriptor: a message section. */
export function encodeSection(code: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([DESCRIBED, 0x53, code]), value]);
}

export function encodeList(items: readonly Buffer[]): Buffer {
  return encodeCompound(0xd0, items);
}

export function encodeMap(entries: readonly Buffer[]): Buffer {
  return encodeCompound(0xd1, entries);
}

function encodeCompound(typeCode: number, items: readonly Buffer[]): Buffer {
  const count = Buffer.allocUnsafe(4);
  count.writeUInt32BE(items.length);
  const size = items.reduce((total, item) => total + item.length, count.length);
  return Buffer.concat([encodeInteger32(typeCode, size), count, ...items]);
}

export const NULL = Buffer.from([0x40]);

export function encodeBoolean(value: boolean): Buffer {
  return Buffer.from([value ? 0x41 : 0x42]);
}

export function encodeUbyte(value: number): Buffer {
  return Buffer.from([0x50, value]);
}

export function encodeUint(value: number): Buffer {
  return encodeInteger32(0x70, value);
}

/** From 0 on: more is not needed. */
export function encodeInt(value: number): Buffer {
  return encodeInteger32(0x71, value);
}

function encodeInteger32(typeCode: number, value: number): Buffer {
  const buffer = Buffer.allocUnsafe(5);
  buffer.writeUInt8(typeCode, 0);
  buffer.writeUInt32BE(value, 1);
  return buffer;
}

export function encodeLong(value: number): Buffer {
  return encodeInteger64(0x81, value);
}

/** Milliseconds since the epoch. */
export function encodeTimestamp(value: number): Buffer {
  return encodeInteger64(0x83, value);
}

function encodeInteger64(typeCode: number, value: number): Buffer {
  const buffer = Buffer.allocUnsafe(9);
  buffer.writeUInt8(typeCode, 0);
  buffer.writeBigInt64BE(BigInt(value), 1);
  return buffer;
}

export function encodeString(value: string): Buffer {
  return encodeText(0xa1, 0xb1, value);
}

export function encodeSymbol(value: string): Buffer {
  return encodeText(0xa3, 0xb3, value);
}

function encodeText(short: number, long: number, value: string): Buffer {
  const text = Buffer.from(value);
  const start = text.length < 256 ? Buffer.from([short, text.length]) : encodeInteger32(long, text.length);
  return Buffer.concat([start, text]);
}
