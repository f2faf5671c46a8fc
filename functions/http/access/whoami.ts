import { z } from 'zod';
import { json } from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { ruleSchema } from './rule-schema.ts';

const callerSchema = z.strictObject({
  actor: z.string().describe('As changes record it, such as `token:tok_…` or `user:OID`.'),
  roles: z.array(z.string()).describe('Those that exist, as `ROLE` or `ROLE:SERVICE`.'),
  allow: z.array(ruleSchema).describe('What they allow, together.'),
  ns: z.array(z.string()).describe('Narrows all of that to these namespaces, by name or glob.'),
  expiresAt: z.iso.datetime().optional().describe('When the token of the caller stops working.'),
});

const getCaller = endpoint({
  name: 'getCaller',
  method: 'GET',
  route: 'api/v1/whoami',
  summary: 'Who the caller is, and what they may do',
  access: 'known',
  responses: { 200: { description: 'The caller.', body: callerSchema } },
  async handle({ caller: { maker } }, { callers }) {
    return json(
      200,
      { actor: maker.actor, ...(await callers.rightsOf(maker)) },
      { headers: { 'Cache-Control': 'no-store' } },
    );
  },
});

export const callerEndpoints = [getCaller];
