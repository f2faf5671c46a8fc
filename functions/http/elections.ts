import { z } from 'zod';
import { isNotLed, leadsNoMore } from '../../shared/elections/index.ts';
import {
  authorize,
  json,
  nameSchema,
  noContent,
  nothingAt,
  wholeNumber,
} from '../../shared/platform/http/index.ts';
import { endpoint } from './endpoint.ts';
import { MAX_WAIT_SECONDS, ttlSchema } from './time-limits.ts';

const tokenSchema = z
  .int()
  .min(1)
  .describe('The fencing token of the grant: greater than those of all grants before.');

const leadershipSchema = z.strictObject({
  name: nameSchema,
  candidate: z.string(),
  token: tokenSchema,
  ttl: ttlSchema,
  expiresAt: z.iso.datetime().describe('When the leadership ends unless it is renewed.'),
});

const campaign = endpoint({
  name: 'campaign',
  method: 'POST',
  route: 'api/v1/elections/{name}/campaign',
  summary: 'Takes the leadership as soon as nobody has it; 409 names the leader when the wait is over',
  access: { verb: 'write', keys: '/election/{name}' },
  body: z.strictObject({
    candidate: z.string().min(1).max(256).describe('What others see as the leader.'),
    ttl: ttlSchema,
    wait: z
      .int()
      .min(0)
      .max(MAX_WAIT_SECONDS)
      .default(0)
      .describe('Seconds to wait for the leadership; 0 unless given.'),
  }),
  responses: {
    200: { description: 'The candidate leads.', body: leadershipSchema, headers: ['X-Skerry-Revision'] },
  },
  errors: ['conflict', 'too-many-requests'],
  async handle({ ns, params, body, author, caller }, { elections, callerOf }) {
    const touch = { verb: 'write', keys: `/election/${params.name}` } as const;
    const checkRight = async () =>
      authorize(await callerOf(caller.maker), ns, [touch], () =>
        nothingAt(`/api/v1/elections/${params.name}/campaign`),
      );
    const leadership = await elections.campaign({ ns, name: params.name }, body, author, checkRight);
    return json(200, leadership, { revision: leadership.token });
  },
});

const renew = endpoint({
  name: 'renewLeadership',
  method: 'PUT',
  route: 'api/v1/elections/{name}/renew',
  summary: 'Keeps the leadership; 404 when the token leads no more',
  access: { verb: 'write', keys: '/election/{name}' },
  missing: ({ name }) => leadsNoMore({ name }),
  body: z.strictObject({ token: tokenSchema }),
  responses: { 200: { description: 'The candidate leads on.', body: leadershipSchema } },
  errors: ['not-found'],
  async handle({ ns, params, body }, { elections }) {
    return json(200, await elections.renew({ ns, name: params.name }, body.token));
  },
});

const resign = endpoint({
  name: 'resignLeadership',
  method: 'DELETE',
  route: 'api/v1/elections/{name}',
  summary: 'Gives the leadership up; 404 when the token leads no more',
  access: { verb: 'delete', keys: '/election/{name}' },
  missing: ({ name }) => leadsNoMore({ name }),
  query: { token: wholeNumber({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) },
  responses: { 204: { description: 'Nobody leads, or another candidate does already.' } },
  errors: ['not-found'],
  async handle({ ns, params, query, author }, { elections }) {
    await elections.resign({ ns, name: params.name }, query.token, author);
    return noContent();
  },
});

const getLeader = endpoint({
  name: 'getLeader',
  method: 'GET',
  route: 'api/v1/elections/{name}',
  summary: 'Who leads',
  access: { verb: 'read', keys: '/election/{name}' },
  missing: ({ name }, ns) => isNotLed({ ns, name }),
  responses: { 200: { description: 'The leader.', body: leadershipSchema } },
  errors: ['not-found'],
  async handle({ ns, params }, { elections }) {
    const address = { ns, name: params.name };
    const leadership = await elections.get(address);
    if (leadership === undefined) {
      throw isNotLed(address);
    }
    return json(200, leadership);
  },
});

export const electionEndpoints = [campaign, renew, resign, getLeader];
