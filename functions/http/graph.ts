import { z } from 'zod';
import { SkerryError } from '../../shared/platform/errors.ts';
import { json, preferredType, type Touch, wholeNumber } from '../../shared/platform/http/index.ts';
import {
  GRAPH_KINDS,
  type Graph,
  MAX_GRAPH_NODES,
  toDot,
  toMermaid,
  unknownNode,
} from '../../shared/search/index.ts';
import { endpoint } from './endpoint.ts';

const MAX_DEPTH = 100;

const FORMS = {
  'application/json': undefined,
  'text/vnd.graphviz': toDot,
  'text/vnd.mermaid': toMermaid,
  'text/x-mermaid': toMermaid,
} as const satisfies Record<string, ((graph: Graph) => string) | undefined>;
const TYPES = Object.keys(FORMS) as (keyof typeof FORMS)[];

const graphSchema = z.strictObject({
  root: z.string(),
  nodes: z
    .array(
      z.strictObject({
        id: z.string().describe('`KIND/ID`, as the path of its own graph has it.'),
        kind: z.enum([...GRAPH_KINDS, 'external']),
        name: z.string(),
      }),
    )
    .describe('Those nearer to the root first.'),
  edges: z
    .array(
      z.strictObject({
        from: z.string(),
        to: z.string(),
        type: z.enum(['contains', 'made-from', 'depends-on']),
      }),
    )
    .describe('From what needs something to what it needs, whichever was asked for.'),
  limit: z.int().describe('Most nodes of an answer.'),
  truncated: z.literal(true).optional().describe('There where there are more nodes than that.'),
});

const getGraph = endpoint({
  name: 'getGraph',
  method: 'GET',
  route: 'api/v1/graph/{kind}/{*id}',
  summary: 'What something consists of and depends on, or what depends on it',
  access: { verb: 'list', keys: '/' },
  touches: ({ params, query }) => touchesOf(params.kind, params.id, query.direction),
  missing: ({ kind, id }) => unknownNode(kind, id),
  params: {
    kind: z.enum(GRAPH_KINDS),
    id: z.string().min(1).max(300).describe('`ENVIRONMENT/ID` for resources and groups.'),
  },
  query: {
    direction: z.enum(['dependencies', 'dependents']).default('dependencies'),
    depth: wholeNumber({ minimum: 1, maximum: MAX_DEPTH })
      .default(MAX_DEPTH)
      .describe('Most edges between the root and what is shown.'),
  },
  requestHeaders: ['Accept'],
  responses: {
    200: {
      description:
        'The graph: JSON, or by `Accept` DOT (`text/vnd.graphviz`) or Mermaid (`text/vnd.mermaid`, `text/x-mermaid`).',
      body: graphSchema,
      orContent: true,
      headers: ['Vary'],
    },
  },
  errors: ['not-found', 'not-acceptable'],
  async handle({ ns, params, query, headers }, { graphs }) {
    const type = preferredType(headers, TYPES);
    if (type === undefined) {
      throw new SkerryError('not-acceptable', 'A graph is no such media type.', {
        field: 'Accept',
        fix: `Accept one of ${TYPES.join(', ')}.`,
      });
    }
    const kind = params.kind as (typeof GRAPH_KINDS)[number];
    const graph = await graphs.around(ns, { kind, id: params.id, ...query });
    const draw = FORMS[type];
    if (draw === undefined) {
      const limited = { ...graph, limit: MAX_GRAPH_NODES };
      return json(200, limited, { headers: { Vary: 'Accept' } });
    }
    return {
      status: 200,
      headers: {
        'Content-Type': `${type}; charset=utf-8`,
        'X-Content-Type-Options': 'nosniff',
        Vary: 'Accept',
      },
      body: draw(graph),
    };
  },
});

export const graphEndpoints = [getGraph];

/** Nothing depends on what is in another environment; templates depend on each other, and environments are made from them. */
function touchesOf(kind: string, id: string, direction: 'dependencies' | 'dependents'): Touch[] {
  const templates: Touch = { verb: 'list', keys: '/tpl/' };
  if (kind === 'template') {
    return direction === 'dependencies' ? [templates] : [templates, { verb: 'list', keys: '/env/' }];
  }
  const [environment = ''] = id.split('/');
  const own: Touch = { verb: 'list', keys: `/env/${environment}` };
  return direction === 'dependencies' ? [own, templates] : [own];
}
