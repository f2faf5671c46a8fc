import { mapConcurrently } from '../../platform/map-concurrently.ts';
import type { ManifestFile } from '../content/manifest.ts';
import { Pause } from '../content/pause.ts';

/** What is compared as text: larger files, and more of them, are said to be different, and no more. */
const TEXT_LIMITS = {
  /** Bytes of a file. */
  fileBytes: 256 * 1024,
  /** Bytes of all files that are read for one comparison. */
  bytes: 1024 * 1024,
  files: 200,
  /** Lines that are deleted or inserted in a file: the time that a comparison takes grows with their square. */
  edits: 1_000,
  /** Milliseconds of computing for one comparison. */
  milliseconds: 1_000,
} as const;

const CONTEXT_LINES = 3;
/** Files that are read at a time, each in both versions. */
const READS = 8;

export type TextDifference = { readonly diff: string } | { readonly omitted: 'binary' | 'too large' };

interface Change {
  readonly from: ManifestFile;
  readonly to: ManifestFile;
}

/**
 * Compares the changed files of two versions as text, as far as they are text and the limits go. Only such files are read.
 *
 * @param read the content of a file of the older (`from`) or the newer (`to`) version.
 * @returns a difference for each change, in their order: unified, with three lines of context.
 */
export async function textDifferences(
  changes: readonly Change[],
  read: (side: 'from' | 'to', file: ManifestFile) => Promise<Uint8Array>,
): Promise<readonly TextDifference[]> {
  const readable = withinLimits(changes);
  const texts = await mapConcurrently(readable, READS, async ({ from, to }) => {
    const [before, after] = await Promise.all([read('from', from), read('to', to)]);
    return [textOf(before), textOf(after)] as const;
  });
  const textsOf = new Map(readable.map((change, index) => [change, texts[index]]));

  const budget = { milliseconds: TEXT_LIMITS.milliseconds };
  const pause = new Pause();
  const differences: TextDifference[] = [];
  for (const change of changes) {
    const both = textsOf.get(change);
    if (both === undefined) {
      differences.push({ omitted: isText(change) ? 'too large' : 'binary' });
    } else {
      await pause.whenLong();
      differences.push(await compare(change.to.path, both, budget));
    }
  }
  return differences;
}

/** The changes whose texts are read. */
function withinLimits(changes: readonly Change[]): readonly Change[] {
  const chosen: Change[] = [];
  let bytes = 0;
  for (const change of changes) {
    const { from, to } = change;
    const isSmall = Math.max(from.size, to.size) <= TEXT_LIMITS.fileBytes;
    const fits = bytes + from.size + to.size <= TEXT_LIMITS.bytes && chosen.length < TEXT_LIMITS.files;
    if (isText(change) && isSmall && fits) {
      chosen.push(change);
      bytes += from.size + to.size;
    }
  }
  return chosen;
}

function isText({ from, to }: Change): boolean {
  return from.isText && to.isText;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
}

/** @param budget is left with what was not used. */
async function compare(
  path: string,
  [before, after]: readonly [string, string],
  budget: { milliseconds: number },
): Promise<TextDifference> {
  if (budget.milliseconds <= 0) return { omitted: 'too large' };
  const { createTwoFilesPatch, FILE_HEADERS_ONLY } = await import('diff');
  const begun = performance.now();
  const diff = createTwoFilesPatch(`a/${path}`, `b/${path}`, before, after, undefined, undefined, {
    context: CONTEXT_LINES,
    headerOptions: FILE_HEADERS_ONLY,
    maxEditLength: TEXT_LIMITS.edits,
    timeout: budget.milliseconds,
  });
  budget.milliseconds -= performance.now() - begun;
  return diff === undefined ? { omitted: 'too large' } : { diff };
}
