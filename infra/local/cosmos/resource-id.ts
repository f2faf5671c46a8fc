/**
 * Resource ids as the service makes them: 4 bytes for a database, 8 for a container, 16 for an item, in base64 with
 * `-` for `/`. The SDK keeps session tokens only for owners whose id decodes to exactly 8 bytes.
 */
const CONTAINER_FLAG = 0x80;

export function databaseResourceId(databaseNumber: number): string {
  return encode(databaseBytes(databaseNumber));
}

export function containerResourceId(databaseNumber: number, containerNumber: number): string {
  return encode(containerBytes(databaseNumber, containerNumber));
}

export function itemResourceId(databaseNumber: number, containerNumber: number, itemNumber: number): string {
  const bytes = Buffer.alloc(16);
  containerBytes(databaseNumber, containerNumber).copy(bytes);
  bytes.writeBigUInt64LE(BigInt(itemNumber), 8);
  return encode(bytes);
}

function databaseBytes(databaseNumber: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(databaseNumber);
  return bytes;
}

function containerBytes(databaseNumber: number, containerNumber: number): Buffer {
  const bytes = Buffer.alloc(8);
  databaseBytes(databaseNumber).copy(bytes);
  bytes.writeUInt32BE(containerNumber, 4);
  bytes.writeUInt8(bytes.readUInt8(4) | CONTAINER_FLAG, 4);
  return bytes;
}

function encode(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('/', '-');
}
