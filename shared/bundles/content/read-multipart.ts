import { isUtf8 } from 'node:buffer';
import { BUNDLE_LIMITS } from '../limits.ts';
import type { Upload } from './bundle-input.ts';
import { quoted } from './bundle-path.ts';
import { checkFileCount } from './content-limits.ts';
import { malformed, multipartParts } from './multipart-parts.ts';
import { PackedUpload } from './packed-upload.ts';

/** Parts beside the files. */
const MAX_FIELDS = BUNDLE_LIMITS.labels + 1;

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
  for (const { name, fileName, content } of multipartParts(bytes, contentType, checkCount)) {
    if (fileName === undefined && name === 'message') {
      message = textOf(name, content);
    } else if (fileName === undefined && name === 'label') {
      labels.push(textOf(name, content));
    } else {
      const path = name === 'file' ? (fileName ?? name) : name;
      await upload.add(upload.announce(path, content.length), content);
    }
  }
  return {
    inputs: upload.end(),
    ...(message !== undefined && { message }),
    ...(labels.length > 0 && { labels }),
  };
}

function checkCount(parts: number): void {
  if (parts > BUNDLE_LIMITS.files + MAX_FIELDS) checkFileCount(parts);
}

function textOf(name: string, content: Uint8Array): string {
  if (!isUtf8(content)) throw malformed(`the part ${quoted(name)} is not UTF-8`);
  return Buffer.from(content).toString();
}
