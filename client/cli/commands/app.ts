import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { notFound } from '../not-found.ts';
import { parseJson, readBytes, VALUE_FLAGS } from '../read-value.ts';
import { IF_REVISION, IF_REVISION_OR_NONE } from '../revision-flags.ts';
import { hasSecretInClear } from '../secret-forms.ts';
import { appSecretCommands } from './app-secrets.ts';

const get = defineCommand({
  name: 'app get',
  summary: 'Prints the configuration of an application',
  notes: 'With --json, the whole application with its schema and revision.',
  args: ['<name>'],
  flags: {
    secrets: {
      summary: 'with secrets in clear, and what references to Key Vault stand for; do not put that back',
    },
  },
  examples: ['skerry app get shop', 'skerry app get shop --secrets'],
  async run({ args, flags, client, output, signal }) {
    const app = await client.apps.get(args.name, { secrets: flags.secrets, signal });
    if (app === undefined) throw unknown(args.name);
    output.document(app, () => JSON.stringify(app.config, null, 2));
    return undefined;
  },
});

const put = defineCommand({
  name: 'app put',
  summary: 'Writes the configuration of an application',
  notes:
    'The configuration is JSON: the argument, a file, or standard input. A configuration that does not satisfy the schema is refused. Without --schema the schema that stands there goes away.',
  args: ['<name>', '[config]'],
  flags: {
    ...VALUE_FLAGS,
    schema: { placeholder: 'FILE', summary: 'a JSON Schema that the configuration must satisfy' },
    ifRevision: IF_REVISION_OR_NONE,
  },
  examples: [
    `skerry app put shop '{"currency":"EUR"}'`,
    'skerry app put shop --file shop.json --schema shop.schema.json',
  ],
  async run({ args, flags, client, output, signal, ...context }) {
    const bytes = await readBytes(args.config, flags.file, context);
    const config = parseJson(bytes.toString('utf8'), 'The configuration');
    if (args.config !== undefined && hasSecretInClear(config)) {
      output.note(
        'There is a secret on the command line, where other users and the history of the shell see it: use --file, standard input, or skerry app set-secret.',
      );
    }
    const schema =
      flags.schema === undefined
        ? {}
        : {
            schema: parseJson(
              (await readBytes(undefined, flags.schema, context)).toString('utf8'),
              'The schema',
            ),
          };
    const app = await client.apps.put(
      args.name,
      { config, ...schema },
      { ifRevision: flags.ifRevision, signal },
    );
    output.document(app, () => `${app.name} is at revision ${app.revision}`);
    return undefined;
  },
});

const list = defineCommand({
  name: 'app list',
  summary: 'Lists the applications',
  args: [],
  flags: {},
  examples: ['skerry app list'],
  async run({ client, output, signal }) {
    const items = await collect(client.apps.list({ signal }));
    output.table({ items }, ['NAME', 'REVISION', 'UPDATED', 'CONFIG'], () =>
      items.map(({ name, revision, updatedAt, config }) => [
        name,
        revision,
        updatedAt,
        JSON.stringify(config),
      ]),
    );
    return undefined;
  },
});

const remove = defineCommand({
  name: 'app delete',
  summary: 'Deletes an application',
  args: ['<name>'],
  flags: { ifRevision: IF_REVISION },
  examples: ['skerry app delete shop'],
  async run({ args, flags, client, output, signal }) {
    const wasThere = await client.apps.delete(args.name, { ifRevision: flags.ifRevision, signal });
    if (!wasThere) throw unknown(args.name);
    output.document({ name: args.name, deleted: true }, () => `deleted ${args.name}`);
    return undefined;
  },
});

export const appCommands = [get, put, list, remove, ...appSecretCommands];

function unknown(name: string) {
  return notFound(`There is no application "${name}".`, 'skerry app list shows those that there are.');
}
