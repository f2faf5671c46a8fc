import { conflict, SkerryError, tooLarge } from '../../platform/errors.ts';
import { type BundleInput, pathOf, type RandomAccess } from '../content/bundle-input.ts';
import { readZip } from '../content/read-zip.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import type { DraftAddress } from '../storage/draft-store.ts';
import type { Versions } from '../versions/versions.ts';
import { baseInputs } from './base-inputs.ts';
import { WindowedArchive } from './windowed-archive.ts';

/** What lies beneath the single files of a draft: a version, an uploaded archive, or nothing. */
export interface Beneath {
  readonly from?: number | undefined;
  readonly archive?: RandomAccess | undefined;
}

/** Reads what drafts begin with. */
export class DraftBase {
  readonly #versions: Versions;

  constructor(versions: Versions) {
    this.#versions = versions;
  }

  /**
   * Its files, without those that are not wanted.
   *
   * @throws SkerryError `conflict` where there are both a version and an archive, or the version is gone; and what `readZip` throws.
   */
  async inputs(
    { ns, name }: DraftAddress,
    { from, archive }: Beneath,
    isWanted: (path: string) => boolean,
  ): Promise<readonly BundleInput[]> {
    if (from !== undefined && archive !== undefined) {
      throw conflict(`The draft began with version ${from}, and an archive was uploaded to it as well.`, {
        fix: 'Begin a draft without "from" for an archive, or put single files over the version.',
      });
    }
    if (archive !== undefined) {
      if (archive.size > BUNDLE_LIMITS.uploadBytes) {
        throw tooLarge(`The uploaded archive has more than ${BUNDLE_LIMITS.uploadBytes} bytes.`, {
          fix: 'Make several bundles of its files.',
        });
      }
      return (await readZip(new WindowedArchive(archive), BUNDLE_LIMITS)).filter((input) =>
        isWanted(pathOf(input)),
      );
    }
    return from === undefined ? [] : await this.#ofVersion(ns, name, from, isWanted);
  }

  async #ofVersion(
    ns: string,
    name: string,
    from: number,
    isWanted: (path: string) => boolean,
  ): Promise<readonly BundleInput[]> {
    try {
      const version = await this.#versions.find(ns, name, String(from));
      const [manifest, archive] = await Promise.all([
        this.#versions.manifest(ns, name, version),
        this.#versions.archive(ns, name, version),
      ]);
      return baseInputs(manifest, archive, isWanted);
    } catch (error) {
      if (!(error instanceof SkerryError) || error.kind !== 'not-found') throw error;
      throw conflict(`Version ${from}, which the draft began with, has been removed.`, {
        fix: 'Begin a draft from a version that is there, and put the files into it.',
        cause: error,
      });
    }
  }
}
