import { notFound, type SkerryError } from '../../platform/errors.ts';
import { timeOfUlid } from '../../platform/ulid.ts';

/** Seconds from its beginning on that a draft can be worked on; later it is collected. */
const DRAFT_SECONDS = 24 * 60 * 60;

const PREFIX = 'drf_';

/** A draft as its id tells of it. */
export interface DraftTimes {
  /** What its blobs are named by. */
  readonly ulid: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
  readonly expiresAt: number;
}

export function draftIdOf(ulid: string): string {
  return PREFIX + ulid;
}

/** @throws SkerryError `not-found` for what is no id of a draft, as for one that nobody knows. */
export function readDraftId(id: string): DraftTimes {
  const ulid = id.startsWith(PREFIX) ? id.slice(PREFIX.length) : '';
  const createdAt = timeOfUlid(ulid);
  if (createdAt === undefined) {
    throw unknownDraft(id);
  }
  return { ulid, createdAt, expiresAt: createdAt + 1000 * DRAFT_SECONDS };
}

/** The one answer for a draft that never was, is another bundle's, was committed or discarded, or is over. */
export function unknownDraft(id: string): SkerryError {
  return notFound(`There is no open draft ${id.slice(0, 100)} of this bundle.`, {
    field: 'draft',
    fix: 'Begin one with POST …/drafts. A draft ends when it is committed or discarded, and 24 hours after its beginning; its id is known to its bundle only.',
  });
}
