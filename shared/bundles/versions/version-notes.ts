import { z } from 'zod';
import { checkInput } from '../../platform/http/check.ts';
import { BUNDLE_LIMITS } from '../limits.ts';
import { referenceNameSchema } from './reference.ts';

/** What is said about a version by whoever publishes it. */
export interface VersionNotes {
  readonly message: string;
  readonly labels: readonly string[];
}

/** The fields of requests that publish. */
export const versionNotesShape = {
  message: z.string().max(BUNDLE_LIMITS.messageCharacters).optional().describe('What is new.'),
  labels: z
    .array(referenceNameSchema)
    .max(BUNDLE_LIMITS.labels)
    .optional()
    .describe('Names by which the version is found; of several with one label, the newest is.'),
};

type UncheckedNotes = { readonly [Note in keyof VersionNotes]?: VersionNotes[Note] | undefined };

const notesSchema = z.strictObject(versionNotesShape);

/**
 * Each label once; nothing where nothing is said.
 *
 * @throws SkerryError `invalid`.
 */
export function checkNotes(notes: UncheckedNotes): VersionNotes {
  const { message = '', labels = [] } = checkInput(
    notesSchema,
    { message: notes.message, labels: notes.labels },
    'field',
  );
  return { message, labels: [...new Set(labels)] };
}
