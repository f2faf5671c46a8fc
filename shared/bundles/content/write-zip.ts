import { unprocessable } from '../../platform/errors.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import { type ArchiveSink, type BundleInput, type Content, pathOf } from './bundle-input.ts';
import { checkPaths, normalizePath, quoted } from './bundle-path.ts';
import { collect, piecesOf } from './content-chunks.ts';
import { ContentFacts } from './content-facts.ts';
import { checkFileCount, checkUnpackedSize } from './content-limits.ts';
import { comparePaths, digestOf, type Manifest, type ManifestFile, type PackedFacts } from './manifest.ts';
import { deflate, packFile, WHOLE_BYTES } from './pack-file.ts';
import { Pause } from './pause.ts';
import { centralHeader, endOfDirectory, localHeader, localHeaderBytes } from './zip-records.ts';

/** So many small files are read and packed at a time. */
const AHEAD = 16;
/** Small pieces go to the sink together, in about so many bytes. */
const BATCH_BYTES = 256 * 1024;

/** An input whose turn has come: small ones have been read by then. */
type Ready =
  | { readonly kind: 'whole'; readonly facts: PackedFacts; readonly data: Uint8Array }
  | { readonly kind: 'large'; readonly input: BundleInput };

/**
 * Writes the archive of a version: the same bytes whenever the content is the same. Memory holds a few small files, or a piece of a large
 * one.
 *
 * @throws SkerryError `unprocessable` for no files, for paths that cannot be beside each other, and for content that is not as large as it
 * was said to be; `too-large` for more than a bundle may have; and what reading the inputs throws.
 */
export async function writeZip(inputs: readonly BundleInput[], sink: ArchiveSink): Promise<Manifest> {
  checkTotals(inputs);
  const sorted = inputs.map(normalized).sort((a, b) => comparePaths(pathOf(a), pathOf(b)));
  checkPaths(sorted.map(pathOf));

  const output = new Output(sink);
  const files: ManifestFile[] = [];
  const pause = new Pause();
  for await (const ready of readAhead(sorted)) {
    await pause.whenLong();
    files.push(
      ready.kind === 'whole' ? await writeWhole(ready, output) : await writeLarge(ready.input, output),
    );
  }
  await writeDirectory(files, output);
  const size = files.reduce((sum, file) => sum + file.size, 0);
  return { digest: digestOf(files), files, size, archiveSize: output.position };
}

function checkTotals(inputs: readonly BundleInput[]): void {
  if (inputs.length === 0) {
    throw unprocessable('A version needs a file.', { fix: 'Put one at least.' });
  }
  checkFileCount(inputs.length);
  const size = inputs.reduce((sum, input) => sum + sizeOf(input), 0);
  checkUnpackedSize(size, BUNDLE_LIMITS.unpackedBytes);
}

function normalized(input: BundleInput): BundleInput {
  const path = normalizePath(pathOf(input));
  return input.kind === 'raw' ? { ...input, path } : { ...input, facts: { ...input.facts, path } };
}

function sizeOf(input: BundleInput): number {
  return input.kind === 'raw' ? input.size : input.facts.size;
}

async function* readAhead(inputs: readonly BundleInput[]): AsyncGenerator<Ready> {
  const coming: Promise<Ready>[] = [];
  try {
    for (const [index] of inputs.entries()) {
      for (const input of inputs.slice(index + coming.length, index + AHEAD)) {
        const ready = prepare(input);
        // It fails when its turn comes; until then, nobody may be listening.
        ready.catch(() => undefined);
        coming.push(ready);
      }
      const next = coming.shift();
      if (next !== undefined) yield await next;
    }
  } finally {
    await Promise.allSettled(coming);
  }
}

async function prepare(input: BundleInput): Promise<Ready> {
  if (input.kind === 'packed') {
    if (input.facts.packedSize > WHOLE_BYTES) return { kind: 'large', input };
    return { kind: 'whole', facts: input.facts, data: await collect(await input.read()) };
  }
  if (input.size > WHOLE_BYTES) return { kind: 'large', input };
  const bytes = await collect(checkedContent(input, await input.read()));
  return { kind: 'whole', ...(await packFile(input.path, bytes)) };
}

async function writeWhole({ facts, data }: Ready & { kind: 'whole' }, output: Output): Promise<ManifestFile> {
  await output.append(localHeader(facts));
  const offset = output.position;
  await output.append(data);
  checkPackedSize(facts, output.position - offset);
  return { ...facts, offset };
}

async function writeLarge(input: BundleInput, output: Output): Promise<ManifestFile> {
  if (input.kind === 'packed') {
    await output.append(localHeader(input.facts));
    const offset = output.position;
    for await (const piece of piecesOf(await input.read())) {
      await output.append(piece);
    }
    checkPackedSize(input.facts, output.position - offset);
    return { ...input.facts, offset };
  }
  const header = await output.reserve(localHeaderBytes(input.path));
  const offset = output.position;
  const content = new ContentFacts();
  for await (const piece of deflate(checkedContent(input, await input.read()), content)) {
    await output.append(piece);
  }
  const facts: PackedFacts = {
    path: input.path,
    ...content.end(),
    method: 'deflated',
    packedSize: output.position - offset,
  };
  await header.fill(localHeader(facts));
  return { ...facts, offset };
}

async function writeDirectory(files: readonly ManifestFile[], output: Output): Promise<void> {
  const start = output.position;
  for (const file of files) {
    await output.append(centralHeader(file));
  }
  await output.append(endOfDirectory(files.length, { start, bytes: output.position - start }));
  await output.flush();
}

/** Limits were checked, and offsets are reckoned, by the sizes that were announced. */
async function* checkedContent(
  { path, size }: { readonly path: string; readonly size: number },
  content: Content,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of piecesOf(content)) {
    bytes += piece.length;
    if (bytes > size) break;
    yield piece;
  }
  if (bytes !== size) {
    throw unprocessable(`The file ${quoted(path)} has not the ${size} bytes that it was announced with.`, {
      fix: 'Pack and upload it again.',
    });
  }
}

/** What this program packed before is as it was then, unless storage is damaged. */
function checkPackedSize({ path, packedSize }: PackedFacts, bytes: number): void {
  if (bytes !== packedSize) {
    throw new Error(`The packed file ${quoted(path)} has ${bytes} bytes instead of ${packedSize}.`);
  }
}

/** A sink that is given small pieces together, and knows how far it is. */
class Output {
  readonly #sink: ArchiveSink;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #position = 0;

  constructor(sink: ArchiveSink) {
    this.#sink = sink;
  }

  get position(): number {
    return this.#position;
  }

  async append(bytes: Uint8Array): Promise<void> {
    this.#position += bytes.length;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= BATCH_BYTES) await this.flush();
  }

  async reserve(bytes: number): Promise<{ fill(bytes: Uint8Array): Promise<void> }> {
    await this.flush();
    this.#position += bytes;
    return this.#sink.reserve(bytes);
  }

  async flush(): Promise<void> {
    const [first, ...others] = this.#waiting;
    if (first === undefined) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    await this.#sink.append(others.length === 0 ? first : Buffer.concat([first, ...others]));
  }
}
