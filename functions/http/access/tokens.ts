import { z } from 'zod';
import { bindingSchema, namespacesSchema, unknownToken } from '../../../shared/access/index.ts';
import { json, noContent, paging } from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';

const rolesSchema = z.array(bindingSchema).min(1).max(20);

const inputSchema = z.strictObject({
  name: z.string().min(1).max(128).describe('For people; need not be unique.'),
  roles: rolesSchema.describe('Such as `viewer`, or `agent:web` for the service `web` alone.'),
  ns: namespacesSchema.describe('Narrows its roles to these namespaces, by name or glob.'),
  expiresAt: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('When it stops working; never unless said.'),
});

const tokenSchema = z.strictObject({
  id: z.string().describe('`tok_` and 16 digits.'),
  name: z.string(),
  roles: z.array(z.string()),
  ns: z.array(z.string()),
  createdAt: z.iso.datetime(),
  createdBy: z.string(),
  expiresAt: z.iso.datetime().optional(),
  lastUsedAt: z.iso.datetime().optional().describe('To five minutes; absent where it was never used.'),
});

const listingSchema = z.strictObject({
  items: z.array(tokenSchema),
  next: z.string().optional().describe('Cursor of the next page, for `after`.'),
});

/** Tokens are the same in all namespaces. */
const access = { verb: 'admin', keys: '/access/tokens', ns: 'default' } as const;
const accessToOne = { ...access, keys: '/access/tokens/{id}' } as const;

const createToken = endpoint({
  name: 'createToken',
  method: 'POST',
  route: 'api/v1/tokens',
  summary: 'A new token, whose text is shown this once; nobody grants what they do not have',
  access,
  body: inputSchema,
  responses: {
    201: {
      description: 'The token.',
      body: tokenSchema.extend({ token: z.string().describe('`skt_…`; it is shown this once.') }),
      headers: ['Location'],
    },
  },
  errors: ['unprocessable'],
  async handle({ body, caller, author, baseUrl }, { tokens }) {
    const { token, text } = await tokens.create(body, caller, author);
    return json(
      201,
      { ...token, token: text },
      { location: `${baseUrl}/api/v1/tokens/${token.id}`, headers: { 'Cache-Control': 'no-store' } },
    );
  },
});

const listTokens = endpoint({
  name: 'listTokens',
  method: 'GET',
  route: 'api/v1/tokens',
  summary: 'The tokens that have not ended, without their texts',
  access,
  query: paging,
  responses: { 200: { description: 'A page of tokens.', body: listingSchema } },
  async handle({ query }, { tokens }) {
    const { tokens: items, next } = await tokens.list(query);
    return json(200, { items, next });
  },
});

const getToken = endpoint({
  name: 'getToken',
  method: 'GET',
  route: 'api/v1/tokens/{id}',
  summary: 'One token, without its text',
  access: accessToOne,
  missing: ({ id }) => unknownToken(id),
  responses: { 200: { description: 'The token.', body: tokenSchema } },
  errors: ['not-found'],
  handle: async ({ params }, { tokens }) => json(200, await tokens.get(params.id)),
});

const revokeToken = endpoint({
  name: 'revokeToken',
  method: 'DELETE',
  route: 'api/v1/tokens/{id}',
  summary: 'Ends a token, within five seconds everywhere',
  access: accessToOne,
  missing: ({ id }) => unknownToken(id),
  responses: { 204: { description: 'The token is worth nothing any more.' } },
  errors: ['not-found'],
  async handle({ params, author }, { tokens }) {
    await tokens.revoke(params.id, author);
    return noContent();
  },
});

export const tokenEndpoints = [createToken, listTokens, getToken, revokeToken];
