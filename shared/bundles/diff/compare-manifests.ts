import type { Manifest, ManifestFile } from '../content/manifest.ts';

/** What became of the files of one version in another, each in the order of their paths. */
export interface ManifestChanges {
  readonly added: readonly ManifestFile[];
  readonly removed: readonly ManifestFile[];
  readonly changed: readonly { readonly from: ManifestFile; readonly to: ManifestFile }[];
}

export function compareManifests(
  from: Pick<Manifest, 'files'>,
  to: Pick<Manifest, 'files'>,
): ManifestChanges {
  const before = new Map(from.files.map((file) => [file.path, file]));
  const after = new Set(to.files.map((file) => file.path));
  return {
    added: to.files.filter((file) => !before.has(file.path)),
    removed: from.files.filter((file) => !after.has(file.path)),
    changed: to.files.flatMap((file) => {
      const old = before.get(file.path);
      return old === undefined || old.sha256 === file.sha256 ? [] : [{ from: old, to: file }];
    }),
  };
}
