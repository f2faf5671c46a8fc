import { isUtf8 } from 'node:buffer';
import { unprocessable } from '../../platform/errors.ts';
import { quoted } from './bundle-path.ts';
import { ByteReader } from './byte-reader.ts';

const BLOCK_BYTES = 512;
/** Of long names and other facts before a file. */
const MAX_FACTS_BYTES = 64 * 1024;

/** pax facts about the next file and about all, and GNU's long names and link names. */
const FACTS: readonly string[] = ['x', 'g', 'L', 'K'];
const FOLDER = '5';
const REGULAR_FILES: readonly string[] = ['0', '\0', '7'];
const LINKS: Readonly<Record<string, string>> = { 1: 'a hard link', 2: 'a symbolic link' };
const OTHERS: Readonly<Record<string, string>> = { 3: 'a device', 4: 'a device', 6: 'a pipe', S: 'sparse' };

export interface TarFile {
  readonly name: string;
  readonly size: number;
  /** To be called before the next file is asked for. */
  read(): Promise<Uint8Array>;
}

/** What stands before a file and holds for it. */
interface Before {
  readonly name?: string | undefined;
  readonly size?: number | undefined;
}

/**
 * The regular files of a tar (ustar, pax, GNU or the oldest form), one after the other; folders and facts about all files are passed over.
 * Each kind of entry is known or refused: what tar programs made up over time looks like a file, and holds something else.
 *
 * @throws SkerryError `unprocessable` for what is no tar or is cut, and for links, devices and sparse files.
 */
export async function* tarFiles(tar: AsyncIterable<Uint8Array>): AsyncGenerator<TarFile> {
  const input = new ByteReader(tar, () => damaged('it is cut'));
  try {
    yield* filesIn(input);
    await checkEnd(input);
  } finally {
    await input.close();
  }
}

async function* filesIn(input: ByteReader): AsyncGenerator<TarFile> {
  let before: Before = {};
  for (;;) {
    const header = await input.take(BLOCK_BYTES);
    if (isZero(header)) return;
    checkHeader(header);
    const type = header.toString('latin1', 156, 157);
    const size = numberAt(header, 124, 12);
    if (FACTS.includes(type)) {
      before = { ...before, ...(await readFacts(input, type, size)) };
    } else {
      const name = before.name ?? nameIn(header);
      checkType(type, name);
      yield* fileIn(input, type, name, before.size ?? size);
      before = {};
    }
  }
}

/** A file, or nothing where it is a folder. */
async function* fileIn(input: ByteReader, type: string, name: string, size: number): AsyncGenerator<TarFile> {
  let unread = size;
  if (type !== FOLDER && !name.endsWith('/')) {
    const read = async () => {
      const content = await input.take(unread);
      unread = 0;
      return content;
    };
    yield { name, size, read };
  }
  await input.skip(unread + padding(size));
}

async function readFacts(input: ByteReader, type: string, size: number): Promise<Before> {
  if (size > MAX_FACTS_BYTES)
    throw damaged(`it has more than ${MAX_FACTS_BYTES} bytes of facts before a file`);
  const bytes = await input.take(size);
  await input.skip(padding(size));
  if (type === 'x') return paxFacts(bytes);
  return type === 'L' ? { name: textUntilZero(bytes) } : {};
}

function checkType(type: string, name: string): void {
  if (type === FOLDER || REGULAR_FILES.includes(type)) return;
  const link = LINKS[type];
  throw unprocessable(
    `The entry ${quoted(name)} is ${link ?? OTHERS[type] ?? `of the unknown type ${quoted(type)}`}.`,
    {
      field: 'body',
      fix: `Put the file itself instead${link === undefined ? '' : '; tar follows links with "--dereference --hard-dereference"'}.`,
    },
  );
}

function checkHeader(header: Buffer): void {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK_BYTES; at++) {
    if (at < 148 || at >= 156) sum += header[at] ?? 0;
  }
  if (sum !== numberAt(header, 148, 8)) throw damaged('a header has another checksum than it says');
}

/** Octal digits, or, where the first bit is set, the bytes of the number. */
function numberAt(header: Buffer, at: number, bytes: number): number {
  if (((header[at] ?? 0) & 0x80) !== 0) {
    const low = header.readUIntBE(at + bytes - 6, 6);
    const high = header.subarray(at + 1, at + bytes - 6);
    if (header[at] !== 0x80 || !isZero(high)) throw damaged('a header has a number that is too large');
    return low;
  }
  const text = header.toString('latin1', at, at + bytes);
  const digits = /^ *([0-7]*)[ \0]*$/.exec(text)?.[1];
  if (digits === undefined) throw damaged('a header has a number that is none');
  return Number.parseInt(digits === '' ? '0' : digits, 8);
}

function nameIn(header: Buffer): string {
  const name = textUntilZero(header.subarray(0, 100));
  const prefix =
    header.toString('latin1', 257, 263) === 'ustar\0' ? textUntilZero(header.subarray(345, 500)) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function textUntilZero(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return text(end < 0 ? bytes : bytes.subarray(0, end));
}

function text(bytes: Buffer): string {
  if (!isUtf8(bytes)) {
    throw unprocessable(`The name ${quoted(bytes.toString('latin1'))} is not valid UTF-8.`, {
      field: 'body',
      fix: 'Rename the file.',
    });
  }
  return bytes.toString();
}

/** Records `<length> <key>=<value>\n`, of which the length is that of the whole record in bytes. */
function paxFacts(bytes: Buffer): Before {
  let facts: Before = {};
  for (let at = 0; at < bytes.length; ) {
    const [whole = '', length = ''] = /^([1-9]\d{0,5}) /.exec(bytes.toString('latin1', at, at + 7)) ?? [];
    const end = at + Number(length);
    const equals = bytes.indexOf('=', at);
    if (whole === '' || end > bytes.length || bytes[end - 1] !== 0x0a || equals < 0 || equals >= end) {
      throw damaged('its pax facts are malformed');
    }
    const key = bytes.toString('latin1', at + whole.length, equals);
    const value = bytes.subarray(equals + 1, end - 1);
    if (key === 'path') facts = { ...facts, name: text(value) };
    if (key === 'size') facts = { ...facts, size: decimal(value) };
    if (key.startsWith('GNU.sparse.')) {
      throw unprocessable('An entry is sparse.', { field: 'body', fix: 'Make the tar without "--sparse".' });
    }
    at = end;
  }
  return facts;
}

function decimal(value: Buffer): number {
  const digits = /^\d{1,15}$/.exec(value.toString('latin1'))?.[0];
  if (digits === undefined) throw damaged('its pax facts name a size that is none');
  return Number(digits);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** @param why "This is no tar, or a damaged one: …" */
export function damaged(why: string, cause?: unknown) {
  return unprocessable(`This is no tar, or a damaged one: ${why}.`, {
    field: 'body',
    fix: 'Make the tar anew, and upload it as it is.',
    cause,
  });
}

/** What fills up the last block. */
function padding(size: number): number {
  return -size & (BLOCK_BYTES - 1);
}

/** Behind the end is nothing but zeros; reading them tells whether what the tar was packed in is whole. */
async function checkEnd(input: ByteReader): Promise<void> {
  for await (const piece of input.rest()) {
    if (!isZero(piece)) throw damaged('it goes on behind its end');
  }
}
