import { z } from 'zod';
import { invalid } from '../../shared/platform/errors.ts';
import { json, list, paging } from '../../shared/platform/http/index.ts';
import { fold, rangesOf, SEARCHABLE_KINDS } from '../../shared/search/index.ts';
import { endpoint } from './endpoint.ts';

const MAX_QUESTION_CHARACTERS = 200;

const findingSchema = z.strictObject({
  kind: z.enum(SEARCHABLE_KINDS),
  id: z.string().describe('As the paths of its own endpoints have it, such as `ENVIRONMENT/RESOURCE`.'),
  key: z.string(),
  name: z.string().optional(),
  field: z.enum(['id', 'name', 'tag', 'description', 'text']).describe('Where `q` was found.'),
  excerpt: z.string().describe('What stands there, on one line.'),
  score: z
    .int()
    .describe(
      '6 for a whole name, 5 for the beginning of one, 4 for a part of it, 3 for tags, 2 for descriptions, 1 for other texts; 0 without `q`.',
    ),
});

const search = endpoint({
  name: 'search',
  method: 'GET',
  route: 'api/v1/search',
  summary: 'Finds what is public by its names, tags, descriptions and texts',
  access: { verb: 'list', keys: '/' },
  touches: ({ query: { kind } }) =>
    rangesOf(kind.length === 0 ? SEARCHABLE_KINDS : kind).map((keys) => ({ verb: 'list', keys })),
  query: {
    ...paging,
    q: z
      .string()
      .max(MAX_QUESTION_CHARACTERS)
      .refine((text) => fold(text).trim() !== '', 'must hold more than white space')
      .optional()
      .describe('A part of a text, in upper or lower case.'),
    kind: list(z.enum(SEARCHABLE_KINDS)).describe('Only these; all kinds unless given.'),
    tag: list(z.string().min(1).max(MAX_QUESTION_CHARACTERS)).describe(
      'Only what has all of these: `name:value`, or the name alone.',
    ),
  },
  responses: {
    200: {
      description: 'What was found, the best first, equals by key.',
      body: z.strictObject({
        items: z.array(findingSchema),
        incomplete: z
          .literal(true)
          .optional()
          .describe(
            'There where the namespace holds more than is searched, so that something may be missing.',
          ),
        next: z.string().optional().describe('Cursor of the next page, for `after`.'),
      }),
    },
  },
  async handle({ ns, query: { q, kind, tag, limit, after } }, services) {
    if (q === undefined && kind.length === 0 && tag.length === 0) {
      throw invalid('Nothing is asked for.', { field: 'q', fix: 'Give "q", "kind" or "tag".' });
    }
    const kinds = kind.length === 0 ? undefined : kind;
    return json(200, await services.search.find(ns, { text: q, kinds, tags: tag, limit, after }));
  },
});

export const searchEndpoints = [search];
