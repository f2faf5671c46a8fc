/**
 * A key as a path of a URL. A slash at either end and one that follows another are escaped: some servers on the way would drop them.
 */
export function keyPath(key: string): string {
  const parts = key.split('/').map(encodeURIComponent);
  return parts.reduce((path, part, index) => {
    const isEmptyBeside = part === '' || parts[index - 1] === '';
    return `${path}${isEmptyBeside ? '%2F' : '/'}${part}`;
  });
}

export function segment(name: string): string {
  return encodeURIComponent(name);
}

/** A revision as an entity tag. */
export function revisionTag(revision: number): string {
  return `"${revision}"`;
}
