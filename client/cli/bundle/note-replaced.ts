import path from 'node:path';
import type { Output } from '../output.ts';

/** Whoever stands in a folder that was replaced still stands in the old one, which is empty now. */
export function noteReplaced(folder: string, workingFolder: string, output: Pick<Output, 'note'>): void {
  const isAround = path.relative(folder, workingFolder).split(path.sep)[0] !== '..';
  if (isAround) output.note('skerry: the folder that you are in was replaced: enter it anew, as by "cd .".');
}
