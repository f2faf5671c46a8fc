import { z } from 'zod';
import { toTimestamp } from '../../shared/platform/clock.ts';
import { answerRead, json, nameSchema, revisionTag } from '../../shared/platform/http/index.ts';
import { type AgentAddress, type AgentStatus, stateOf, unknownAgent } from '../../shared/status/index.ts';
import type { Services } from '../services.ts';
import { endpoint } from './endpoint.ts';

const stateSchema = z.enum(['init', 'ok', 'error']);
/** What is published of an agent, of which every answer tells all. */
export const STATUS_KEYS = '/kv/{label}/check/status/v1/';

const shortText = z.string().max(256);

const statusSchema = z.strictObject({
  label: nameSchema,
  state: stateSchema.describe('The logical AND over the plugins, non-fatal ones excepted.'),
  buildVersion: shortText.optional(),
  buildDate: shortText.optional(),
  commitHash: shortText.optional(),
  nonFatal: z.array(z.string()).describe('Plugins whose errors are no error of the agent.'),
  startTime: z.iso.datetime().describe('When the agent was first heard of.'),
  lastChange: z.iso.datetime().describe('Of the state.'),
  lastUpdate: z.iso.datetime(),
  plugins: z.array(
    z.strictObject({
      name: z.string(),
      state: stateSchema,
      error: z.string().optional(),
      lastChange: z.iso.datetime().describe('Of the state.'),
      lastUpdate: z.iso.datetime(),
    }),
  ),
  revision: z.int(),
});

const status = {
  description: 'How the agent and its plugins are.',
  body: statusSchema,
  headers: ['ETag', 'X-Skerry-Revision'],
} as const;

const putPlugin = endpoint({
  name: 'reportPluginStatus',
  method: 'PUT',
  route: 'api/v1/status/{label}/plugins/{name}',
  summary: 'How a plugin of an agent is; what it said already is not published again',
  access: { verb: 'write', keys: STATUS_KEYS },
  body: z.strictObject({
    state: stateSchema,
    error: z.string().max(4096).optional().describe('Why it is so.'),
  }),
  responses: { 200: status },
  async handle({ ns, params, body, author }, { agents }) {
    const address = { ns, label: params.label };
    await agents.report(address, params.name, body, author);
    return await answerStatus(address, agents);
  },
});

const putAgent = endpoint({
  name: 'describeAgent',
  method: 'PUT',
  route: 'api/v1/status/{label}',
  summary: 'What an agent was built from, and which of its plugins are not fatal',
  access: { verb: 'write', keys: STATUS_KEYS },
  body: z.strictObject({
    buildVersion: shortText.optional(),
    buildDate: shortText.optional(),
    commitHash: shortText.optional(),
    nonFatal: z.array(nameSchema).max(100).optional(),
  }),
  responses: { 200: status },
  async handle({ ns, params, body, author }, { agents }) {
    const address = { ns, label: params.label };
    await agents.describe(address, body, author);
    return await answerStatus(address, agents);
  },
});

const getStatus = endpoint({
  name: 'getStatus',
  method: 'GET',
  route: 'api/v1/status/{label}',
  summary: 'How an agent and its plugins are',
  access: { verb: 'read', keys: STATUS_KEYS },
  missing: ({ label }, ns) => unknownAgent({ ns, label }),
  requestHeaders: ['If-None-Match'],
  responses: {
    200: status,
    304: { description: 'The status is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  async handle({ ns, params, headers }, { agents }) {
    const address = { ns, label: params.label };
    const known = await knownStatus(address, agents);
    return answerRead(headers, factsOf(known), () => toView(address, known));
  },
});

export const statusEndpoints = [putPlugin, putAgent, getStatus];

async function answerStatus(address: AgentAddress, agents: Services['agents']) {
  const known = await knownStatus(address, agents);
  return json(200, toView(address, known), factsOf(known));
}

/** @throws SkerryError `not-found`. */
async function knownStatus(address: AgentAddress, agents: Services['agents']): Promise<AgentStatus> {
  const known = await agents.get(address);
  if (known === undefined) {
    throw unknownAgent(address);
  }
  return known;
}

function factsOf({ revision }: AgentStatus) {
  return { etag: revisionTag(revision), revision };
}

function toView({ label }: AgentAddress, { agent, plugins, revision }: AgentStatus) {
  return {
    label,
    state: stateOf(agent),
    buildVersion: agent.build_version,
    buildDate: agent.build_date,
    commitHash: agent.commit_hash,
    nonFatal: agent.non_fatal_plugins,
    startTime: toTimestamp(1000 * agent.start_time),
    lastChange: toTimestamp(1000 * agent.last_change),
    lastUpdate: toTimestamp(1000 * agent.last_update),
    plugins: [...plugins].map(([name, plugin]) => ({
      name,
      state: stateOf(plugin),
      error: plugin.error,
      lastChange: toTimestamp(1000 * plugin.last_change),
      lastUpdate: toTimestamp(1000 * plugin.last_update),
    })),
    revision,
  };
}
