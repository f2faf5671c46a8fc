import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

/** Bytes of what is published and fetched. */
export const CONTENT_BYTES = 1_000_000;

export interface FileContent {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** 1 MB in so many files of the same size, which no packing makes smaller: so as many bytes move for Skerry as for the floor. */
export function randomFiles(count: number): readonly FileContent[] {
  return filesOf(count, (size) => randomBytes(size));
}

/** 1 MB in so many files of text, of which deflate takes two fifths away. */
export function textFiles(count: number): readonly FileContent[] {
  return filesOf(count, (size) =>
    Buffer.from(
      Array.from({ length: Math.ceil(size / 50) }, (_, index) =>
        `key${index}: ${randomBytes(25).toString('hex')}`.slice(0, 49).padEnd(49),
      ).join('\n'),
    ).subarray(0, size),
  );
}

/** As a client packs them. */
export async function zipOf(files: readonly FileContent[]): Promise<Buffer> {
  const zip = new ZipFile();
  for (const { path, bytes } of files) zip.addBuffer(Buffer.from(bytes), path);
  zip.end();
  return await buffer(zip.outputStream);
}

export function pathOf(index: number): string {
  return `folder${index % 10}/file${index}.yaml`;
}

function filesOf(count: number, make: (size: number) => Uint8Array): readonly FileContent[] {
  const size = CONTENT_BYTES / count;
  return Array.from({ length: count }, (_, index) => ({ path: pathOf(index), bytes: make(size) }));
}
