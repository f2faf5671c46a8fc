import type { z } from 'zod';
import { invalid, SkerryError } from '../errors.ts';
import type { MemoryGate } from '../memory-gate.ts';
import { readBodyBytes } from './body-bytes.ts';
import type { HeaderReader, IncomingRequest } from './request.ts';

/** A body of any media type, as it was sent. */
export interface RawContent {
  readonly bytes: Uint8Array;
  /** Null where the caller named none. */
  readonly contentType: string | null;
}

/** Declares that an endpoint takes its body as it is, instead of a schema for JSON. */
export interface RawBody {
  readonly maxBytes: number;
  /** Bounds how much of such bodies the process holds at a time. */
  readonly gate?: MemoryGate;
  /** What to do with a body that is too large. */
  readonly fix?: string;
}

/** What the handler of an endpoint is given for the body that it declared. */
export type BodyOf<Body> = Body extends z.ZodType ? z.output<Body> : RawContent;

export function rawContent(maxBytes: number, options: Omit<RawBody, 'maxBytes'> = {}): RawBody {
  return { maxBytes, ...options };
}

/** Runs what reads a body and works with it, where there is memory for it. */
export async function whereThereIsRoom<Answer>(
  { maxBytes, gate }: RawBody,
  headers: HeaderReader,
  work: () => Promise<Answer>,
): Promise<Answer> {
  if (gate === undefined) return await work();
  const declared = Number(headers.get('content-length') ?? maxBytes);
  return await gate.hold(declared <= maxBytes ? declared : 0, work);
}

export function isRawBody(body: z.ZodType | RawBody): body is RawBody {
  return 'maxBytes' in body;
}

/** What may be stored as a content type and sent again as a header: `type/subtype` and parameters, in ASCII. */
export const CONTENT_TYPE_PATTERN = /^[\w!#$&^.+-]{1,100}\/[\w!#$&^.+-]{1,100} *(?:;[\x20-\x7e]{0,100})?$/;

/** @throws SkerryError `invalid` for a content type that is none, `unsupported-media-type` for packed content, `too-large`. */
export async function readRawBody(request: IncomingRequest, { maxBytes, fix }: RawBody): Promise<RawContent> {
  const given = request.headers.get('content-type')?.trim() ?? '';
  const contentType = given === '' ? null : given;
  if (contentType !== null && !CONTENT_TYPE_PATTERN.test(contentType)) {
    throw invalid(`"${contentType.slice(0, 200)}" is not a content type.`, {
      field: 'Content-Type',
      fix: 'Send one such as "application/json" or "text/plain; charset=utf-8".',
    });
  }
  const encoding = request.headers.get('content-encoding')?.trim().toLowerCase() ?? '';
  if (encoding !== '' && encoding !== 'identity') {
    throw new SkerryError(
      'unsupported-media-type',
      `The encoding "${encoding.slice(0, 100)}" would be lost.`,
      {
        field: 'Content-Encoding',
        fix: 'Send the content unpacked, or with the content type of the packed form, such as "application/gzip".',
      },
    );
  }
  return { bytes: await readBodyBytes(request, maxBytes, fix), contentType };
}
