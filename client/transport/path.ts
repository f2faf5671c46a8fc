/**
 * A key as a path of a URL. A slash at either end and one that follows another are escaped: some servers on the way would drop them.
 *
 * @throws TypeError for a key that no URL can say, or that would arrive as another one.
 */
export function keyPath(key: string): string {
  const parts = key.split('/').map((part) => encode(part, key));
  return parts.reduce((path, part, index) => {
    const isEmptyBeside = part === '' || parts[index - 1] === '';
    return `${path}${isEmptyBeside ? '%2F' : '/'}${part}`;
  });
}

/**
 * A name as one segment of a path.
 *
 * @throws TypeError for a name that no URL can say, or that would arrive as another one.
 */
export function segment(name: string): string {
  if (name === '') throw new TypeError('A name is empty.');
  return encode(name, name);
}

/** Every URL resolves the segments `.` and `..`, escaped ones too, and servers take an escaped `%2F` for a slash. */
function encode(part: string, whole: string): string {
  if (part === '.' || part === '..' || /%2f/i.test(part)) {
    throw new TypeError(`"${whole}" holds a segment "." or "..", or "%2F", which would lead elsewhere.`);
  }
  return encodeURIComponent(part);
}

/** A revision as an entity tag. */
export function revisionTag(revision: number): string {
  return `"${revision}"`;
}
