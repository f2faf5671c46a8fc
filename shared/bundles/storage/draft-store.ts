import { createHash } from 'node:crypto';
import type {
  BlobItem,
  BlobServiceClient,
  ContainerClient,
  ContainerListBlobFlatSegmentResponse,
} from '@azure/storage-blob';
import { askBlob, BLOB_STATUS, blobCodeOf, blobStatusOf, isBlobMissing } from '../../platform/ask-blob.ts';
import { conflict, SkerryError, tooLarge } from '../../platform/errors.ts';
import { mapConcurrently } from '../../platform/map-concurrently.ts';
import { signBlobUrl } from '../../platform/sign-blob-url.ts';
import type { BundleInput } from '../content/bundle-input.ts';
import type { PackedFacts } from '../content/manifest.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import { createBlob } from './create-blob.ts';
import { deleteBlob } from './delete-blob.ts';
import { readWhole, StoredBlob } from './stored-blob.ts';

/** Which draft of which bundle. */
export interface DraftAddress {
  readonly ns: string;
  readonly name: string;
  readonly ulid: string;
}

/** What stands in `draft.json`, without which a draft is not there, whatever else is. */
export interface DraftHead {
  /** The version that it began with. */
  readonly from?: number;
  /** The version that it was found equal to when it was committed: it is over, and this is what a repeated commit answers. */
  readonly unchanged?: number;
}

/** All that was put into a draft and deleted from it, at one moment. */
export interface DraftContent {
  readonly head: DraftHead;
  /** What was uploaded to its URL. */
  readonly archive?: StoredBlob;
  readonly files: readonly PackedInput[];
  readonly deleted: readonly string[];
}

export type PackedInput = Extract<BundleInput, { kind: 'packed' }>;

const CONTAINER = 'drafts';
const HEAD = 'draft.json';
const MAX_HEAD_BYTES = 1024;
const ARCHIVE = 'archive.zip';
const FILES = 'files/';
const UPLOADED = 'the uploaded archive';

/** Bytes: what is larger is sent and read in parts. */
const SINGLE_SHOT_BYTES = 8 * 1024 * 1024;
const PART_BYTES = 4 * 1024 * 1024;
const PARTS_AT_ONCE = 4;
/** Blobs of one page of a listing; the most that Azure gives. */
const PAGE_BLOBS = 5_000;
/** Puts and deletions that a draft may hold: twice what can become of it, so that listing one has an end. */
const MAX_ENTRIES = 2 * BUNDLE_LIMITS.files;
const DELETIONS_AT_ONCE = 16;
/** Milliseconds in which a draft that is over takes its files away; what is left then goes by itself after a day. */
const CLEARING_MILLISECONDS = 10_000;

/**
 * Drafts in the blob container `drafts`, `<ns>/<name>/<ulid>/…`: `draft.json` is made first and deleted first; `files/<hash of the path>` is a
 * file, packed as it goes into the zip, or the note that it is deleted; `archive.zip` is what the client uploaded by itself.
 */
export class DraftStore {
  readonly #blob: () => Promise<BlobServiceClient>;

  constructor(blob: () => Promise<BlobServiceClient>) {
    this.#blob = blob;
  }

  async begin(draft: DraftAddress, head: DraftHead): Promise<void> {
    const blob = (await this.#container()).getBlockBlobClient(nameOf(draft, HEAD));
    const text = JSON.stringify(head);
    await createBlob(blob, text.length, (abortSignal) =>
      blob.upload(text, text.length, { abortSignal, conditions: { ifNoneMatch: '*' } }),
    );
  }

  /** Undefined for a draft that is not there. */
  async head(draft: DraftAddress): Promise<DraftHead | undefined> {
    const blob = (await this.#container()).getBlobClient(nameOf(draft, HEAD));
    const bytes = await readWhole(blob, MAX_HEAD_BYTES).catch((error: unknown) => {
      if (error instanceof SkerryError && error.kind === 'not-found') return undefined;
      throw error;
    });
    return bytes && (JSON.parse(Buffer.from(bytes).toString()) as DraftHead);
  }

  async put(draft: DraftAddress, facts: PackedFacts, packed: Uint8Array): Promise<void> {
    await this.#write(draft, facts.path, packed, {
      path: encodeURIComponent(facts.path),
      size: String(facts.size),
      sha256: facts.sha256,
      crc32: String(facts.crc32),
      method: facts.method,
      text: facts.isText ? '1' : '0',
    });
  }

  /** Notes that a file is deleted, whatever the draft began with or is still uploaded. */
  async delete(draft: DraftAddress, path: string): Promise<void> {
    await this.#write(draft, path, new Uint8Array(0), { path: encodeURIComponent(path), deleted: '1' });
  }

  /** Whether a file was put, or deleted, since the beginning; undefined where neither was. */
  async state(draft: DraftAddress, path: string): Promise<'put' | 'deleted' | undefined> {
    const blob = (await this.#container()).getBlobClient(nameOf(draft, fileName(path)));
    const properties = await unlessGone(() => askBlob((abortSignal) => blob.getProperties({ abortSignal })));
    return properties && (properties.metadata?.deleted === undefined ? 'put' : 'deleted');
  }

  /** What was uploaded to its URL, as it is now; undefined where nothing was. */
  async archive(draft: DraftAddress): Promise<StoredBlob | undefined> {
    const blob = (await this.#container()).getBlobClient(nameOf(draft, ARCHIVE));
    const properties = await unlessGone(() => askBlob((abortSignal) => blob.getProperties({ abortSignal })));
    if (properties?.etag === undefined) return undefined;
    return new StoredBlob(blob, properties.contentLength ?? 0, {
      etag: properties.etag,
      changed: () => changedMeanwhile(UPLOADED),
    });
  }

  /**
   * Everything that the draft holds; undefined for one that is not there. Its files can be read as long as they are what they are now.
   *
   * @throws SkerryError `too-large` for more than 20,000 files; what reads a file that has changed throws `conflict`.
   */
  async content(draft: DraftAddress): Promise<DraftContent | undefined> {
    const container = await this.#container();
    const blobs = await listBlobs(container, draft);
    // Looked at last: whoever takes a draft away begins here, so that nothing was missing from the list yet.
    const head = await this.head(draft);
    if (head === undefined) return undefined;

    const contentOf = ({ name, properties: { etag, contentLength = 0 } }: BlobItem, what: string) =>
      new StoredBlob(container.getBlobClient(name), contentLength, {
        etag: quoted(etag),
        changed: () => changedMeanwhile(what),
      });
    const archive = blobs.find(({ name }) => name === nameOf(draft, ARCHIVE));
    const entries = blobs.flatMap((blob) =>
      blob.metadata?.path === undefined || !blob.name.startsWith(nameOf(draft, FILES))
        ? []
        : [{ blob, path: decodeURIComponent(blob.metadata.path), metadata: blob.metadata }],
    );
    return {
      head,
      ...(archive !== undefined && { archive: contentOf(archive, UPLOADED) }),
      files: entries
        .filter(({ metadata }) => metadata.deleted === undefined)
        .map(({ blob, path, metadata }) =>
          packedInput(readFacts(path, metadata, blob.properties.contentLength ?? 0), contentOf(blob, path)),
        ),
      deleted: entries.filter(({ metadata }) => metadata.deleted !== undefined).map(({ path }) => path),
    };
  }

  /**
   * The URL that one may put the archive of a draft to, and nothing else: it neither reads nor lists nor deletes.
   *
   * @param expiresAt milliseconds since the Unix epoch.
   */
  async uploadUrl(draft: DraftAddress, expiresAt: number): Promise<string> {
    const blob = (await this.#container()).getBlobClient(nameOf(draft, ARCHIVE));
    const permissions = { create: true, write: true };
    return await signBlobUrl(await this.#blob(), blob, { permissions, expiresAt });
  }

  /**
   * Ends a draft that made no version: what it was found equal to stays to be told, its files go.
   *
   * @param version the one that it is equal to.
   * @returns whether it was there.
   */
  async settle(draft: DraftAddress, version: number): Promise<boolean> {
    const blob = (await this.#container()).getBlockBlobClient(nameOf(draft, HEAD));
    const text = JSON.stringify({ unchanged: version } satisfies DraftHead);
    // Not where another commit has taken it away meanwhile.
    const settled = await unlessGone(() =>
      askBlob((abortSignal) => blob.upload(text, text.length, { abortSignal, conditions: { ifMatch: '*' } })),
    );
    await this.#clear(draft);
    return settled !== undefined;
  }

  /**
   * Takes a draft away, its head first, so that nobody takes what is left for all of it. Files that cannot be deleted at the moment
   * are left to whoever collects what is old.
   *
   * @returns whether it was there.
   */
  async remove(draft: DraftAddress): Promise<boolean> {
    const blob = (await this.#container()).getBlobClient(nameOf(draft, HEAD));
    const deleted = await unlessGone(() => askBlob((abortSignal) => blob.delete({ abortSignal })));
    await this.#clear(draft);
    return deleted !== undefined;
  }

  async #clear(draft: DraftAddress): Promise<void> {
    const container = await this.#container();
    const deadline = AbortSignal.timeout(CLEARING_MILLISECONDS);
    const head = nameOf(draft, HEAD);
    try {
      const names = (await listBlobs(container, draft))
        .map(({ name }) => name)
        .filter((name) => name !== head);
      await mapConcurrently(names, DELETIONS_AT_ONCE, async (name) => {
        deadline.throwIfAborted();
        await deleteBlob(container.getBlobClient(name));
      });
    } catch {
      // The draft is over all the same.
    }
  }

  async #write(
    draft: DraftAddress,
    path: string,
    bytes: Uint8Array,
    metadata: Record<string, string>,
  ): Promise<void> {
    const blob = (await this.#container()).getBlockBlobClient(nameOf(draft, fileName(path)));
    try {
      await askBlob((abortSignal) =>
        blob.uploadData(bytes, {
          abortSignal,
          metadata,
          maxSingleShotSize: SINGLE_SHOT_BYTES,
          blockSize: PART_BYTES,
          concurrency: PARTS_AT_ONCE,
        }),
      );
    } catch (error) {
      // The parts of two uploads of one blob do not live side by side.
      if (blobCodeOf(error) === 'InvalidBlockList') {
        throw conflict(`"${path}" was put by somebody else at the same time.`, {
          fix: 'Put it again, one after the other.',
          cause: error,
        });
      }
      throw error;
    }
  }

  async #container(): Promise<ContainerClient> {
    return (await this.#blob()).getContainerClient(CONTAINER);
  }
}

function nameOf({ ns, name, ulid }: DraftAddress, rest: string): string {
  return `${ns}/${name}/${ulid}/${rest}`;
}

/** Paths are longer and freer than the names of blobs may be. */
function fileName(path: string): string {
  return FILES + createHash('sha256').update(path).digest('base64url');
}

async function listBlobs(container: ContainerClient, draft: DraftAddress): Promise<readonly BlobItem[]> {
  const blobs: BlobItem[] = [];
  let continuationToken: string | undefined;
  do {
    const { segment, continuationToken: next } = await listPage(container, draft, continuationToken);
    blobs.push(...segment.blobItems);
    if (blobs.length > MAX_ENTRIES) {
      throw tooLarge(`The draft holds more than ${MAX_ENTRIES} files and deletions.`, {
        fix: `A version has ${BUNDLE_LIMITS.files} files at most: discard the draft, and begin one with less.`,
      });
    }
    continuationToken = next === '' ? undefined : next;
  } while (continuationToken !== undefined);
  return blobs;
}

async function listPage(
  container: ContainerClient,
  draft: DraftAddress,
  continuationToken: string | undefined,
): Promise<ContainerListBlobFlatSegmentResponse> {
  return await askBlob(async (abortSignal) => {
    const page = await container
      .listBlobsFlat({ prefix: nameOf(draft, ''), includeMetadata: true, abortSignal })
      .byPage({ maxPageSize: PAGE_BLOBS, ...(continuationToken !== undefined && { continuationToken }) })
      .next();
    return page.value;
  });
}

function packedInput(facts: PackedFacts, content: StoredBlob): PackedInput {
  return {
    kind: 'packed',
    facts,
    read: () =>
      content.size <= PART_BYTES
        ? content.read(0, content.size)
        : Promise.resolve(content.stream(0, content.size)),
  };
}

function readFacts(path: string, metadata: Record<string, string>, packedSize: number): PackedFacts {
  const { size, sha256 = '', crc32, method, text } = metadata;
  return {
    path,
    size: Number(size),
    sha256,
    crc32: Number(crc32),
    method: method === 'deflated' ? 'deflated' : 'stored',
    packedSize,
    isText: text === '1',
  };
}

/** Undefined where the blob is not there, or not as the condition wants it. */
async function unlessGone<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isBlobMissing(error) || blobStatusOf(error) === BLOB_STATUS.preconditionFailed) return undefined;
    throw error;
  }
}

/** Listings give entity tags without the quotes that conditions have. */
function quoted(etag: string): string {
  return etag.startsWith('"') ? etag : `"${etag}"`;
}

function changedMeanwhile(what: string): SkerryError {
  return conflict(
    `The draft was changed while it was committed: ${what} is another than when the commit began.`,
    {
      fix: 'Nothing was published. Commit the draft again, once nobody writes to it any more.',
    },
  );
}
