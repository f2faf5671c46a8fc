import type { AccessRule } from '../../access/access.ts';
import type { RoleInput } from '../../access/roles.ts';
import { newToken } from '../access/new-token.ts';
import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { notFound } from '../not-found.ts';
import { parseJson, readBytes, VALUE_FLAGS } from '../read-value.ts';
import { IF_REVISION, IF_REVISION_OR_NONE } from '../revision-flags.ts';
import { showFacts } from '../show-facts.ts';
import { UsageError } from '../usage-error.ts';

const DAY = 24 * 3_600_000;

const whoami = defineCommand({
  name: 'whoami',
  summary: 'Tells who you are to Skerry, and what you may do',
  args: [],
  flags: {},
  examples: ['skerry whoami'],
  async run({ client, output, signal }) {
    const caller = await client.whoami({ signal });
    const { actor, roles, ns, expiresAt, allow } = caller;
    output.document(caller, () =>
      [
        showFacts({ actor, roles: listed(roles), namespaces: listed(ns), expires: expiresAt }),
        ...allow.map((rule) => `may ${describeRule(rule)}`),
      ].join('\n'),
    );
    return undefined;
  },
});

const create = defineCommand({
  name: 'token create',
  summary: 'Makes a token, and prints it this once',
  notes:
    'Standard output holds the token and nothing else. A role may be bound to a service: agent:web. Nobody grants what they do not have. With --bootstrap no server is asked: it prints a token, and what SKERRY_BOOTSTRAP_TOKEN_SHA256 of an app has to be so that the token may do everything there.',
  args: ['[name]'],
  flags: {
    role: { placeholder: 'ROLE', isRepeatable: true, summary: 'what it may do, such as viewer or agent:web' },
    within: {
      placeholder: 'NS',
      isRepeatable: true,
      summary: 'only in this namespace, or those of a glob such as team-* (all)',
    },
    days: { placeholder: 'N', isNumber: true, summary: 'ends after so many days (never)' },
    bootstrap: { summary: 'the first token of an app that knows none yet' },
  },
  examples: [
    'skerry token create ci --role publisher --within shop --days 90',
    'skerry token create web --role agent:web',
    'skerry token create --bootstrap',
  ],
  async run({ args, flags, client, output, signal }) {
    const { role: roles = [], within: ns, days, bootstrap } = flags;
    if (bootstrap === true) {
      if (args.name !== undefined || roles.length > 0 || ns !== undefined || days !== undefined) {
        throw new UsageError('--bootstrap goes with nothing else: such a token has neither name nor limits.');
      }
      const made = newToken();
      output.document(made, () => `SKERRY_TOKEN=${made.token}\nSKERRY_BOOTSTRAP_TOKEN_SHA256=${made.sha256}`);
      return undefined;
    }
    if (args.name === undefined || roles.length === 0) {
      throw new UsageError('token create needs a name and at least one --role (or --bootstrap alone).');
    }
    if (days === 0) throw new UsageError('--days takes a whole number, 1 or more.');
    const expiresAt = days === undefined ? undefined : new Date(Date.now() + days * DAY).toISOString();
    const made = await client.tokens.create({ name: args.name, roles, ns, expiresAt }, { signal });
    output.document(made, () => made.token);
    if (!output.isJson) {
      const rights = `${listed(made.roles)} in ${made.ns.includes('*') ? 'all namespaces' : listed(made.ns)}`;
      output.note(`${made.id} (${rights}) is shown this once: keep it where secrets are kept.`);
    }
    return undefined;
  },
});

const list = defineCommand({
  name: 'token list',
  summary: 'Lists the tokens that have not ended, without their texts',
  args: [],
  flags: {},
  examples: ['skerry token list'],
  async run({ client, output, signal }) {
    const items = await collect(client.tokens.list({ signal }));
    const columns = ['TOKEN', 'NAME', 'ROLES', 'NAMESPACES', 'LAST USED', 'EXPIRES', 'CREATED BY'];
    output.table({ items }, columns, () =>
      items.map(({ id, name, roles, ns, lastUsedAt, expiresAt, createdBy }) => [
        id,
        name,
        listed(roles),
        listed(ns),
        lastUsedAt,
        expiresAt,
        createdBy,
      ]),
    );
    return undefined;
  },
});

const revoke = defineCommand({
  name: 'token revoke',
  summary: 'Ends a token, within five seconds everywhere',
  args: ['<token>'],
  flags: {},
  examples: ['skerry token revoke tok_0a1b2c3d4e5f6789'],
  async run({ args, client, output, signal }) {
    if (args.token.startsWith('skt_')) {
      throw new UsageError('A token is named by its id, tok_…; "skerry token list" shows it.');
    }
    if (!(await client.tokens.revoke(args.token, { signal }))) {
      throw notFound(`There is no token "${args.token}".`, 'skerry token list shows those that there are.');
    }
    output.document({ id: args.token, revoked: true }, () => `revoked ${args.token}`);
    return undefined;
  },
});

const listRoles = defineCommand({
  name: 'role list',
  summary: 'Lists the roles, those that are built in first',
  args: [],
  flags: {},
  examples: ['skerry role list'],
  async run({ client, output, signal }) {
    const items = await client.roles.list({ signal });
    output.table({ items }, ['ROLE', 'BUILT IN', 'MEMBERS', 'DESCRIPTION'], () =>
      items.map(({ name, isBuiltIn, members = [], description }) => [
        name,
        isBuiltIn ? 'yes' : 'no',
        listed(members),
        description,
      ]),
    );
    return undefined;
  },
});

const getRole = defineCommand({
  name: 'role get',
  summary: 'Shows what a role allows',
  args: ['<name>'],
  flags: {},
  examples: ['skerry role get publisher'],
  async run({ args, client, output, signal }) {
    const role = await client.roles.get(args.name, { signal });
    if (role === undefined) throw unknownRole(args.name);
    const { name, description, members, revision, isBuiltIn, allow } = role;
    output.document(role, () =>
      [
        showFacts({
          role: isBuiltIn ? `${name} (built in)` : name,
          description,
          members: members && listed(members),
          revision,
        }),
        ...allow.map((rule) => `may ${describeRule(rule)}`),
      ].join('\n'),
    );
    return undefined;
  },
});

const putRole = defineCommand({
  name: 'role put',
  summary: 'Creates or replaces a role, for all who have it',
  notes:
    'The role is JSON: the argument, a file, or standard input. It has "allow", a list of {"verbs", "keys", "ns"}, and may have "description" and "members".',
  args: ['<name>', '[role]'],
  flags: {
    ...VALUE_FLAGS,
    ifRevision: IF_REVISION_OR_NONE,
  },
  examples: [
    `skerry role put shop-keeper '{"allow":[{"verbs":["read","list","write"],"keys":"/app/shop"}]}'`,
    'skerry role put shop-keeper --file role.json',
  ],
  async run({ args, flags, client, output, signal, ...context }) {
    const bytes = await readBytes(args.role, flags.file, context);
    // Skerry says what is wrong with it.
    const input = parseJson(bytes.toString('utf8'), 'The role') as unknown as RoleInput;
    const role = await client.roles.put(args.name, input, { ifRevision: flags.ifRevision, signal });
    output.document(role, () => `${role.name} is at revision ${role.revision}`);
    return undefined;
  },
});

const deleteRole = defineCommand({
  name: 'role delete',
  summary: 'Takes a role from all who have it',
  args: ['<name>'],
  flags: { ifRevision: IF_REVISION },
  examples: ['skerry role delete shop-keeper'],
  async run({ args, flags, client, output, signal }) {
    const wasThere = await client.roles.delete(args.name, { ifRevision: flags.ifRevision, signal });
    if (!wasThere) throw unknownRole(args.name);
    output.document({ name: args.name, deleted: true }, () => `deleted ${args.name}`);
    return undefined;
  },
});

export const accessCommands = [whoami, create, list, revoke, listRoles, getRole, putRole, deleteRole];

function unknownRole(name: string) {
  return notFound(`There is no role "${name}".`, 'skerry role list shows those that there are.');
}

function describeRule({ verbs, keys, ns }: AccessRule): string {
  const where = ns.includes('*') ? '' : ` in ${listed(ns)}`;
  return `${listed(verbs)} ${listed(keys)}${where}`;
}

function listed(texts: readonly string[]): string {
  return texts.join(', ');
}
