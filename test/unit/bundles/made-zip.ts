import { crc32, deflateRawSync } from 'node:zlib';

/** An entry of a zip that may say whatever it likes. */
export interface MadeEntry {
  readonly name: string | Buffer;
  readonly content?: Buffer;
  readonly method?: number;
  /** The packed bytes, where they are not the content deflated. */
  readonly packed?: Buffer;
  readonly flags?: number;
  readonly size?: number;
  readonly packedSize?: number;
  readonly crc?: number;
  readonly attributes?: number;
  readonly extra?: Buffer;
  /** What the local header says instead. */
  readonly local?: {
    name?: string;
    size?: number;
    packedSize?: number;
    crc?: number;
    method?: number;
    extra?: Buffer;
  };
  /** Where the directory says that the entry is. */
  readonly at?: number;
  readonly signature?: number;
}

export interface MadeEnd {
  readonly count?: number;
  readonly start?: number;
  readonly comment?: Buffer;
  readonly before?: Buffer;
}

/** A zip by hand, for what no program makes. */
export function madeZip(entries: readonly MadeEntry[], end: MadeEnd = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  const push = (bytes: Buffer) => {
    parts.push(bytes);
    position += bytes.length;
  };
  for (const entry of entries) {
    const content = entry.content ?? Buffer.alloc(0);
    const method = entry.method ?? 8;
    const packed = entry.packed ?? (method === 8 ? deflateRawSync(content) : content);
    const name = Buffer.from(entry.name);
    const facts = {
      flags: entry.flags ?? 0x0800,
      method,
      crc: entry.crc ?? crc32(content),
      packedSize: entry.packedSize ?? packed.length,
      size: entry.size ?? content.length,
      extra: entry.extra ?? Buffer.alloc(0),
      name,
    };
    const start = position;
    const { name: localName, ...local } = entry.local ?? {};
    const localFacts = { ...facts, ...local, name: Buffer.from(localName ?? name) };
    const header = Buffer.alloc(30);
    header.writeUInt32LE(entry.signature ?? 0x04034b50, 0);
    writeFacts(header, 4, localFacts);
    push(Buffer.concat([header, localFacts.name, localFacts.extra, packed]));

    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    writeFacts(central, 6, facts);
    central.writeUInt32LE(entry.attributes ?? 0, 38);
    central.writeUInt32LE(entry.at ?? start, 42);
    directory.push(Buffer.concat([central, facts.name, facts.extra]));
  }
  const directoryStart = position;
  for (const header of directory) push(header);
  const directoryBytes = position - directoryStart;
  if (end.before !== undefined) push(end.before);
  const comment = end.comment ?? Buffer.alloc(0);
  const last = Buffer.alloc(22);
  last.writeUInt32LE(0x06054b50, 0);
  last.writeUInt16LE(end.count ?? entries.length, 8);
  last.writeUInt16LE(end.count ?? entries.length, 10);
  last.writeUInt32LE(directoryBytes, 12);
  last.writeUInt32LE(end.start ?? directoryStart, 16);
  last.writeUInt16LE(comment.length, 20);
  push(Buffer.concat([last, comment]));
  return Buffer.concat(parts);
}

/** What makes a zip one of the larger form: its end, and where that is. */
export function zip64End(zip: Buffer, said: { count: bigint; start: bigint; at?: bigint }): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeBigUInt64LE(44n, 4);
  record.writeBigUInt64LE(said.count, 24);
  record.writeBigUInt64LE(said.count, 32);
  record.writeBigUInt64LE(said.start, 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(said.at ?? BigInt(zip.length - 22), 8);
  return Buffer.concat([record, locator]);
}

function writeFacts(
  header: Buffer,
  at: number,
  facts: {
    flags: number;
    method: number;
    crc: number;
    packedSize: number;
    size: number;
    name: Buffer;
    extra: Buffer;
  },
): void {
  header.writeUInt16LE(20, at);
  header.writeUInt16LE(facts.flags, at + 2);
  header.writeUInt16LE(facts.method, at + 4);
  header.writeUInt32LE(facts.crc, at + 10);
  header.writeUInt32LE(facts.packedSize, at + 14);
  header.writeUInt32LE(facts.size, at + 18);
  header.writeUInt16LE(facts.name.length, at + 22);
  header.writeUInt16LE(facts.extra.length, at + 24);
}
