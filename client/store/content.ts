export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** What a key holds: JSON, or text or bytes with a content type of their own. */
export type Content = Json | RawContent;

/** Text or bytes that are stored as they are, at most 256 KiB. */
export class RawContent {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Such as `image/png`; a JSON type would make it JSON. */
  readonly contentType: string;

  constructor(content: Uint8Array<ArrayBuffer> | string, contentType: string) {
    this.bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    this.contentType = contentType;
  }

  /** The bytes as UTF-8. */
  text(): string {
    return new TextDecoder().decode(this.bytes);
  }
}

/** Whether Skerry keeps content of this type as JSON. */
export function isJsonType(contentType: string): boolean {
  return /^application\/([^;]*\+)?json *(;|$)/i.test(contentType);
}

/** Reads what the answer for one key holds. */
export function readContent(bytes: Uint8Array<ArrayBuffer>, contentType: string): Content {
  if (!isJsonType(contentType)) return new RawContent(bytes, contentType);
  return JSON.parse(new TextDecoder().decode(bytes)) as Json;
}

/** Reads a value as listings and changes write it: raw content is an object of exactly two members. */
export function readValue(value: unknown): Content {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value as Json;
  const { contentType, $text, $bytes, ...rest } = value as Record<string, unknown>;
  if (typeof contentType !== 'string' || Object.keys(rest).length > 0) return value as Json;
  if (typeof $text === 'string' && $bytes === undefined) return new RawContent($text, contentType);
  if (typeof $bytes === 'string' && $text === undefined)
    return new RawContent(fromBase64($bytes), contentType);
  return value as Json;
}

/** Writes a value as transactions take it. */
export function writeValue(value: Content): Json {
  if (!(value instanceof RawContent)) return value;
  const { bytes, contentType } = value;
  try {
    return { $text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes), contentType };
  } catch {
    return { $bytes: toBase64(bytes), contentType };
  }
}

/** The body of a put, and its type. */
export function writeContent(value: Content): { bytes: Uint8Array<ArrayBuffer> | string; type: string } {
  return value instanceof RawContent
    ? { bytes: value.bytes, type: value.contentType }
    : { bytes: JSON.stringify(value), type: 'application/json' };
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
