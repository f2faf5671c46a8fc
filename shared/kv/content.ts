import { invalid, type SkerryError, tooLarge } from '../platform/errors.ts';
import { CONTENT_TYPE_PATTERN, isJsonType } from '../platform/http/index.ts';
import { type Json, MAX_VALUE_BYTES } from '../records/index.ts';

/** Content that is no JSON, as a value keeps it: exactly one of these two, with its content type. */
type RawValue = { $text: string; contentType: string } | { $bytes: string; contentType: string };

/** Bytes of JSON that a text may take, which escapes of control characters multiply; beyond it, it is kept as bytes. */
const MAX_TEXT_JSON_BYTES = (4 / 3) * MAX_VALUE_BYTES;

/** Keeps a byte order mark, so that what comes out is what went in. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The value that keeps raw content.
 *
 * @throws SkerryError `too-large` beyond 256 KiB.
 */
export function toRawValue(bytes: Uint8Array, contentType: string): Json {
  checkSize(bytes.byteLength, undefined);
  const text = decode(bytes);
  return text !== undefined && Buffer.byteLength(JSON.stringify(text)) <= MAX_TEXT_JSON_BYTES
    ? { $text: text, contentType }
    : { $bytes: Buffer.from(bytes).toString('base64'), contentType };
}

/** The raw content that a value keeps; undefined where it is JSON. */
export function rawContentOf(
  value: Json,
): { readonly bytes: Uint8Array | string; readonly contentType: string } | undefined {
  if (!isRawValue(value)) {
    return undefined;
  }
  const { contentType } = value;
  return { bytes: '$text' in value ? value.$text : Buffer.from(value.$bytes, 'base64'), contentType };
}

/**
 * Checks a value that came as JSON, which may be of the form that keeps raw content.
 *
 * @param field what an error calls the value; undefined for a whole body.
 * @throws SkerryError `too-large` beyond 256 KiB of content; `invalid` for raw content that is none.
 */
export function checkValue(value: Json, field?: string): void {
  if (!isRawValue(value)) {
    checkSize(Buffer.byteLength(JSON.stringify(value)), field);
    return;
  }
  if (!CONTENT_TYPE_PATTERN.test(value.contentType) || isJsonType(value.contentType)) {
    throw invalid(`"${value.contentType.slice(0, 200)}" is not a content type of raw content.`, {
      field: memberOf(field, 'contentType'),
      fix: 'Send one such as "text/plain", and JSON as it is.',
    });
  }
  const text = '$text' in value ? value.$text : value.$bytes;
  if ('$text' in value ? !text.isWellFormed() : Buffer.from(text, 'base64').toString('base64') !== text) {
    const [name] = Object.keys(value).filter((member) => member !== 'contentType');
    throw invalid(`The raw content is not what "${name}" holds.`, {
      field: memberOf(field, name ?? ''),
      fix: 'Send well-formed text as "$text", or base64 with its padding as "$bytes".',
    });
  }
  checkSize(Buffer.byteLength(text, '$text' in value ? 'utf8' : 'base64'), field);
}

function isRawValue(value: Json): value is RawValue {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return false;
  }
  const { contentType, $text, $bytes, ...others } = value;
  return (
    typeof contentType === 'string' &&
    (typeof $text === 'string') !== (typeof $bytes === 'string') &&
    ($text === undefined || $bytes === undefined) &&
    Object.keys(others).length === 0
  );
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function checkSize(bytes: number, field: string | undefined): void {
  if (bytes > MAX_VALUE_BYTES) {
    throw contentTooLarge(bytes, field);
  }
}

function contentTooLarge(bytes: number, field: string | undefined): SkerryError {
  return tooLarge(`The content has ${bytes} bytes; ${MAX_VALUE_BYTES} are allowed.`, {
    ...(field !== undefined && { field }),
    fix: 'Keep large content in a bundle, and its name here.',
  });
}

function memberOf(field: string | undefined, member: string): string {
  return field === undefined ? member : `${field}.${member}`;
}
