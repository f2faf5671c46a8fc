import { invalid, SkerryError } from '../errors.ts';
import { readBodyBytes } from './body-bytes.ts';
import { fieldPath } from './check.ts';
import type { Surface } from './endpoint.ts';
import { locateJsonFault } from './json-fault.ts';
import type { IncomingRequest } from './request.ts';

/** Cosmos DB refuses documents that are nested deeper than 128 levels; a value has some levels around it. */
export const MAX_NESTING = 100;

const JSON_MEDIA_TYPE = /^(?:application\/json|[\w!#$&^.+-]+\/[\w!#$&^.+-]+\+json)$/;
const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads a body as JSON. On the canonical surface a content type other than JSON is refused (a missing one
 * counts as JSON); on legacy surfaces it says nothing, because curl calls every body urlencoded.
 *
 * @param mayBeMissing whether an empty body is undefined, instead of a fault.
 * @throws SkerryError `unsupported-media-type`, `too-large`, or `invalid` with the line and column.
 */
export async function readJsonBody(
  request: IncomingRequest,
  surface: Surface,
  maxBytes: number,
  mayBeMissing: boolean,
): Promise<unknown> {
  if (surface === 'canonical') {
    checkContentType(request.headers.get('content-type'));
  }
  const bytes = await readBodyBytes(request, maxBytes);
  return bytes.byteLength === 0 && mayBeMissing ? undefined : parseJsonBytes(bytes);
}

/** Whether a body of this type is JSON, as one without a type is. */
export function isJsonType(contentType: string | null): boolean {
  return contentType === null || contentType.trim() === '' || JSON_MEDIA_TYPE.test(mediaTypeOf(contentType));
}

/** @throws SkerryError `unsupported-media-type` for JSON in another charset; `invalid` with the line and column. */
export function parseJsonContent(bytes: Uint8Array, contentType: string | null): unknown {
  checkContentType(contentType);
  return parseJsonBytes(bytes);
}

function parseJsonBytes(bytes: Uint8Array): unknown {
  if (bytes.byteLength === 0) {
    throw invalid('The body is empty.', { fix: 'Send a JSON body.' });
  }
  const value = parseJson(decode(bytes));
  checkTree(value, undefined, 0);
  return value;
}

function checkContentType(contentType: string | null): void {
  if (contentType === null || contentType.trim() === '') {
    return;
  }
  const parameters = contentType
    .toLowerCase()
    .split(';')
    .slice(1)
    .map((part) => part.trim());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (isJsonType(contentType) && (charset === undefined || /^"?utf-?8"?$/.test(charset))) {
    return;
  }
  throw new SkerryError('unsupported-media-type', `A body of type "${contentType}" is not accepted here.`, {
    field: 'Content-Type',
    fix: 'Send JSON in UTF-8 with "Content-Type: application/json".',
  });
}

function mediaTypeOf(contentType: string): string {
  return contentType.split(';', 1).join().trim().toLowerCase();
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
