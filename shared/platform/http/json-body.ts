import { invalid, SkerryError, tooLarge } from '../errors.ts';
import { fieldPath } from './check.ts';
import type { Surface } from './endpoint.ts';
import { locateJsonFault } from './json-fault.ts';
import type { IncomingRequest } from './request.ts';

/** Bytes; room for a value of 256 KiB and what surrounds it (docs/api.md, "Fields"). */
export const MAX_BODY_BYTES = 300 * 1024;

/** Cosmos DB refuses documents that are nested deeper than 128 levels; a value has some levels around it. */
export const MAX_NESTING = 100;

const JSON_MEDIA_TYPE = /^application\/(?:[0-9a-z.+-]+\+)?json$/;
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a body as JSON. On the canonical surface a content type other than JSON is refused (a missing one
 * counts as JSON); on legacy surfaces it says nothing, because curl calls every body urlencoded.
 *
 * @throws SkerryError `unsupported-media-type`, `too-large`, `length-required`, or `invalid` with the line
 *   and column.
 */
export async function readJsonBody(request: IncomingRequest, surface: Surface): Promise<unknown> {
  if (surface === 'canonical') {
    checkContentType(request.headers.get('content-type'));
  }
  const bytes = await readBytes(request);
  if (bytes.byteLength === 0) {
    throw missingBody(request);
  }
  const value = parseJson(decode(bytes));
  checkTree(value, undefined, 0);
  return value;
}

function checkContentType(contentType: string | null): void {
  if (contentType === null || contentType.trim() === '') {
    return;
  }
  const [mediaType = '', ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (JSON_MEDIA_TYPE.test(mediaType) && (charset === undefined || /^"?utf-?8"?$/.test(charset))) {
    return;
  }
  throw new SkerryError('unsupported-media-type', `A body of type "${contentType}" is not accepted here.`, {
    field: 'Content-Type',
    fix: 'Send JSON in UTF-8 with "Content-Type: application/json".',
  });
}

async function readBytes(request: IncomingRequest): Promise<Uint8Array> {
  const declared = request.headers.get('content-length');
  if (declared === null) {
    return await readStream(request.body);
  }
  if (Number(declared) > MAX_BODY_BYTES) {
    throw bodyTooLarge();
  }
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.byteLength > MAX_BODY_BYTES) {
    throw bodyTooLarge();
  }
  return bytes;
}

/** Without a declared length the limit has to hold while reading, or anyone could fill the memory. */
async function readStream(stream: AsyncIterable<unknown> | null): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stream ?? []) {
    if (!(chunk instanceof Uint8Array)) {
      throw new TypeError('A body stream yields bytes.');
    }
    length += chunk.byteLength;
    if (length > MAX_BODY_BYTES) {
      throw bodyTooLarge();
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function bodyTooLarge(): SkerryError {
  return tooLarge(`The body is larger than ${MAX_BODY_BYTES} bytes.`, {
    fix: 'Send less; large content belongs in bundles.',
  });
}

function missingBody(request: IncomingRequest): SkerryError {
  if (request.headers.get('transfer-encoding') !== null) {
    return new SkerryError('length-required', 'The length of the body is not known.', {
      field: 'Content-Length',
      fix: 'Send the body with a Content-Length header instead of chunked.',
    });
  }
  return invalid('The body is empty.', { fix: 'Send a JSON body.' });
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw invalid('The body is not valid UTF-8.', { fix: 'Send JSON in UTF-8.' });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { position, line, column } = locateJsonFault(text, cause);
    throw invalid(
      `The body is not well-formed JSON at line ${line}, column ${column} (position ${position}).`,
      {
        fix: 'Correct it there, or just before.',
        cause,
      },
    );
  }
}

/** Where a value stands in the body; written out only for messages. */
interface Place {
  readonly parent: Place | undefined;
  readonly part: string | number;
}

/**
 * Refuses what would not come back as it was sent, and what code downstream could trip over: numbers that are
 * too large, deep nesting, and members that would replace a prototype.
 */
function checkTree(value: unknown, place: Place | undefined, depth: number): void {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw invalid(`The ${subject(place)} is a number that is too large.`, {
      ...named(place),
      fix: 'Send numbers of at most double precision, or a string.',
    });
  }
  if (typeof value !== 'object' || value === null) {
    return;
  }
  if (depth >= MAX_NESTING) {
    throw invalid(`The body is nested deeper than ${MAX_NESTING} levels.`, { fix: 'Send flatter JSON.' });
  }
  const isArray = Array.isArray(value);
  for (const [name, member] of Object.entries(value)) {
    const memberPlace = { parent: place, part: isArray ? Number(name) : name };
    if (name === '__proto__') {
      throw invalid(`The ${subject(memberPlace)} has a name that is not accepted.`, {
        ...named(memberPlace),
        fix: 'Use another name than "__proto__".',
      });
    }
    checkTree(member, memberPlace, depth + 1);
  }
}

function subject(place: Place | undefined): string {
  return place === undefined ? 'body' : `field "${pathTo(place)}"`;
}

function named(place: Place | undefined): { field?: string } {
  return place === undefined ? {} : { field: pathTo(place) };
}

function pathTo(place: Place): string {
  const parts: (string | number)[] = [];
  for (let at: Place | undefined = place; at !== undefined; at = at.parent) {
    parts.unshift(at.part);
  }
  return fieldPath(parts);
}
