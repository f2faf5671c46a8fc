import { openAsBlob } from 'node:fs';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { PublishedVersion } from '../../bundles/bundle-version.ts';
import type { PublishOptions } from '../../bundles/bundle-versions.ts';
import type { SkerryClient } from '../../skerry-client.ts';
import { isNotFound } from '../../transport/problem.ts';
import { formatBytes } from '../format-bytes.ts';
import type { Output } from '../output.ts';
import type { Progress } from '../progress-bar.ts';
import { updateMarker } from './bundle-marker.ts';
import { listFolder } from './list-folder.ts';
import { type PackedArchive, packFiles } from './pack-files.ts';
import { readArchive } from './read-archive.ts';
import type { SourceFile } from './source-file.ts';

/** Bytes of a body that the API takes; what is larger goes to storage. */
const MOST_BYTES = 50 * 1024 * 1024;

export interface PushOptions extends Omit<PublishOptions, 'type' | 'signal'> {
  readonly client: SkerryClient;
  readonly output: Pick<Output, 'progress'>;
  readonly signal: AbortSignal;
}

/** Publishes what a folder or an archive (zip, tar.gz or tar) holds. */
export async function pushPath(
  bundle: string,
  place: string,
  options: PushOptions,
): Promise<PublishedVersion> {
  const facts = await stat(place);
  if (facts.isDirectory()) {
    const { version, digest } = await pushFiles(bundle, await listFolder(place), options);
    await updateMarker(place, { bundle, version: version.version, digest });
    return version;
  }
  const type = await typeOf(place);
  await findNewest(options.client, bundle, options.signal);
  if (facts.size <= MOST_BYTES) return await publish(bundle, place, type, options);
  if (type !== ZIP) {
    throw new Error(`${place} is larger than ${MOST_BYTES} bytes: push it as a zip, or as a folder.`);
  }
  const reading = options.output.progress('reading', facts.size);
  try {
    const { digest } = await readArchive(place, { onProgress: reading.advance, signal: options.signal });
    return await upload(bundle, place, digest, options);
  } finally {
    reading.end();
  }
}

interface PushedFiles extends PackedArchive {
  readonly version: PublishedVersion;
}

/** Publishes files. What they become on the way is kept on disk, not in memory. */
export async function pushFiles(
  bundle: string,
  files: readonly SourceFile[],
  options: PushOptions,
): Promise<PushedFiles> {
  const { client, output, signal } = options;
  const newest = await findNewest(client, bundle, signal);
  const folder = await mkdtemp(path.join(tmpdir(), 'skerry-push-'));
  const packing = output.progress(
    'packing',
    files.reduce((sum, { size }) => sum + size, 0),
  );
  try {
    const archive = path.join(folder, 'archive.zip');
    const packed = await packFiles(files, archive, { onProgress: packing.advance, signal });
    packing.end();
    const { digest } = packed;
    // Refusals are Skerry's to make.
    const isGuarded = options.ifRevision !== undefined;
    if (newest?.digest === digest && !isGuarded)
      return { ...packed, version: { ...newest, unchanged: true } };
    const { size } = await stat(archive);
    const version =
      size <= MOST_BYTES
        ? await publish(bundle, archive, ZIP, options)
        : await upload(bundle, archive, digest, options);
    return { ...packed, version };
  } finally {
    packing.end();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Comes first, so that whoever cannot reach Skerry learns it before anything is packed or sent, which takes its time. */
async function findNewest(client: SkerryClient, bundle: string, signal: AbortSignal) {
  try {
    const { items } = await client.bundles.versions.listPage(bundle, { limit: 1, signal });
    return items[0];
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function publish(
  bundle: string,
  archive: string,
  type: string,
  { client, output, ...options }: PushOptions,
): Promise<PublishedVersion> {
  const body = await openAsBlob(archive, { type });
  const sending = output.progress(`sending ${formatBytes(body.size)}`);
  try {
    return await client.bundles.versions.publish(bundle, body, { ...options, type });
  } finally {
    sending.end();
  }
}

async function upload(
  bundle: string,
  archive: string,
  digest: string,
  { client, output, ...options }: PushOptions,
): Promise<PublishedVersion> {
  const { signal } = options;
  const body = await openAsBlob(archive);
  const draft = await client.bundles.drafts.start(bundle, { signal });
  const sending = output.progress('uploading', body.size);
  let publishing: Progress | undefined;
  try {
    await draft.uploadArchive(body, { onProgress: sending.advance, signal });
    sending.end();
    publishing = output.progress('publishing');
    return await draft.commit({ ...options, digest });
  } catch (error) {
    // Of no use to anybody; what stays is collected after a day.
    if (!draft.isOver)
      await draft.discard({ signal: AbortSignal.timeout(LEAVE_MILLISECONDS) }).catch(() => {});
    throw error;
  } finally {
    sending.end();
    publishing?.end();
  }
}

/** For taking leave: whoever pressed Ctrl-C does not wait for ever. */
const LEAVE_MILLISECONDS = 5_000;

const ZIP = 'application/zip';

/** By its first bytes, whatever it is called. */
async function typeOf(archive: string): Promise<string> {
  const handle = await open(archive);
  try {
    const { buffer } = await handle.read(Buffer.alloc(262), 0, 262, 0);
    if (buffer.readUInt16BE(0) === 0x1f8b) return 'application/gzip';
    if (buffer.toString('latin1', 257, 262) === 'ustar') return 'application/x-tar';
    if (buffer.toString('latin1', 0, 2) === 'PK') return ZIP;
  } finally {
    await handle.close();
  }
  throw new Error(`${archive} is neither a folder nor a zip, a tar.gz or a tar.`);
}
