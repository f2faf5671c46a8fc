import { unprocessable } from '../../platform/errors.ts';
import { BUNDLE_LIMITS } from '../limits.ts';

const { pathBytes, segmentBytes } = BUNDLE_LIMITS;

/**
 * The one form of a path within a bundle: NFC, segments between single slashes, no `.`.
 *
 * @throws SkerryError `unprocessable` for what leads out of a folder, or what some file system cannot hold.
 */
export function normalizePath(path: string): string {
  if (!path.isWellFormed()) throw refused(path, 'is not valid Unicode', 'Name it in UTF-8.');
  if (/\p{Cc}/u.test(path)) throw refused(path, 'has control characters', 'Rename the file.');
  if (path.includes('\\')) throw refused(path, 'has a backslash', 'Separate folders by "/".');
  const segments = path
    .normalize('NFC')
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.');
  // Also behind a ".", which is gone by now.
  if (path.startsWith('/') || /^[a-z]:/i.test(segments[0] ?? '')) {
    throw refused(path, 'is absolute', 'Name it from the top of the bundle.');
  }
  if (segments.length === 0) throw refused(path, 'is empty', 'Name a file.');
  if (segments.includes('..')) throw refused(path, 'has ".."', 'Name it from the top of the bundle.');
  if (segments.some((segment) => Buffer.byteLength(segment) > segmentBytes)) {
    throw refused(path, `has a segment of more than ${segmentBytes} bytes`, 'Shorten it.');
  }
  const normalized = segments.join('/');
  if (Buffer.byteLength(normalized) > pathBytes) {
    throw refused(path, `has more than ${pathBytes} bytes`, 'Shorten it.');
  }
  return normalized;
}

/**
 * Whether paths can be beside each other in every file system.
 *
 * @param paths normalised.
 * @throws SkerryError `unprocessable` for what is there twice, differs in case only, or is a file and a folder.
 */
export function checkPaths(paths: readonly string[]): void {
  // With "/" below all other characters, whatever shares a folder is next to each other; so neighbours tell all.
  const sorted = paths
    .map((path) => ({ path, folded: fold(path).replaceAll('/', '\0') }))
    .sort((a, b) => (a.folded < b.folded ? -1 : a.folded > b.folded ? 1 : 0));
  for (const [index, { path, folded }] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next === undefined) return;
    if (path === next.path) throw refused(path, 'is there twice', 'Leave one of them out.');
    checkCase(path, next.path);
    if (next.folded.startsWith(`${folded}\0`)) {
      throw refused(path, `is a file and the folder of ${quoted(next.path)}`, 'Rename one of them.');
    }
  }
}

function checkCase(path: string, next: string): void {
  const nextSegments = next.split('/');
  for (const [index, segment] of path.split('/').entries()) {
    const nextSegment = nextSegments[index];
    if (nextSegment === undefined || fold(segment) !== fold(nextSegment)) return;
    if (segment !== nextSegment) {
      throw refused(path, `differs from ${quoted(next)} in case only`, 'Rename one of them.');
    }
  }
}

/** What is the same to a file system that ignores case; through lower case, since some letters have several of them. */
function fold(text: string): string {
  return text.toLowerCase().toUpperCase().normalize('NFC');
}

function refused(path: string, what: string, fix: string) {
  return unprocessable(`The path ${quoted(path)} ${what}.`, { field: 'path', fix });
}

/** A path as errors show it: without control characters, and short enough. */
export function quoted(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
}
