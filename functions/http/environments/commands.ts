import { z } from 'zod';
import {
  commandEventSchema,
  commandOf,
  isSourceOfRequests,
  sourceOf,
} from '../../../shared/operations/index.ts';
import { invalid, notFound } from '../../../shared/platform/errors.ts';
import { canonicalLocation, json, nameSchema } from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { jsonValueSchema } from '../json-value.ts';
import { commandSchema } from './command-schema.ts';
import { operationSchema } from './operation-shape.ts';
import { answerStarted, startedWork } from './started-work.ts';

const sendCommand = endpoint({
  name: 'sendCommand',
  method: 'POST',
  route: 'api/v1/commands',
  summary:
    'Takes a command as a CloudEvent, as the queue `commands` does; sent again, it is the same operation',
  // What a command does to which keys, its rule says: whoever sends it is asked for that, here as on the bus.
  access: 'known',
  body: commandEventSchema,
  responses: {
    202: {
      ...startedWork[202],
      body: z.strictObject({
        ...operationSchema.shape,
        callbackSecret: z
          .string()
          .optional()
          .describe('By which calls of the `callback` are signed; told once.'),
      }),
    },
  },
  errors: ['not-found', 'conflict', 'unprocessable', 'too-many-requests'],
  async handle(request, { commands }) {
    const { ns, body, author } = request;
    if (body.ns !== undefined && ns !== 'default' && body.ns !== ns) {
      throw invalid(`The command is for the namespace "${body.ns}", the request for "${ns}".`, {
        field: 'ns',
        fix: 'Name the namespace in one of them.',
      });
    }
    if (isSourceOfRequests(body.source) && body.source !== sourceOf(author)) {
      throw invalid('Sources that begin with "/api/v1/" are of those who ask over HTTP, each their own.', {
        field: 'source',
        fix: `Name another one, or "${sourceOf(author)}".`,
      });
    }
    const command = commandOf({ traceparent: author.traceparent, ...body }, body.ns ?? ns, author);
    const { callbackSecret, ...operation } = await commands.send(command);
    return answerStarted({ ns: command.ns, baseUrl: request.baseUrl }, operation, { callbackSecret });
  },
});

const listCommandSchemas = endpoint({
  name: 'listCommandSchemas',
  method: 'GET',
  route: 'api/v1/schemas/commands',
  summary: 'The types of commands',
  access: 'known',
  responses: {
    200: {
      description: 'All of them.',
      body: z.strictObject({
        items: z.array(
          z.strictObject({
            type: z.string(),
            summary: z.string(),
            schema: z.url().describe('Where its schema is.'),
          }),
        ),
      }),
    },
  },
  handle(request, { commandRules }) {
    const items = commandRules.all().map(({ type, summary }) => ({
      type,
      summary,
      schema: canonicalLocation({ baseUrl: request.baseUrl, ns: 'default' }, `schemas/commands/${type}`),
    }));
    return json(200, { items });
  },
});

const getCommandSchema = endpoint({
  name: 'getCommandSchema',
  method: 'GET',
  route: 'api/v1/schemas/commands/{type}',
  summary: 'The JSON Schema (2020-12) of a type of commands, CloudEvent and data',
  access: 'known',
  params: { type: nameSchema },
  responses: {
    200: {
      description: 'The schema.',
      body: z.record(z.string(), jsonValueSchema),
      mediaType: 'application/schema+json',
    },
  },
  errors: ['not-found'],
  handle({ params: { type }, baseUrl }, { commandRules }) {
    const rule = commandRules.find(type);
    if (rule === undefined) {
      const types = commandRules.all().map((one) => one.type);
      throw notFound(`There are no commands of the type "${type}".`, {
        fix: `Use one of ${types.join(', ')}.`,
      });
    }
    const id = canonicalLocation({ baseUrl, ns: 'default' }, `schemas/commands/${type}`);
    return json(200, commandSchema(rule, id), { headers: { 'Content-Type': 'application/schema+json' } });
  },
});

export const commandEndpoints = [sendCommand, listCommandSchemas, getCommandSchema];
