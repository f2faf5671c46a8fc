import type { ContainerClient } from '@azure/storage-blob';
import { askBlob } from '../../platform/ask-blob.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';

const FOLDERS_AT_ONCE = 4;

/** Blobs whose names begin with the same segments. */
export interface Folder {
  /** The segments. */
  readonly path: readonly string[];
  /** What follows them, without the slash between. */
  readonly blobs: readonly string[];
}

export interface WalkOptions {
  /** How many segments make a folder. */
  readonly depth: number;
  /** Blobs that are listed at a time, 1 to 5,000. */
  readonly pageSize: number;
}

/**
 * Walks through all blobs of a container in the order of their names. A walk that is cut off for want of time is gone on with by the next one
 * of this process; another process begins at the beginning, where there is less to do by then.
 */
export class FolderWalk {
  readonly #container: () => Promise<ContainerClient>;
  readonly #options: WalkOptions;
  /** The page that the walk before was cut off in, and its first folder that was not visited. */
  #goOnAt: { readonly marker: string | undefined; readonly folder?: string | undefined } | undefined;

  constructor(container: () => Promise<ContainerClient>, options: WalkOptions) {
    this.#container = container;
    this.#options = options;
  }

  /**
   * Visits folder by folder, several at a time. One that is spread over pages is visited once for each of them, one after the other.
   *
   * @returns whether it came to the end.
   * @throws SkerryError `unavailable`, and what `visit` throws.
   */
  async walk(visit: (folder: Folder) => Promise<void>, isOver: () => boolean): Promise<boolean> {
    const container = await this.#container();
    const { depth, pageSize } = this.#options;
    let { marker, folder: first } = this.#goOnAt ?? { marker: undefined };
    this.#goOnAt = undefined;
    do {
      const page = await listPage(container, { pageSize, marker });
      const folders = foldersIn(page.names, depth);
      const start = folders.findIndex(({ path }) => path.join('/') === first);
      first = undefined;
      await mapConcurrently(folders.slice(Math.max(0, start)), FOLDERS_AT_ONCE, async (folder) => {
        if (isOver()) {
          first ??= folder.path.join('/');
        } else {
          await visit(folder);
        }
      });
      if (isOver()) {
        this.#goOnAt = { marker: first === undefined ? page.next : marker, folder: first };
        return false;
      }
      marker = page.next;
    } while (marker !== undefined);
    return true;
  }
}

async function listPage(
  container: ContainerClient,
  { pageSize, marker }: { readonly pageSize: number; readonly marker: string | undefined },
): Promise<{ readonly names: readonly string[]; readonly next: string | undefined }> {
  const { value } = await askBlob(
    async (abortSignal) =>
      await container
        .listBlobsFlat({ abortSignal })
        .byPage({ maxPageSize: pageSize, ...(marker !== undefined && { continuationToken: marker }) })
        .next(),
  );
  const { segment, continuationToken } = value;
  return {
    names: segment.blobItems.map(({ name }: { readonly name: string }) => name),
    next: continuationToken === '' ? undefined : continuationToken,
  };
}

function foldersIn(names: readonly string[], depth: number): readonly Folder[] {
  const folders = Map.groupBy(names, (name) => name.split('/').slice(0, depth).join('/'));
  return [...folders].map(([path, members]) => ({
    path: path.split('/'),
    blobs: members.map((name) => name.slice(path.length + 1)),
  }));
}
