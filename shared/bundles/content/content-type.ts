import type { PackedFacts } from './manifest.ts';

/** Types of text that programs know as such, although they are not of the family `text/`. */
const TEXTUAL = /^application\/(?:[\w.-]+\+)?(?:json|xml)$|^application\/json5$|^image\/svg\+xml$/;

/** The content type of a file, by its name; text of a type that would not be shown as such is plain text. */
export async function contentTypeOf({ path, isText }: Pick<PackedFacts, 'path' | 'isText'>): Promise<string> {
  const { default: mime } = await import('mime/lite');
  // By the slash it knows a path, of which a name without a dot has no type.
  const type = mime.getType(`/${path}`) ?? 'application/octet-stream';
  if (!isText) return type;
  if (type.startsWith('text/')) return `${type}; charset=utf-8`;
  return TEXTUAL.test(type) ? type : 'text/plain; charset=utf-8';
}
