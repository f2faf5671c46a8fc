import { defineCommand } from '../command.ts';

const KINDS = [
  'app',
  'service',
  'instance',
  'key',
  'bundle',
  'channel',
  'template',
  'environment',
  'resource',
  'resource-group',
  'operation',
] as const;

const searchCommand = defineCommand({
  name: 'search',
  summary: 'Finds things by a part of their names, tags, descriptions or texts',
  notes:
    'Whole names come first, then beginnings and parts of names, tags, descriptions, and other texts. TEXT may be left out where --kind or --tag is given.',
  args: ['[text]'],
  flags: {
    kind: { placeholder: 'KIND', isRepeatable: true, choices: KINDS, summary: 'only these kinds' },
    tag: { placeholder: 'TAG', isRepeatable: true, summary: 'only with this tag: NAME:VALUE, or NAME' },
    limit: { placeholder: 'N', isNumber: true, summary: 'at most so many (100, up to 1000)' },
    after: { placeholder: 'CURSOR', summary: 'go on after the "next" of an earlier answer' },
  },
  examples: ['skerry search web', 'skerry search --kind environment --tag team:shop --json'],
  async run({ args, flags, client, output, signal }) {
    const { kind: kinds, tag: tags, limit = 100, after } = flags;
    const page = await client.search.page({ text: args.text, kinds, tags, limit, after, signal });
    output.table(page, ['KIND', 'ID', 'NAME', 'FOUND IN', 'EXCERPT'], () =>
      page.items.map(({ kind, id, name, field, excerpt }) => [kind, id, name, field, excerpt]),
    );
    if (page.incomplete) output.note('The namespace holds more than is searched: something may be missing.');
    if (!output.isJson && page.next !== undefined) output.note(`There is more: --after ${page.next}`);
    return undefined;
  },
});

const graphCommand = defineCommand({
  name: 'graph',
  summary: 'Shows what something needs, or what needs it',
  notes:
    'KIND is environment, resource, resource-group or template; the ID of resources and groups is ENVIRONMENT/ID.',
  args: ['<kind>', '<id>'],
  flags: {
    direction: {
      placeholder: 'DIRECTION',
      choices: ['dependencies', 'dependents'],
      summary: 'what it needs, or what needs it (dependencies)',
    },
    depth: { placeholder: 'N', isNumber: true, summary: 'at most so many steps away (100)' },
    as: { placeholder: 'LANGUAGE', choices: ['dot', 'mermaid'], summary: 'draw it for Graphviz or Mermaid' },
  },
  examples: [
    'skerry graph environment prod',
    'skerry graph template network --direction dependents --json',
    'skerry graph environment prod --as dot | dot -Tsvg > prod.svg',
  ],
  async run({ args, flags, client, output, signal }) {
    const { as: language, ...options } = flags;
    const kind = args.kind as Parameters<typeof client.graph.get>[0];
    if (language !== undefined) {
      const drawing = await client.graph.draw(kind, args.id, language, { ...options, signal });
      output.raw(new TextEncoder().encode(drawing));
      return undefined;
    }
    const graph = await client.graph.get(kind, args.id, { ...options, signal });
    output.table(graph, ['FROM', 'HOW', 'TO'], () =>
      graph.edges.map(({ from, type, to }) => [from, type, to]),
    );
    if (graph.truncated) output.note(`There are more than ${graph.limit} nodes: the rest is left out.`);
    return undefined;
  },
});

export const searchCommands = [searchCommand, graphCommand];
