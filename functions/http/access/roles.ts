import { z } from 'zod';
import { type RoleEntry, roleInputSchema, unknownRole } from '../../../shared/access/index.ts';
import { invalid } from '../../../shared/platform/errors.ts';
import {
  answerRead,
  digestOf,
  json,
  nameSchema,
  noContent,
  readPrecondition,
  revisionTag,
} from '../../../shared/platform/http/index.ts';
import { endpoint } from '../endpoint.ts';
import { ruleSchema } from './rule-schema.ts';

const roleSchema = z.strictObject({
  name: nameSchema,
  description: z.string().optional(),
  allow: z.array(ruleSchema),
  members: z.array(z.string()).optional(),
  isBuiltIn: z.boolean().describe('Such a role can neither be changed nor removed.'),
  revision: z.int().optional().describe('Of its last change.'),
});

/** Roles are the same in all namespaces. */
const access = { verb: 'admin', keys: '/access/roles/{name}', ns: 'default' } as const;

const listRoles = endpoint({
  name: 'listRoles',
  method: 'GET',
  route: 'api/v1/roles',
  summary: 'All roles, those that are built in first',
  access: { verb: 'admin', keys: '/access/roles', ns: 'default' },
  responses: {
    200: {
      description: 'The roles.',
      body: z.strictObject({ items: z.array(roleSchema) }),
      headers: ['ETag'],
    },
    304: { description: 'The roles are as the caller knows them.', headers: ['ETag'] },
  },
  requestHeaders: ['If-None-Match'],
  async handle({ headers }, { roles }) {
    const { roles: items, revision } = await roles.list();
    return answerRead(headers, { etag: revisionTag(revision), revision }, () => ({ items }));
  },
});

const getRole = endpoint({
  name: 'getRole',
  method: 'GET',
  route: 'api/v1/roles/{name}',
  summary: 'One role',
  access,
  missing: ({ name }) => unknownRole(name),
  requestHeaders: ['If-None-Match'],
  responses: {
    200: { description: 'The role.', body: roleSchema, headers: ['ETag'] },
    304: { description: 'The role is as the caller knows it.', headers: ['ETag'] },
  },
  errors: ['not-found'],
  async handle({ params, headers }, { roles }) {
    const role = await roles.find(params.name);
    if (role === undefined) {
      throw unknownRole(params.name);
    }
    return answerRead(headers, factsOf(role), () => role);
  },
});

const putRole = endpoint({
  name: 'putRole',
  method: 'PUT',
  route: 'api/v1/roles/{name}',
  summary: 'Creates or replaces a role, for all who have it; nobody grants what they do not have',
  access,
  body: roleInputSchema.extend({ role: nameSchema.optional().describe('Its name, as in the path.') }),
  requestHeaders: ['If-Match', 'If-None-Match'],
  responses: {
    200: {
      description: 'The role was replaced, or stood there already.',
      body: roleSchema,
      headers: ['ETag'],
    },
    201: { description: 'The role was created.', body: roleSchema, headers: ['ETag', 'Location'] },
  },
  errors: ['conflict', 'unprocessable'],
  async handle(
    { params, body: { role: name = params.name, ...input }, caller, author, headers, baseUrl },
    { roles },
  ) {
    if (name !== params.name) {
      throw invalid(`The path names the role "${params.name}", and the body another.`, {
        field: 'role',
        fix: 'Leave it out, or send it to the path of its name.',
      });
    }
    const options = { author, precondition: readPrecondition(headers) };
    const { role, created } = await roles.put(params.name, input, caller, options);
    return created
      ? json(201, role, { ...factsOf(role), location: `${baseUrl}/api/v1/roles/${params.name}` })
      : json(200, role, factsOf(role));
  },
});

const deleteRole = endpoint({
  name: 'deleteRole',
  method: 'DELETE',
  route: 'api/v1/roles/{name}',
  summary: 'Takes a role from all who have it',
  access,
  missing: ({ name }) => unknownRole(name),
  requestHeaders: ['If-Match'],
  responses: { 204: { description: 'The role is gone.', headers: ['X-Skerry-Revision'] } },
  errors: ['not-found', 'conflict'],
  async handle({ params, author, headers }, { roles }) {
    const revision = await roles.delete(params.name, { author, precondition: readPrecondition(headers) });
    return noContent({ revision });
  },
});

export const roleEndpoints = [listRoles, getRole, putRole, deleteRole];

function factsOf(role: RoleEntry) {
  const { revision } = role;
  return revision === undefined
    ? { etag: `"${digestOf([JSON.stringify(role)])}"` }
    : { etag: revisionTag(revision), revision };
}
