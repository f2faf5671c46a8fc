import type { Content } from './bundle-input.ts';

/** Bytes as they come. */
export async function* piecesOf(content: Content): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content;
  else yield* content;
}

/** The same bytes in pieces of one size, but for the last: what becomes of them does not depend on how they came. */
export async function* inChunksOf(size: number, content: Content): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  for await (const piece of piecesOf(content)) {
    let rest = piece;
    while (waitingBytes + rest.length >= size) {
      const missing = size - waitingBytes;
      yield waitingBytes === 0
        ? rest.subarray(0, missing)
        : Buffer.concat([...waiting, rest.subarray(0, missing)]);
      rest = rest.subarray(missing);
      waiting = [];
      waitingBytes = 0;
    }
    if (rest.length > 0) waiting.push(rest);
    waitingBytes += rest.length;
  }
  if (waitingBytes > 0) yield Buffer.concat(waiting);
}

export async function collect(content: Content): Promise<Uint8Array> {
  if (content instanceof Uint8Array) return content;
  const pieces: Uint8Array[] = [];
  for await (const piece of content) {
    pieces.push(piece);
  }
  return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
}
