import { unprocessable } from '../../platform/errors.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import type { Upload } from './bundle-input.ts';
import { quoted } from './bundle-path.ts';
import { checkFileCount } from './content-limits.ts';
import { PackedUpload } from './packed-upload.ts';

/** Parts beside the files. */
const MAX_FIELDS = BUNDLE_LIMITS.labels + 1;
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * The files of a form, packed: the name of a part is the path; where it is `file`, the name of the file is. Parts `message` and `label` are
 * what they say, unless they have the name of a file.
 *
 * @throws SkerryError `unprocessable` for what is no such body; `too-large`.
 */
export async function readMultipart(bytes: Uint8Array, contentType: string): Promise<Upload> {
  const upload = new PackedUpload();
  const labels: string[] = [];
  let message: string | undefined;
  for (const [name, part] of await parse(bytes, contentType)) {
    if (typeof part === 'string' && name === 'message') {
      message = part;
    } else if (typeof part === 'string' && name === 'label') {
      labels.push(part);
    } else {
      const content =
        typeof part === 'string' ? bytesOf(name, part) : new Uint8Array(await part.arrayBuffer());
      const path = typeof part !== 'string' && name === 'file' ? part.name : name;
      await upload.add(upload.announce(path, content.length), content);
    }
  }
  return {
    inputs: upload.end(),
    ...(message !== undefined && { message }),
    ...(labels.length > 0 && { labels }),
  };
}

async function parse(bytes: Uint8Array, contentType: string): Promise<FormData> {
  checkParts(bytes, contentType);
  try {
    return await new Response(
      Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) as Buffer<ArrayBuffer>,
      {
        headers: { 'content-type': contentType },
      },
    ).formData();
  } catch (error) {
    throw malformed('it cannot be read', error);
  }
}

/** The parser takes its time for millions of parts or headers. */
function checkParts(bytes: Uint8Array, contentType: string): void {
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)/i.exec(contentType);
  if (boundary === null) throw malformed('its content type has no "boundary"');
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const delimiter = `--${boundary[1] ?? boundary[2]}`;
  let parts = 0;
  for (let at = body.indexOf(delimiter); at >= 0; at = body.indexOf(`\r\n${delimiter}`, at)) {
    parts += 1;
    if (parts > BUNDLE_LIMITS.files + MAX_FIELDS + 1) checkFileCount(parts);
    at = body.indexOf(delimiter, at) + delimiter.length;
    const isEnd = body.subarray(at, at + 2).equals(Buffer.from('--'));
    if (!isEnd && !body.subarray(at, at + MAX_HEADER_BYTES).includes('\r\n\r\n')) {
      throw malformed(`a part has more than ${MAX_HEADER_BYTES} bytes of headers, or no end of them`);
    }
  }
}

/** A part without the name of a file was read as text; what was none is not what it was. */
function bytesOf(name: string, text: string): Uint8Array {
  if (text.includes('\ufffd')) {
    throw unprocessable(`The part ${quoted(name)} is not text, and has no name of a file.`, {
      field: 'body',
      fix: `Send it as a file (curl: -F "${name}=@FILE").`,
    });
  }
  return Buffer.from(text);
}

function malformed(why: string, cause?: unknown) {
  return unprocessable(`This is no form of files: ${why}.`, {
    field: 'body',
    fix: 'Send "multipart/form-data" as curl -F or a browser does.',
    cause,
  });
}
