import { isUtf8 } from 'node:buffer';
import { unprocessable } from '../../platform/errors.ts';
import { quoted } from './bundle-path.ts';

const BLOCK_BYTES = 512;
/** Of long names and other facts before a file. */
const MAX_FACTS_BYTES = 64 * 1024;

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
  const input = new TarInput(tar);
  let before: Before = {};
  for (;;) {
    const header = await input.take(BLOCK_BYTES);
    if (isZero(header)) break;
    checkHeader(header);
    const type = header.toString('latin1', 156, 157);
    const size = before.size ?? numberAt(header, 124, 12);
    if (type === 'x') {
      before = { ...before, ...paxFacts(await input.takePadded(checkedSize(size))) };
    } else if (type === 'L') {
      before = { ...before, name: textUntilZero(await input.takePadded(checkedSize(size))) };
    } else if (type === 'g' || type === 'K') {
      await input.takePadded(checkedSize(size));
    } else {
      const name = before.name ?? nameIn(header);
      before = {};
      checkType(type, name);
      if (type === '5' || name.endsWith('/')) {
        await input.skipPadded(size);
      } else {
        let isRead = false;
        const read = async () => {
          isRead = true;
          return input.takePadded(size);
        };
        yield { name, size, read };
        if (!isRead) await input.skipPadded(size);
      }
    }
  }
  await input.finish();
}

function checkType(type: string, name: string): void {
  if (type === '5' || REGULAR_FILES.includes(type)) return;
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
  let sum = 0;
  for (const [index, byte] of header.entries()) {
    sum += index >= 148 && index < 156 ? 0x20 : byte;
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

function checkedSize(size: number): number {
  if (size > MAX_FACTS_BYTES)
    throw damaged(`it has more than ${MAX_FACTS_BYTES} bytes of facts before a file`);
  return size;
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

/** The bytes of a tar, by so many as are asked for. */
class TarInput {
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array();

  constructor(tar: AsyncIterable<Uint8Array>) {
    this.#pieces = tar[Symbol.asyncIterator]();
  }

  /** So many bytes of content, and what fills up their last block. */
  async takePadded(bytes: number): Promise<Buffer> {
    const content = await this.take(bytes);
    await this.take(-bytes & (BLOCK_BYTES - 1));
    return content;
  }

  async take(bytes: number): Promise<Buffer> {
    const taken: Uint8Array[] = [];
    let missing = bytes;
    while (missing > 0) {
      const part = await this.#next(missing);
      taken.push(part);
      missing -= part.length;
    }
    const [first] = taken;
    return first !== undefined && taken.length === 1
      ? Buffer.from(first.buffer, first.byteOffset, first.length)
      : Buffer.concat(taken);
  }

  async skipPadded(bytes: number): Promise<void> {
    let missing = bytes + (-bytes & (BLOCK_BYTES - 1));
    while (missing > 0) {
      missing -= (await this.#next(missing)).length;
    }
  }

  /** Behind the end is nothing but zeros; reading them tells whether what the tar was packed in is whole. */
  async finish(): Promise<void> {
    let rest: Uint8Array | undefined = this.#piece;
    while (rest !== undefined) {
      if (!isZero(rest)) throw damaged('it goes on behind its end');
      const { done, value } = await this.#pieces.next();
      rest = done === true ? undefined : value;
    }
  }

  /** Up to so many bytes. */
  async #next(bytes: number): Promise<Uint8Array> {
    while (this.#piece.length === 0) {
      const { done, value } = await this.#pieces.next();
      if (done === true) throw damaged('it is cut');
      this.#piece = value;
    }
    const part = this.#piece.subarray(0, bytes);
    this.#piece = this.#piece.subarray(part.length);
    return part;
  }
}
