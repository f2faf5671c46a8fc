import { z } from 'zod';
import {
  isOver,
  type Operation,
  type Operations,
  unknownOperation,
} from '../../../shared/operations/index.ts';
import { answerRead, json, nameSchema, paging, revisionTag } from '../../../shared/platform/http/index.ts';
import { mapConcurrently } from '../../../shared/platform/map-concurrently.ts';
import { endpoint } from '../endpoint.ts';
import {
  OPERATION_STATES,
  operationIdSchema,
  operationSchema,
  progressOf,
  showOperation,
  showStep,
  wholeOperationSchema,
} from './operation-shape.ts';
import { answerStarted, startedWork } from './started-work.ts';

/** Operations of a listing whose steps are read at a time. */
const AT_ONCE = 8;

const params = { id: operationIdSchema };

const listOperations = endpoint({
  name: 'listOperations',
  method: 'GET',
  route: 'api/v1/operations',
  summary: 'The operations of a namespace, the newest first',
  access: { verb: 'list', keys: '/op/' },
  query: {
    environment: nameSchema.optional().describe('Those that work on one environment.'),
    session: z
      .string()
      .max(200)
      .optional()
      .describe('Those of one session: an environment, `template:ID` or `bundle:NAME`.'),
    state: z.enum(OPERATION_STATES).optional(),
    type: z.string().max(128).optional().describe('Of the command, such as `environment.create`.'),
    ...paging,
  },
  responses: {
    200: {
      description: 'A page of operations, without their steps.',
      body: z.strictObject({
        items: z.array(operationSchema),
        next: z.string().optional().describe('Cursor of the next page, for `after`.'),
      }),
    },
  },
  async handle({ ns, query }, { operations }) {
    const { environment, session = environment, ...filter } = query;
    if (environment !== undefined && environment !== session) {
      return json(200, { items: [] });
    }
    const { items, next } = await operations.list(ns, { ...filter, session });
    const shown = await mapConcurrently(items, AT_ONCE, (operation) => showListed(operation, operations));
    return json(200, { items: shown, next });
  },
});

const getOperation = endpoint({
  name: 'getOperation',
  method: 'GET',
  route: 'api/v1/operations/{id}',
  summary: 'How an operation goes, step by step',
  access: { verb: 'read', keys: '/op/{id}' },
  missing: ({ id }) => unknownOperation(id),
  params,
  query: {
    steps: z
      .enum(['true', 'false'])
      .default('true')
      .transform((value) => value === 'true')
      .describe('`false` leaves the steps out.'),
  },
  requestHeaders: ['If-None-Match'],
  responses: {
    200: {
      description: 'The operation; `Retry-After` while it is under way.',
      body: wholeOperationSchema,
      headers: ['ETag', 'X-Skerry-Revision', 'Retry-After'],
    },
    304: { description: 'The operation is as the caller knows it.', headers: ['ETag', 'Retry-After'] },
  },
  errors: ['not-found'],
  async handle({ ns, params: { id }, query, headers }, { operations }) {
    const { operation, steps, revision } = await operations.whole(ns, id);
    const facts = {
      etag: revisionTag(revision),
      revision,
      ...(!isOver(operation.state) && { headers: { 'Retry-After': '1' } }),
    };
    return answerRead(headers, facts, () => ({
      ...showOperation(operation, progressOf(operation, steps)),
      ...(query.steps && { steps: steps.map(showStep) }),
    }));
  },
});

const cancelOperation = endpoint({
  name: 'cancelOperation',
  method: 'POST',
  route: 'api/v1/operations/{id}/cancel',
  summary: 'Has an operation end: no further steps begin, and those that run end',
  access: { verb: 'write', keys: '/op/{id}' },
  missing: ({ id }) => unknownOperation(id),
  params,
  responses: startedWork,
  errors: ['not-found', 'conflict'],
  async handle(request, { commands, operations }) {
    const {
      ns,
      params: { id },
      author,
    } = request;
    const operation = await commands.cancel(ns, id, author);
    return answerStarted(request, operation, { steps: await operations.steps(ns, id) });
  },
});

export const operationEndpoints = [listOperations, getOperation, cancelOperation];

async function showListed(operation: Operation, operations: Operations) {
  const { ns, id, state } = operation;
  const steps = state === 'running' ? await operations.steps(ns, id) : [];
  return showOperation(operation, progressOf(operation, steps));
}
