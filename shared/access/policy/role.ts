import { z } from 'zod';
import { isAddressRange } from '../../platform/address-ranges.ts';
import { NAME_PATTERN, VERBS, type Verb } from '../../platform/http/index.ts';
import type { Rule } from './rights.ts';

const MAX_KEY_CHARACTERS = 500;
const PATTERN = /^\/$|^(?:\/[^/]+)+$/;
const NAMESPACES = /^[0-9A-Za-z._*-]{1,128}$/;
const MEMBER = /^(?:group|user|app|bus|address):(\S{1,256})$/;

/** One of something, or several. */
function oneOrMore<Schema extends z.ZodType<string, string>>(one: Schema, most: number) {
  return z
    .union([one, z.array(one).min(1).max(most)])
    .transform((given) => (typeof given === 'string' ? [given] : given));
}

const keySchema = z
  .string()
  .max(MAX_KEY_CHARACTERS)
  .regex(
    PATTERN,
    'must be "/", or segments that each have a slash before them, such as "/app/web-*" or "/kv/**/public"',
  );

/** Namespaces by name or glob; all of them unless said. */
export const namespacesSchema = oneOrMore(
  z.string().regex(NAMESPACES, 'must be the name of a namespace, or a glob such as "team-*"'),
  100,
).default(['*']);

const ruleSchema = z.strictObject({
  verbs: oneOrMore(z.enum(VERBS), VERBS.length),
  keys: oneOrMore(keySchema, 100).describe(
    'Each stands for the key and all below it; `*` is any text within a segment, `**` any number of segments, `/` everything, `${service}` the service that the role is bound to.',
  ),
  ns: namespacesSchema.describe('Namespaces, by name or glob.'),
});

/** What a role says, as it is sent. */
export const roleInputSchema = z.strictObject({
  description: z.string().max(1_000).optional(),
  allow: z.array(ruleSchema).min(1).max(100),
  members: z
    .array(z.string().refine(isMember, 'must be group:ID, user:OID, app:ID, bus:SOURCE or address:CIDR'))
    .max(1_000)
    .optional()
    .describe('Who has the role without a claim or a token that names it.'),
});

function isMember(text: string): boolean {
  const id = MEMBER.exec(text)?.[1];
  return id !== undefined && (!text.startsWith('address:') || isAddressRange(id));
}

export interface RoleInput {
  readonly description?: string | undefined;
  readonly allow: readonly Rule[];
  readonly members?: readonly string[] | undefined;
}

/** What members of a team, programs or a token may do, by a name. */
export interface Role extends RoleInput {
  readonly name: string;
}

/** A role that somebody has, perhaps of one service: `viewer`, `agent:web`. */
export interface Binding {
  readonly role: string;
  readonly service: string | undefined;
}

/** A binding that is well-formed: a name, and perhaps a service behind a colon. */
export const bindingSchema = z
  .string()
  .refine(
    (text) => parseBinding(text) !== undefined,
    'must be ROLE or ROLE:SERVICE, such as "viewer" or "agent:web"',
  );

/** Undefined for what is none, such as a claim of another program; `group:ID` names a member, so no role is called that. */
export function parseBinding(text: string): Binding | undefined {
  const [role = '', service, ...others] = text.split(':');
  if (role === 'group') {
    return undefined;
  }
  const isOne =
    others.length === 0 && NAME_PATTERN.test(role) && (service === undefined || NAME_PATTERN.test(service));
  return isOne ? { role, service } : undefined;
}

function allow(verbs: readonly Verb[], keys: readonly string[]): Rule {
  return { verbs, keys, ns: ['*'] };
}

const LOOKS: readonly Verb[] = ['read', 'list', 'watch'];
const SEES = allow(LOOKS, ['/']);

const builtIn: readonly Role[] = [
  { name: 'viewer', description: 'Sees everything but secrets.', allow: [SEES] },
  {
    name: 'publisher',
    description: 'Sees everything but secrets, and writes applications, keys, bundles and templates.',
    allow: [SEES, allow(['write', 'delete'], ['/app', '/bundle', '/kv', '/tpl'])],
  },
  {
    name: 'agent',
    description:
      'Sees which services there are; for a service, as in agent:web, it registers that one, and sees what belongs to it.',
    allow: [
      allow(LOOKS, [
        '/srv',
        '/app/${service}',
        '/bundle/${service}',
        '/election/${service}',
        '/kv/${service}',
      ]),
      allow(['write', 'delete'], ['/srv/${service}']),
    ],
  },
  {
    name: 'operator',
    description: 'Does everything, but to roles and tokens.',
    allow: [allow([...LOOKS, 'write', 'delete', 'reveal'], ['/'])],
  },
  { name: 'admin', description: 'Does everything.', allow: [allow(VERBS, ['/'])] },
];

/** Roles that are always there; they can neither be changed nor removed. */
export const BUILT_IN_ROLES: ReadonlyMap<string, Role> = new Map(builtIn.map((role) => [role.name, role]));
