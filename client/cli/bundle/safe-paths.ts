import { MARKER_NAME } from './bundle-marker.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: no name of a file may have them
const UNFIT = /[\u0000-\u001f\u007f\\]/;
/** What Windows does not take, or takes for something else: streams, devices, names that it shortens. */
const UNFIT_ON_WINDOWS = /[<>:"|?*]|[ .](\/|$)|(^|\/)(con|prn|aux|nul|com\d|lpt\d)(\.[^/]*)?(\/|$)/i;

/**
 * Looks whether files may be written below a folder under these paths, whoever says so.
 *
 * @throws Error that names the path that may not.
 */
export function assertSafePaths(paths: readonly string[], platform: string = process.platform): void {
  const unsafe = paths.find((path) => !isSafe(path, platform));
  if (unsafe !== undefined) {
    throw new Error(
      `The version holds a file that cannot be written on this machine: ${JSON.stringify(unsafe)}.`,
    );
  }
  if (new Set(paths).size !== paths.length) throw new Error('The version holds two files of the same path.');
}

function isSafe(path: string, platform: string): boolean {
  if (UNFIT.test(path) || path.toLowerCase() === MARKER_NAME) return false;
  if (platform === 'win32' && UNFIT_ON_WINDOWS.test(path)) return false;
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}
