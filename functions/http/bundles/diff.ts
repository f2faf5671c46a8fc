import { z } from 'zod';
import { compareVersions, referenceSchema, unknownBundle } from '../../../shared/bundles/index.ts';
import { json } from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { bundleFileSchema, readsVersions, VERSION_KEYS } from './version-shape.ts';

const contentSchema = bundleFileSchema.omit({ path: true });

const diffVersions = endpoint({
  name: 'diffVersions',
  method: 'GET',
  route: 'api/v1/bundles/{name}/diff',
  summary: 'The files that two versions have not in common, text with its lines',
  access: { verb: 'read', keys: VERSION_KEYS },
  touches: ({ params: { name }, query: { from, to } }) => readsVersions(name, [from, to]),
  missing: ({ name }, ns) => unknownBundle(ns, name),
  query: {
    from: referenceSchema.optional().describe('The older version; without it the one before `to`.'),
    to: referenceSchema.optional().describe('The newer version; without it the newest.'),
  },
  responses: {
    200: {
      description: 'The differences, in the order of the paths.',
      body: z.strictObject({
        from: z.int().describe('0 where there is no version before `to`.'),
        to: z.int(),
        added: z.array(bundleFileSchema),
        removed: z.array(bundleFileSchema),
        changed: z.array(
          z.strictObject({
            path: z.string(),
            from: contentSchema,
            to: contentSchema,
            diff: z.string().optional().describe('A unified difference with three lines of context.'),
            omitted: z
              .enum(['binary', 'too large'])
              .optional()
              .describe('Why there is no `diff`: it is no text, or there is too much to compare.'),
          }),
        ),
      }),
    },
  },
  errors: ['not-found'],
  async handle({ ns, params, query }, { versions }) {
    return json(200, await compareVersions(versions, ns, params.name, query));
  },
});

export const diffEndpoints = [diffVersions];
