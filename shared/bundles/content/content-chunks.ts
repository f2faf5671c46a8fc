import type { Transform } from 'node:stream';
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

/**
 * What becomes of content in a transform of zlib. Each piece has been dealt with before the next is given, and the end is told by itself:
 * the calls are the same whenever the pieces are.
 *
 * @throws what the content or the transform throws; both are ended then, as they are when nobody reads on.
 */
export async function* through(
  transform: Transform,
  content: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const closed = new Promise<never>((_resolve, reject) => {
    transform.once('close', () => reject(new Error('Nobody reads on.')));
  });
  closed.catch(() => undefined);
  const feed = async () => {
    for await (const piece of content) {
      const done = new Promise<void>((resolve, reject) => {
        transform.write(piece, (error) => (error ? reject(error) : resolve()));
      });
      await Promise.race([done, closed]);
    }
    transform.end();
  };
  feed().catch((error: unknown) => {
    transform.destroy(error instanceof Error ? error : new Error(String(error)));
  });
  yield* transform;
}
