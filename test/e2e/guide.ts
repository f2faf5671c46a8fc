import { readFile } from 'node:fs/promises';
import path from 'node:path';

const DOCS = path.resolve(import.meta.dirname, '../../docs');

/** A page of the documentation, as far as it can be run. */
export interface Guide {
  /** The content of its blocks of a language, in their order. */
  blocks(language: string): readonly string[];
  readonly text: string;
}

export async function readGuide(file: string): Promise<Guide> {
  const text = await readFile(path.join(DOCS, file), 'utf8');
  return {
    text,
    blocks: (language) =>
      Array.from(
        text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms')),
        ([, code = '']) => code,
      ),
  };
}
