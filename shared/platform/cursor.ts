import { invalid } from './errors.ts';

/** A cursor of a listing: where its next page begins, opaque to the caller. */
export function writeCursor(parts: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/**
 * Reads what `writeCursor` wrote.
 *
 * @param take makes sense of the parts; undefined when they make none.
 * @throws SkerryError `invalid` for anything else.
 */
export function readCursor<Cursor>(
  text: string,
  take: (parts: readonly unknown[]) => Cursor | undefined,
): Cursor {
  const parts = parseJson(Buffer.from(text, 'base64url').toString());
  const cursor = Array.isArray(parts) ? take(parts) : undefined;
  if (cursor === undefined) {
    throw invalid('"after" is not a cursor of this listing.', {
      field: 'after',
      fix: 'Take it from "next" of the page before, or leave it out.',
    });
  }
  return cursor;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
