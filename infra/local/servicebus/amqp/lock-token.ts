/** .NET writes the first three fields of a GUID with the least significant byte first. */
const DOTNET_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** The delivery tag that carries a lock token, which clients reorder to get the token back. */
export function toDeliveryTag(lockToken: string): Buffer {
  const bytes = Buffer.from(lockToken.replaceAll('-', ''), 'hex');
  return Buffer.from(DOTNET_ORDER.map((index) => bytes.readUInt8(index)));
}

/** The lock token in a management request, an AMQP UUID in the usual byte order. */
export function fromUuidBytes(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
