/**
 * The part of the AMQP 1.0 type system (OASIS AMQP 1.0, part 1) that the emulator handles itself. Message sections are
 * cut and joined as bytes, never decoded as a whole, so that no type of a sender is lost on the way to the receiver.
 */

/** A value a broker looks into; other types are opaque. */
export type Scalar = string | number | boolean | Date | Buffer | null;

export class DecodeError extends Error {
  override readonly name = 'DecodeError';
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

/** Decodes one whole encoded value; undefined for a type that no broker looks into. */
export function decodeScalar(value: Buffer): Scalar | undefined {
  switch (value[0]) {
    case 0x40:
      return null;
    case 0x41:
      return true;
    case 0x42:
      return false;
    case 0x56:
      return value[1] === 1;
    case 0x43:
    case 0x44:
      return 0;
    case 0x50:
    case 0x52:
    case 0x53:
      return value.readUInt8(1);
    case 0x54:
    case 0x55:
      return value.readInt8(1);
    case 0x70:
      return value.readUInt32BE(1);
    case 0x71:
      return value.readInt32BE(1);
    case 0x60:
      return value.readUInt16BE(1);
    case 0x61:
      return value.readInt16BE(1);
    case 0x80:
      return Number(value.readBigUInt64BE(1));
    case 0x81:
      return Number(value.readBigInt64BE(1));
    case 0x83:
      return new Date(Number(value.readBigInt64BE(1)));
    case 0x98:
      return value.subarray(1);
    case 0xa0:
      return value.subarray(2);
    case 0xb0:
      return value.subarray(5);
    case 0xa1:
    case 0xa3:
      return value.toString('utf8', 2);
    case 0xb1:
    case 0xb3:
      return value.toString('utf8', 5);
    default:
      return undefined;
  }
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
  const start = Buffer.allocUnsafe(9);
  const size = items.reduce((total, item) => total + item.length, 4);
  start.writeUInt8(typeCode, 0);
  start.writeUInt32BE(size, 1);
  start.writeUInt32BE(items.length, 5);
  return Buffer.concat([start, ...items], size + 5);
}

export const NULL = Buffer.from([0x40]);

export function encodeBoolean(value: boolean): Buffer {
  return Buffer.from([value ? 0x41 : 0x42]);
}

export function encodeUbyte(value: number): Buffer {
  return Buffer.from([0x50, value]);
}

export function encodeUint(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(5);
  buffer.writeUInt8(0x70, 0);
  buffer.writeUInt32BE(value, 1);
  return buffer;
}

export function encodeInt(value: number): Buffer {
  const buffer = Buffer.allocUnsafe(5);
  buffer.writeUInt8(0x71, 0);
  buffer.writeInt32BE(value, 1);
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
  if (text.length < 256) return Buffer.concat([Buffer.from([short, text.length]), text]);
  const start = Buffer.allocUnsafe(5);
  start.writeUInt8(long, 0);
  start.writeUInt32BE(text.length, 1);
  return Buffer.concat([start, text]);
}
