import { z } from 'zod';

/** Query parameters as they were sent: decoded, an array where one was given repeatedly. */
export type RawQuery = Readonly<Record<string, string | string[]>>;

const NO_QUERY: RawQuery = Object.freeze(Object.create(null));

/** Reads the query of a URL itself, because the host merges repeated parameters and mixes in what is none. */
export function readQuery(url: string): RawQuery {
  const start = url.indexOf('?');
  if (start === -1) {
    return NO_QUERY;
  }
  const query: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of new URLSearchParams(url.slice(start + 1))) {
    const present = query[name];
    if (present === undefined) {
      query[name] = value;
    } else if (Array.isArray(present)) {
      present.push(value);
    } else {
      query[name] = [present, value];
    }
  }
  return query;
}

/** A parameter that is true when it stands there bare: `?passing`, `?passing=true`, `?passing=false`. */
export function flag() {
  return z
    .enum(['', 'true', 'false'], 'must be true, false, or stand there without a value')
    .default('false')
    .transform((value) => value !== 'false');
}

/** A parameter that may be repeated: `?tag=a&tag=b`. Empty when it is not given. */
export function list<Item extends z.ZodType<unknown, string>>(item: Item) {
  return z.preprocess((value) => (typeof value === 'string' ? [value] : value), z.array(item).default([]));
}

/** A whole number within bounds. */
export function wholeNumber(bounds: { readonly minimum: number; readonly maximum: number }) {
  const { minimum, maximum } = bounds;
  return z
    .string()
    .regex(/^\d{1,15}$/, `must be a whole number from ${minimum} to ${maximum}`)
    .transform(Number)
    .pipe(z.number().min(minimum).max(maximum))
    .meta({ type: 'integer', minimum, maximum });
}

/** Most items on one page of a listing, and what a page holds unless the caller says otherwise. */
const MAX_PAGE_ITEMS = 1000;

/** Room for the cursor of a key of 500 bytes, each of which JSON may write as two. */
const MAX_CURSOR_CHARACTERS = 2000;

/** The parameters of every listing that comes in pages. */
export const paging = {
  limit: wholeNumber({ minimum: 1, maximum: MAX_PAGE_ITEMS })
    .default(MAX_PAGE_ITEMS)
    .describe(`Most items of the answer; ${MAX_PAGE_ITEMS} unless given.`),
  after: z.string().min(1).max(MAX_CURSOR_CHARACTERS).optional().describe('The `next` of the page before.'),
};
