import { fold } from './fold.ts';

/** Characters of an excerpt, and how many of them stand before what was found. */
const LENGTH = 160;
const BEFORE = 40;

/** The part of a text around what was asked for, as it is written, on one line; `…` stands for what is left out. */
export function excerptOf(text: string, wanted: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ');
  // Where the folded text is of another length, which is rare, the excerpt begins a little too early or too late.
  const at = fold(line).indexOf(fold(wanted).trim());
  const start = line.length <= LENGTH ? 0 : Math.max(0, at - BEFORE);
  const part = [...line.slice(start, start + LENGTH)]
    .filter((character) => character.isWellFormed())
    .join('');
  return `${start > 0 ? '…' : ''}${part}${start + LENGTH < line.length ? '…' : ''}`;
}
