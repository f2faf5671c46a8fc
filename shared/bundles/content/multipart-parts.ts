import { isUtf8 } from 'node:buffer';
import { unprocessable } from '../../platform/errors.ts';

const MAX_HEADER_BYTES = 16 * 1024;
const LINE_END = '\r\n';
const HEADERS_END = '\r\n\r\n';
/** What may stand between a delimiter and the end of its line (RFC 2046, section 5.1.1). */
const MAX_PADDING = 80;
const PADDING = /^[ \t]*\r\n/;
const PARAMETER = /;\s*([\w-]+)(\*)?\s*=\s*(?:"((?:\\"|[^"])*)"|([^\s;"]+))/gy;
const EXTENDED = /^utf-8'[\w-]*'(.+)$/i;

export interface Part {
  readonly name: string;
  /** Undefined for what is no file, but a field. */
  readonly fileName: string | undefined;
  /** A view of the body. */
  readonly content: Uint8Array;
}

/**
 * The parts of a body of the type `multipart/form-data` (RFC 7578), as views of it: nothing is copied.
 *
 * @throws SkerryError `unprocessable` for what is no such body, and what `checkCount` throws as soon as there are more than so many.
 */
export function multipartParts(
  bytes: Uint8Array,
  contentType: string,
  checkCount: (parts: number) => void,
): readonly Part[] {
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)/i.exec(contentType);
  if (boundary === null) throw malformed('its content type has no "boundary"');
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const delimiters = delimitersIn(body, `--${boundary[1] ?? boundary[2]}`, checkCount);
  return delimiters.flatMap(({ next }, index) => {
    const end = delimiters[index + 1]?.at;
    return end === undefined ? [] : [readPart(body.subarray(next, end - LINE_END.length))];
  });
}

/** Where a delimiter begins, on a line of its own, and where the next line does. */
interface Delimiter {
  readonly at: number;
  readonly next: number;
}

/** All up to the one that ends the form. */
function delimitersIn(body: Buffer, text: string, checkCount: (parts: number) => void): Delimiter[] {
  const found: Delimiter[] = [];
  const find = (from: number) => {
    const at = body.indexOf(LINE_END + text, from);
    return at < 0 ? at : at + LINE_END.length;
  };
  let behind = 0;
  for (let at = startsWith(body, text) ? 0 : find(0); at >= 0; at = find(behind)) {
    behind = at + text.length;
    const line = body.toString('latin1', behind, behind + MAX_PADDING);
    if (line.startsWith('--')) return [...found, { at, next: behind }];
    const padding = PADDING.exec(line)?.[0];
    if (padding !== undefined) {
      found.push({ at, next: behind + padding.length });
      checkCount(found.length);
    }
  }
  throw malformed(found.length === 0 ? 'its boundary is not in it' : 'its end is missing');
}

function startsWith(body: Buffer, text: string): boolean {
  return body.toString('latin1', 0, text.length) === text;
}

function readPart(part: Buffer): Part {
  const end = part.subarray(0, MAX_HEADER_BYTES).indexOf(HEADERS_END);
  if (end < 0) {
    throw malformed(`a part has more than ${MAX_HEADER_BYTES} bytes of headers, or no end of them`);
  }
  const headers = part.subarray(0, end);
  if (!isUtf8(headers)) throw malformed('the headers of a part are not UTF-8');
  const { disposition = '', encoding = 'binary' } = readHeaders(headers.toString());
  if (!/^(?:7bit|8bit|binary)$/i.test(encoding)) throw malformed('a part is encoded once more');
  const { name, filename } = parametersOf(disposition);
  if (name === undefined) throw malformed('a part has no name');
  return { name, fileName: filename, content: part.subarray(end + HEADERS_END.length) };
}

function readHeaders(text: string): { readonly disposition?: string; readonly encoding?: string } {
  const lines = text.split(LINE_END).map((line) => /^([^:]*):(.*)$/s.exec(line));
  const headerOf = (name: string) =>
    lines.find((line) => line?.[1]?.trim().toLowerCase() === name)?.[2]?.trim();
  const disposition = headerOf('content-disposition');
  const encoding = headerOf('content-transfer-encoding');
  return { ...(disposition !== undefined && { disposition }), ...(encoding !== undefined && { encoding }) };
}

/** Of `form-data; name="…"; filename="…"`, where the form with an asterisk (RFC 8187) counts more. */
function parametersOf(disposition: string): { readonly name?: string; readonly filename?: string } {
  const type = /^form-data\s*/i.exec(disposition)?.[0];
  if (type === undefined) throw malformed('a part is not "form-data"');
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = type.length;
  for (const [, key = '', asterisk, quoted, token] of disposition.matchAll(PARAMETER)) {
    const name = key.toLowerCase() + (asterisk ?? '');
    parameters.set(name, quoted === undefined ? (token ?? '') : unescaped(quoted));
  }
  const parameterOf = (name: string) => decoded(parameters.get(`${name}*`)) ?? parameters.get(name);
  const [name, filename] = [parameterOf('name'), parameterOf('filename')];
  return { ...(name !== undefined && { name }), ...(filename !== undefined && { filename }) };
}

/** Browsers escape these three characters by percent signs (HTML, "multipart form data"), others put a backslash before a quotation mark. */
function unescaped(text: string): string {
  return text.replaceAll('\\"', '"').replace(/%(?:22|0D|0A)/gi, (character) => decodeURIComponent(character));
}

function decoded(text: string | undefined): string | undefined {
  const encoded = EXTENDED.exec(text ?? '')?.[1];
  if (encoded === undefined) return undefined;
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    throw malformed('a name in it is not percent-encoded UTF-8', error);
  }
}

export function malformed(why: string, cause?: unknown) {
  return unprocessable(`This is no form of files: ${why}.`, {
    field: 'body',
    fix: 'Send "multipart/form-data" as curl -F or a browser does.',
    cause,
  });
}
