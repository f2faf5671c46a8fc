import { type Content, RawContent, writeValue } from '../store/content.ts';
import { oneLine } from './one-line.ts';

/** A value as JSON: raw content is an object of `$text` or `$bytes` and its content type. */
export function contentAsJson(value: Content | null): unknown {
  return value === null ? null : writeValue(value);
}

/** A value as a person reads it, in one line. */
export function contentAsLine(value: Content | null): string {
  if (value === null) return '-';
  if (!(value instanceof RawContent)) return JSON.stringify(value);
  const { $text } = writeValue(value) as { readonly $text?: string };
  return oneLine($text ?? `${value.bytes.byteLength} bytes of ${value.contentType}`);
}
