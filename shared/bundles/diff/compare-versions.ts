import { writeCursor } from '../../platform/cursor.ts';
import { versionKey } from '../bundle.ts';
import { type BundleFile, bundleFileOf, type ManifestFile } from '../content/manifest.ts';
import { LATEST } from '../versions/reference.ts';
import type { Version } from '../versions/version.ts';
import type { Versions } from '../versions/versions.ts';
import { compareManifests } from './compare-manifests.ts';
import { type TextDifference, textDifferences } from './text-differences.ts';

export interface VersionDifferences {
  /** The older version; 0 where there is none before the other: then all files were added. */
  readonly from: number;
  readonly to: number;
  readonly added: readonly BundleFile[];
  readonly removed: readonly BundleFile[];
  readonly changed: readonly FileDifference[];
}

export type FileDifference = {
  readonly path: string;
  readonly from: Omit<BundleFile, 'path'>;
  readonly to: Omit<BundleFile, 'path'>;
} & TextDifference;

/** Versions that cleanup took away are passed over by so many at a time. */
const PAGE = 100;

/**
 * What is different between two versions of a bundle.
 *
 * @param references what they are named by: without `to` it is the newest, without `from` the one before `to`.
 * @throws SkerryError `not-found`, also where cleanup takes a version away meanwhile; `unavailable`.
 */
export async function compareVersions(
  versions: Pick<Versions, 'find' | 'list' | 'manifest' | 'contentOf'>,
  ns: string,
  name: string,
  references: { readonly from?: string | undefined; readonly to?: string | undefined },
): Promise<VersionDifferences> {
  const to = await versions.find(ns, name, references.to ?? LATEST);
  const from =
    references.from === undefined
      ? await versionBefore(versions, ns, name, to)
      : await versions.find(ns, name, references.from);
  const [before, after] = await Promise.all([
    from === undefined ? { files: [] } : versions.manifest(ns, name, from),
    versions.manifest(ns, name, to),
  ]);
  const { added, removed, changed } = compareManifests(before, after);
  const differences = await textDifferences(changed, async (side, file) =>
    // Nothing is changed from no version.
    versions.contentOf(ns, name, side === 'to' || from === undefined ? to : from, file),
  );
  return {
    from: from?.version ?? 0,
    to: to.version,
    added: added.map(bundleFileOf),
    removed: removed.map(bundleFileOf),
    changed: changed.map((change, index) => ({
      path: change.to.path,
      from: contentFacts(change.from),
      to: contentFacts(change.to),
      ...(differences[index] ?? { omitted: 'too large' }),
    })),
  };
}

async function versionBefore(
  versions: Pick<Versions, 'list'>,
  ns: string,
  name: string,
  { version }: Version,
): Promise<Version | undefined> {
  let after: string | undefined = writeCursor([versionKey(name, version)]);
  while (after !== undefined) {
    const page: Awaited<ReturnType<Versions['list']>> = await versions.list(ns, name, { after, limit: PAGE });
    const [before] = page.versions;
    if (before !== undefined) return before;
    after = page.next;
  }
  return undefined;
}

function contentFacts({ size, sha256 }: ManifestFile): Omit<BundleFile, 'path'> {
  return { size, sha256 };
}
