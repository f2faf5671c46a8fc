import { hash } from 'node:crypto';
import { invalid, preconditionFailed } from '../errors.ts';
import type { HeaderReader } from './request.ts';

/** `*`, or entity tags as they were sent: quoted, perhaps with `W/` in front. */
export type EntityTags = '*' | readonly string[];

/** What must hold of the present state for a write to happen (RFC 9110, section 13). */
export interface Precondition {
  readonly ifMatch?: EntityTags;
  readonly ifNoneMatch?: EntityTags;
}

const DIGEST_CHARACTERS = 16;

/** The entity tag of a record: its revision. */
export function revisionTag(revision: number): string {
  return `"${revision}"`;
}

/** The text of an entity tag, without quotes, for what has no revision of its own: it differs when one of the lines does. */
export function digestOf(lines: readonly string[]): string {
  return hash('sha1', lines.join('\n'), 'base64url').slice(0, DIGEST_CHARACTERS);
}

/**
 * The precondition in a request's headers; undefined when it carries none.
 *
 * @throws SkerryError `invalid` when a header is neither `*` nor a list of quoted tags.
 */
export function readPrecondition(headers: HeaderReader): Precondition | undefined {
  const ifMatch = headers.get('if-match');
  const ifNoneMatch = headers.get('if-none-match');
  if (ifMatch === null && ifNoneMatch === null) {
    return undefined;
  }
  return {
    ...(ifMatch !== null && { ifMatch: parseEntityTags(ifMatch, 'If-Match') }),
    ...(ifNoneMatch !== null && { ifNoneMatch: parseEntityTags(ifNoneMatch, 'If-None-Match') }),
  };
}

/**
 * Holds a record against a precondition; `undefined` stands for a record that does not exist. To be called in
 * the `decide` of a commit, so that it is the newest state that is looked at.
 *
 * @throws SkerryError `precondition-failed`.
 */
export function checkPrecondition(
  precondition: Precondition | undefined,
  current: { readonly revision: number } | undefined,
): void {
  checkPresentTag(precondition, current && revisionTag(current.revision));
}

/**
 * As `checkPrecondition`, for what has an entity tag that is not its revision.
 *
 * @param tag the present one; undefined for what does not exist.
 * @throws SkerryError `precondition-failed`.
 */
export function checkPresentTag(precondition: Precondition | undefined, tag: string | undefined): void {
  if (precondition === undefined) {
    return;
  }
  if (precondition.ifMatch !== undefined && !matchesStrongly(precondition.ifMatch, tag)) {
    throw preconditionFailed(tag === undefined ? 'It does not exist.' : `Its present entity tag is ${tag}.`, {
      field: 'If-Match',
      fix: 'Read the present state and decide again.',
    });
  }
  if (precondition.ifNoneMatch !== undefined && matchesWeakly(precondition.ifNoneMatch, tag)) {
    throw preconditionFailed(`It exists already, with the entity tag ${tag}.`, {
      field: 'If-None-Match',
      fix: 'Read the present state and decide again.',
    });
  }
}

/**
 * Holds what is read against the caller's `If-Match`.
 *
 * @param tag its entity tag; undefined where it has none, which nothing matches but `*`.
 * @throws SkerryError `precondition-failed`, and `invalid` for a malformed header.
 */
export function checkIfMatch(headers: HeaderReader, tag: string | undefined): void {
  const ifMatch = headers.get('if-match');
  if (ifMatch === null) {
    return;
  }
  const tags = parseEntityTags(ifMatch, 'If-Match');
  if (tags !== '*' && !matchesStrongly(tags, tag)) {
    throw preconditionFailed(
      tag === undefined ? 'It has no entity tag.' : `Its present entity tag is ${tag}.`,
      { field: 'If-Match', fix: 'Leave the header out to read what stands there now.' },
    );
  }
}

/** Whether a read can be answered 304: the caller's `If-None-Match` covers the present tag. */
export function isNotModified(headers: HeaderReader, tag: string): boolean {
  const ifNoneMatch = headers.get('if-none-match');
  return ifNoneMatch !== null && matchesWeakly(parseEntityTags(ifNoneMatch, 'If-None-Match'), tag);
}

/** One element of the list, which may be empty (RFC 9110, section 5.6.1). */
const ENTITY_TAG = /\s*(?:(?:W\/)?"[\x21\x23-\x7e\x80-\uffff]*"\s*)?(?:,|$)/y;

function parseEntityTags(header: string, name: string): EntityTags {
  if (header.trim() === '*') {
    return '*';
  }
  const tags: string[] = [];
  ENTITY_TAG.lastIndex = 0;
  while (ENTITY_TAG.lastIndex < header.length) {
    const tag = ENTITY_TAG.exec(header)?.[0];
    if (tag === undefined) {
      throw invalid(`The header ${name} is neither "*" nor a list of entity tags.`, {
        field: name,
        fix: 'Send a tag as the ETag header gave it, quotes included, such as "42".',
      });
    }
    tags.push(tag.replace(/\s*,?$/, '').trim());
  }
  return tags.filter((tag) => tag !== '');
}

function matchesStrongly(tags: EntityTags, tag: string | undefined): boolean {
  return tag !== undefined && (tags === '*' || (!tag.startsWith('W/') && tags.includes(tag)));
}

function matchesWeakly(tags: EntityTags, tag: string | undefined): boolean {
  return tag !== undefined && (tags === '*' || tags.some((candidate) => opaque(candidate) === opaque(tag)));
}

function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
