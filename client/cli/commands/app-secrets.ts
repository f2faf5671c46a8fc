import type { Json } from '../../store/content.ts';
import { defineCommand } from '../command.ts';
import { readBytes, VALUE_FLAGS } from '../read-value.ts';
import { hasMembers, hasSecret } from '../secret-forms.ts';
import { UsageError } from '../usage-error.ts';

const POINTER = /^(\/([^/~]|~[01])*)+$/;

const setSecret = defineCommand({
  name: 'app set-secret',
  summary: 'Writes one secret into the configuration of an application',
  notes:
    'The path is a JSON Pointer, such as /db/password; the application, and objects on the way, are made where there are none. The secret is text: what is piped in, or a file, without the line break at its end. It is stored sealed, and shown to nobody but those who may see it. Everything else of the application stays as it is.',
  args: ['<name>', '<path>'],
  flags: VALUE_FLAGS,
  examples: [
    'openssl rand -base64 24 | skerry app set-secret shop /db/password',
    'skerry app set-secret shop /tls/key --file key.pem',
  ],
  async run({ args, flags, client, output, signal, ...context }) {
    if (!POINTER.test(args.path)) {
      throw new UsageError(`The path "${args.path}" is no JSON Pointer, such as /db/password.`);
    }
    const bytes = await readBytes(undefined, flags.file, context);
    const secret = bytes.toString('utf8').replace(/\r?\n$/, '');
    if (secret === '') throw new UsageError('There is no secret: pipe it in, or name a file with --file.');
    const { config, schema, revision } = (await client.apps.get(args.name, { signal })) ?? {
      config: {},
      revision: 0,
    };
    const app = await client.apps.put(
      args.name,
      {
        config: withMember(config, stepsOf(args.path), { $secret: secret }),
        ...(schema !== undefined && { schema }),
      },
      { ifRevision: revision, signal },
    );
    output.document(app, () => `${app.name} is at revision ${app.revision}`);
    return undefined;
  },
});

const reseal = defineCommand({
  name: 'app reseal',
  summary: 'Seals the secrets of all applications of a namespace by the newest key',
  notes:
    'Run it after a new key was put in front of SKERRY_SECRET_KEYS; once it reseals nothing, no application needs the older keys any more, but for reading and restoring its past. Secrets that are sealed by the newest key already stay as they are.',
  args: [],
  flags: {},
  examples: ['skerry app reseal', 'skerry app reseal --ns staging'],
  async run({ client, output, signal }) {
    const items: { name: string; revision: number; isResealed: boolean }[] = [];
    for await (const { name, config, schema, revision } of client.apps.list({ signal })) {
      if (!hasSecret(config)) continue;
      const input = { config, ...(schema !== undefined && { schema }) };
      const app = await client.apps.put(name, input, { ifRevision: revision, signal });
      items.push({ name, revision: app.revision, isResealed: app.revision !== revision });
    }
    output.table({ items }, ['NAME', 'REVISION', 'RESEALED'], () =>
      items.map(({ name, revision, isResealed }) => [name, revision, isResealed ? 'yes' : 'was already']),
    );
    return undefined;
  },
});

export const appSecretCommands = [setSecret, reseal];

function stepsOf(pointer: string): string[] {
  const [, ...steps] = pointer.split('/');
  return steps.map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The same value with a member set, and the objects that lead there. */
function withMember(value: Json | undefined, [step, ...rest]: readonly string[], member: Json): Json {
  if (step === undefined) return member;
  if (Array.isArray(value)) {
    if (!/^\d+$/.test(step) || Number(step) >= value.length) {
      throw new UsageError(`There is a list on the way, which has no item "${step}".`);
    }
    return value.map((item, index) => (index === Number(step) ? withMember(item, rest, member) : item));
  }
  if (value === undefined || hasMembers(value)) {
    return { ...value, [step]: withMember(value?.[step], rest, member) };
  }
  throw new UsageError(`There is a value on the way to "${step}" that can have no members.`);
}
