import { SkerryError } from '../errors.ts';
import type { HeaderReader } from './request.ts';
import type { Body, HttpResponse } from './response.ts';

export interface ByteRange {
  readonly start: number;
  /** The first byte that is not in it. */
  readonly end: number;
}

const RANGE = /^bytes=(\d*)-(\d*)$/i;

/**
 * The part that a request wants (RFC 9110, section 14); undefined where it gets the whole: without a range, with several or with one that
 * cannot be read, and where `If-Range` names another state.
 *
 * @param size bytes of the whole.
 * @param etag of the whole, a strong one.
 * @throws SkerryError `range-not-satisfiable`.
 */
export function readByteRange(headers: HeaderReader, size: number, etag: string): ByteRange | undefined {
  const ifRange = headers.get('if-range')?.trim();
  if (ifRange !== undefined && ifRange !== etag) return undefined;
  const [, first = '', last = ''] = RANGE.exec(headers.get('range')?.trim() ?? '') ?? [];
  const isReadable = first === '' ? last !== '' : last === '' || Number(last) >= Number(first);
  if (!isReadable) return undefined;
  const range =
    first === ''
      ? { start: Math.max(0, size - Number(last)), end: size }
      : { start: Number(first), end: last === '' ? size : Math.min(Number(last) + 1, size) };
  if (range.start >= range.end) {
    throw new SkerryError('range-not-satisfiable', `The content has ${size} bytes.`, {
      field: 'Range',
      fix: 'Ask for a range within it.',
      headers: { 'Content-Range': `bytes */${size}`, 'Accept-Ranges': 'bytes' },
    });
  }
  return range;
}

/** 200 with all of some content, or 206 with a part of it. */
export function answerRange(
  range: ByteRange | undefined,
  size: number,
  {
    headers,
    read,
  }: { readonly headers: Readonly<Record<string, string>>; readonly read: (range: ByteRange) => Body },
): HttpResponse {
  const { start, end } = range ?? { start: 0, end: size };
  return {
    status: range === undefined ? 200 : 206,
    headers: {
      ...headers,
      'Accept-Ranges': 'bytes',
      'Content-Length': String(end - start),
      ...(range !== undefined && { 'Content-Range': `bytes ${start}-${end - 1}/${size}` }),
    },
    body: () => Promise.resolve(read({ start, end })),
  };
}
