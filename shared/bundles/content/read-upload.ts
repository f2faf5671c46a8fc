import { SkerryError } from '../../platform/errors.ts';
import type { RawContent } from '../../platform/http/index.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import type { Upload } from './bundle-input.ts';
import { MemoryArchive } from './memory-archive.ts';
import { readMultipart } from './read-multipart.ts';
import { readTar, readTarGz } from './read-tar.ts';
import { readZip } from './read-zip.ts';

type Reader = (bytes: Uint8Array, contentType: string) => Promise<Upload>;

const READERS: ReadonlyMap<string, Reader> = new Map([
  ['application/zip', fromZip],
  ['application/x-zip-compressed', fromZip],
  ['application/gzip', fromTarGz],
  ['application/x-gzip', fromTarGz],
  ['application/x-tar+gzip', fromTarGz],
  ['application/x-gtar', fromTarGz],
  ['application/x-tar', fromTar],
  ['multipart/form-data', readMultipart],
]);

/** What programs send when they do not know what it is. */
const UNKNOWN_TYPES: readonly string[] = [
  '',
  'application/octet-stream',
  'application/x-www-form-urlencoded',
];

/**
 * Reads the body of a request that is a version. Memory holds the body, and files of it only as they are packed.
 *
 * @throws SkerryError `unsupported-media-type`, or what the readers of zips, tars and forms throw.
 */
export async function readUpload({ bytes, contentType }: RawContent): Promise<Upload> {
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const read = UNKNOWN_TYPES.includes(mediaType) ? readerByContent(bytes) : READERS.get(mediaType);
  if (read === undefined) {
    throw new SkerryError(
      'unsupported-media-type',
      mediaType === '' ? 'The body is no archive.' : `A body of type "${mediaType}" is no archive.`,
      {
        field: 'Content-Type',
        fix: 'Send "application/zip", "application/gzip" (a tar.gz), "application/x-tar" or "multipart/form-data".',
      },
    );
  }
  return read(bytes, contentType ?? '');
}

function readerByContent(bytes: Uint8Array): Reader | undefined {
  const startsWith = (text: string, at = 0) =>
    Buffer.from(bytes.subarray(at, at + text.length)).toString('latin1') === text;
  if (startsWith('PK\x03\x04') || startsWith('PK\x05\x06')) return fromZip;
  if (startsWith('\x1f\x8b')) return fromTarGz;
  return startsWith('ustar', 257) ? fromTar : undefined;
}

async function fromZip(bytes: Uint8Array): Promise<Upload> {
  const limits = { unpackedBytes: BUNDLE_LIMITS.bodyUnpackedBytes };
  return { inputs: await readZip(new MemoryArchive(bytes), limits) };
}

async function fromTar(bytes: Uint8Array): Promise<Upload> {
  return { inputs: await readTar(bytes) };
}

async function fromTarGz(bytes: Uint8Array): Promise<Upload> {
  return { inputs: await readTarGz(bytes) };
}
