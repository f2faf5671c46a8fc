const BLOCK_BYTES = 512;
const NAME_BYTES = 100;

/** What stands before a regular file in a tar (POSIX.1-2001): always with the same owner, mode and time. */
export function tarHeader(path: string, size: number): Uint8Array {
  if (Buffer.byteLength(path) <= NAME_BYTES) return ustarHeader(path, '0', size);
  const facts = Buffer.from(paxRecord('path', path));
  const name = 'long-name';
  return Buffer.concat([
    ustarHeader(name, 'x', facts.length),
    facts,
    tarPadding(facts.length),
    ustarHeader(name, '0', size),
  ]);
}

/** What fills up the last block of so many bytes. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array(-size & (BLOCK_BYTES - 1));
}

/** What ends a tar. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK_BYTES);
}

function ustarHeader(name: string, type: '0' | 'x', size: number): Uint8Array {
  const header = Buffer.alloc(BLOCK_BYTES);
  const octal = (value: number, at: number, digits: number) =>
    header.write(value.toString(8).padStart(digits, '0'), at);
  header.write(name, 0);
  octal(0o644, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(size, 124, 11);
  octal(0, 136, 11);
  header.fill(' ', 148, 156);
  header.write(type, 156);
  header.write('ustar\x0000', 257);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  header[154] = 0;
  return header;
}

/** `<length> <key>=<value>\n`, of which the length is that of the whole in bytes, its own digits too. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const restBytes = Buffer.byteLength(rest);
  let length = restBytes;
  while (length !== restBytes + String(length).length) {
    length = restBytes + String(length).length;
  }
  return `${length}${rest}`;
}
