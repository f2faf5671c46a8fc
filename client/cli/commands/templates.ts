import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { nameFile } from '../environment/name-file.ts';
import { type PushedTemplate, pushTemplate, readTemplate } from '../environment/push-template.ts';
import { readDefinition } from '../environment/read-definition.ts';
import { inOrder, refuseTwins } from '../environment/repository.ts';
import { formatTable } from '../format-table.ts';
import { notFound } from '../not-found.ts';
import type { Output } from '../output.ts';
import { showFacts } from '../show-facts.ts';

const push = defineCommand({
  name: 'template push',
  summary: 'Makes versions of templates from files',
  notes:
    'FILE is JSON or YAML, as docs/environments.md has it; without "id" its name is the id. Content that the newest version has makes no new one. Templates are pushed behind those that they depend on, in whichever order the files are named. The commit is the last one that changed the file, where git has the file as it is.',
  args: ['<file...>'],
  flags: { commit: { placeholder: 'COMMIT', summary: 'say that the templates are from this commit' } },
  examples: ['skerry template push templates/network.yaml templates/cluster.yaml'],
  async run({ args, flags: { commit }, client, output, signal, folder, readInput }) {
    const definitions = await Promise.all(
      args.file.map((file) => readDefinition(file, { folder, readInput })),
    );
    refuseTwins(definitions);
    const items: PushedTemplate[] = [];
    try {
      for (const definition of inOrder(definitions)) {
        const input = await readTemplate(definition, { folder, commit, signal });
        items.push(await nameFile(definition.file, pushTemplate(client, definition.id, input, signal)));
      }
    } finally {
      // Those that came before one that is refused are there all the same.
      if (items.length > 0) tellPushed(items, output);
    }
    return undefined;
  },
});

const list = defineCommand({
  name: 'template list',
  summary: 'Lists the templates, or the versions of one',
  args: ['[id]'],
  flags: {},
  examples: ['skerry template list', 'skerry template list network'],
  async run({ args: { id }, client: { templates }, output, signal }) {
    if (id === undefined) {
      const items = await collect(templates.list({ signal }));
      output.table({ items }, ['ID', 'LATEST', 'UPDATED', 'COMMIT', 'NAME'], () =>
        items.map((one) => [one.id, one.version, one.updatedAt, shorten(one.commit), one.name]),
      );
      return undefined;
    }
    const items = await collect(templates.versions(id, { signal }));
    output.table({ items }, ['VERSION', 'CREATED', 'COMMIT', 'NAME'], () =>
      items.map((one) => [one.version, one.createdAt, shorten(one.commit), one.name]),
    );
    return undefined;
  },
});

const show = defineCommand({
  name: 'template show',
  summary: 'Shows a template',
  args: ['<id>'],
  flags: { version: { placeholder: 'N', isNumber: true, summary: 'this version (the newest)' } },
  examples: ['skerry template show network', 'skerry template show network --version 2 --json'],
  async run({ args: { id }, flags: { version }, client, output, signal }) {
    const template = await client.templates.get(id, { version, signal });
    if (template === undefined) {
      throw notFound(
        `There is no template "${id}"${version === undefined ? '' : ` of version ${version}`}.`,
        'skerry template list shows those that there are.',
      );
    }
    output.document(template, () => {
      const { name, description, commit, dependsOn = [], parameters = {}, resources = [] } = template;
      return [
        showFacts({
          ...{ id, version: template.version, name, description, commit, updated: template.updatedAt },
          'depends on': dependsOn.join(' ') || undefined,
        }),
        '',
        formatTable(
          ['PARAMETER', 'TYPE', 'DEFAULT', 'DESCRIPTION'],
          Object.entries(parameters).map(([parameter, facts]) => [
            parameter,
            facts.type,
            facts.default,
            facts.description,
          ]),
        ),
        '',
        formatTable(
          ['RESOURCE', 'COUNT', 'AFTER', 'NAME'],
          resources.map((resource) => [
            resource.id,
            resource.count ?? 1,
            resource.dependsOn
              ?.map((on) => (typeof on === 'string' ? on : `external ${on.external}`))
              .join(' '),
            resource.name,
          ]),
        ),
      ].join('\n');
    });
    return undefined;
  },
});

export const templateCommands = [push, list, show];

/** As much of it as people tell commits apart by. */
function shorten(commit: string | undefined): string | undefined {
  return commit?.slice(0, 12);
}

function tellPushed(items: readonly PushedTemplate[], output: Output): void {
  output.document({ items: items.map(({ template, unchanged }) => ({ ...template, unchanged })) }, () =>
    items
      .map(({ template: { id, version }, unchanged }) =>
        unchanged ? `version ${version} of ${id} is the same already` : `version ${version} of ${id}`,
      )
      .join('\n'),
  );
}
