import { createHash } from 'node:crypto';
import type { BundleFile } from '../../bundles/bundle-version.ts';

/** The digest that a version of these files has (`BundleVersion.digest`). */
export function contentDigest(files: Iterable<BundleFile>): string {
  const hash = createHash('sha256');
  for (const { path, size, sha256 } of [...files].sort(byPath)) hash.update(`${sha256} ${size} ${path}\n`);
  return `sha256:${hash.digest('hex')}`;
}

/** The order of their UTF-8 bytes, which is not that of JavaScript's strings. */
export function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return Buffer.compare(Buffer.from(a.path), Buffer.from(b.path));
}
