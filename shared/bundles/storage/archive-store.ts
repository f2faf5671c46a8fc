import type { BlobServiceClient, BlockBlobClient, ContainerClient } from '@azure/storage-blob';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import { signBlobUrl } from '../../platform/sign-blob-url.ts';
import { createUlid } from '../../platform/ulid.ts';
import type { RandomAccess } from '../content/bundle-input.ts';
import type { Manifest } from '../content/manifest.ts';
import { ArchiveUpload } from './archive-upload.ts';
import { readWhole, StoredBlob } from './stored-blob.ts';

/** Bytes of manifests, as they are stored, that a process keeps. */
const MANIFEST_CACHE_BYTES = 32 * 1024 * 1024;
/** What a manifest may have, with as many files and as long paths as there can be. */
const MAX_MANIFEST_BYTES = 8 * 1024 * 1024;
/** Seconds for which a link to an archive is good. */
const LINK_SECONDS = 600;

export interface ArchiveStoreOptions {
  readonly blob: () => Promise<BlobServiceClient>;
  readonly clock: Clock;
  readonly random: Random;
}

interface KeptManifest {
  readonly manifest: Manifest;
  readonly bytes: number;
}

/**
 * Archives and their manifests, `NS/NAME/BLOB.zip` and `.json` in the container `bundles`: each is written once, and never again.
 * All methods throw SkerryError `unavailable` when storage does not answer.
 */
export class ArchiveStore {
  readonly #options: ArchiveStoreOptions;
  readonly #manifests = new RecentMap<string, KeptManifest>(MANIFEST_CACHE_BYTES, ({ bytes }) => bytes);
  readonly #loading = new Map<string, Promise<Manifest>>();
  #container: ContainerClient | undefined;

  constructor(options: ArchiveStoreOptions) {
    this.#options = options;
  }

  /** Begins an archive under a name of its own. */
  async begin(ns: string, name: string): Promise<ArchiveUpload> {
    const { clock, random } = this.#options;
    const blob = createUlid(clock.now(), random);
    const [zip, manifest] = await Promise.all([
      this.#client(ns, name, blob, 'zip'),
      this.#client(ns, name, blob, 'json'),
    ]);
    return new ArchiveUpload({ blob, zip, manifest });
  }

  /**
   * What is in an archive; from memory where it was looked at lately.
   *
   * @throws SkerryError `not-found` when the archive is gone.
   */
  async manifest(ns: string, name: string, blob: string): Promise<Manifest> {
    const place = `${ns}/${name}/${blob}`;
    const kept = this.#manifests.get(place);
    if (kept !== undefined) {
      return kept.manifest;
    }
    const loading = this.#loading.get(place) ?? this.#load(place, this.#client(ns, name, blob, 'json'));
    this.#loading.set(place, loading);
    return await loading;
  }

  /** An archive as it is stored; nothing is asked before it is read. */
  async open(
    ns: string,
    name: string,
    { blob, archiveSize }: { readonly blob: string; readonly archiveSize: number },
  ): Promise<RandomAccess> {
    return new StoredBlob(await this.#client(ns, name, blob, 'zip'), archiveSize);
  }

  /** A link by which whoever has it reads an archive for ten minutes, and what it is to be saved as. */
  async signedUrl(
    ns: string,
    name: string,
    blob: string,
    { fileName }: { readonly fileName: string },
  ): Promise<string> {
    const service = await this.#options.blob();
    return await signBlobUrl(service, await this.#client(ns, name, blob, 'zip'), {
      permissions: { read: true },
      expiresAt: this.#options.clock.now() + 1000 * LINK_SECONDS,
      fileName,
    });
  }

  async #load(place: string, client: Promise<BlockBlobClient>): Promise<Manifest> {
    try {
      const bytes = await readWhole(await client, MAX_MANIFEST_BYTES);
      const manifest = JSON.parse(Buffer.from(bytes).toString()) as Manifest;
      this.#manifests.set(place, { manifest, bytes: bytes.byteLength });
      return manifest;
    } finally {
      this.#loading.delete(place);
    }
  }

  async #client(ns: string, name: string, blob: string, form: 'zip' | 'json'): Promise<BlockBlobClient> {
    this.#container ??= (await this.#options.blob()).getContainerClient('bundles');
    return this.#container.getBlockBlobClient(`${ns}/${name}/${blob}.${form}`);
  }
}
