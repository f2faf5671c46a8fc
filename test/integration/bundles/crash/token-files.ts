import { createHash } from 'node:crypto';
import type { BundleInput } from '../../../../shared/bundles/content/bundle-input.ts';
import { digestOf } from '../../../../shared/bundles/content/manifest.ts';
import { RecentMap } from '../../../../shared/platform/recent-map.ts';
import { filesOf } from '../bundles-fixture.ts';

/*
 * The content of a version is made of a token: each of its files names the token and how many files there are, and no two tokens have
 * a file in common. So whoever reads files sees whether they belong together, and whether they are all.
 */

const MOST_FILES = 8;
/** Tokens that begin so have many files, all of them small. */
const WIDE = 'wide';
const WIDE_FILES = 60;
const FOLDERS = 3;
const LONGEST_FILLER = 1_500;

/** What is checked most often is not made each time. */
const recent = new RecentMap<string, ReadonlyMap<string, string>>(200);

export function newToken(facts: {
  readonly isWide: boolean;
  readonly owner: string;
  readonly nth: number;
}): string {
  return `${facts.isWide ? WIDE : 'token'}-${facts.owner}-${facts.nth}`;
}

/** Contents by path. Tokens that differ may have paths in common. */
export function contentOf(token: string): ReadonlyMap<string, string> {
  const known = recent.get(token) ?? makeContent(token);
  recent.set(token, known);
  return known;
}

function makeContent(token: string): ReadonlyMap<string, string> {
  const hash = createHash('sha256').update(token).digest();
  const isWide = token.startsWith(WIDE);
  const count = (isWide ? WIDE_FILES : 1) + (hash.readUInt8(0) % (isWide ? WIDE_FILES : MOST_FILES));
  return new Map(
    Array.from({ length: count }, (_, index) => {
      const filler = hash.readUInt16BE(index % 30) % (isWide ? LONGEST_FILLER / 10 : LONGEST_FILLER);
      // Some of it packs well, and some does not.
      const text = index % 2 === 0 ? 'filler '.repeat(filler / 7) : randomText(`${token} ${index}`, filler);
      return [`folder${index % FOLDERS}/file${index}.txt`, `${token} ${index} of ${count}\n${text}`];
    }),
  );
}

function randomText(seed: string, length: number): string {
  let text = '';
  for (let part = 0; text.length < length; part++) {
    text += createHash('sha256').update(`${seed} ${part}`).digest('base64');
  }
  return text.slice(0, length);
}

export function inputsOf(token: string): BundleInput[] {
  return filesOf(Object.fromEntries(contentOf(token)));
}

export function digestOfToken(token: string): string {
  return digestOf(
    [...contentOf(token)].map(([path, text]) => ({
      path,
      size: Buffer.byteLength(text),
      sha256: createHash('sha256').update(text).digest('hex'),
    })),
  );
}

/** What is wrong with files that are said to be all of a token's; undefined where nothing is. */
export function faultIn(files: ReadonlyMap<string, Uint8Array>, token: string): string | undefined {
  const wanted = contentOf(token);
  const paths = [...files.keys()].sort().join(' ');
  const wantedPaths = [...wanted.keys()].sort().join(' ');
  if (paths !== wantedPaths) return `it has the files ${paths}, and not ${wantedPaths}`;
  for (const [path, bytes] of files) {
    const text = Buffer.from(bytes).toString();
    if (text !== wanted.get(path)) return `${path} has "${text.slice(0, 40)}…", and is to be of ${token}`;
  }
  return undefined;
}
