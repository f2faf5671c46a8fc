import { defineCommand } from '../command.ts';
import { contentAsJson, contentAsLine } from '../show-content.ts';

export const historyCommand = defineCommand({
  name: 'history',
  summary: 'Shows who changed a key, when, and what',
  notes: 'KEY is whole, such as /kv/agent1/config/mtu or /app/shop; all keys below it are shown too.',
  args: ['<key>'],
  flags: {
    limit: { placeholder: 'N', isNumber: true, summary: 'at most so many changes (100, up to 1000)' },
    after: { placeholder: 'CURSOR', summary: 'go on after the "next" of an earlier answer' },
    order: {
      placeholder: 'ORDER',
      choices: ['newest', 'oldest'],
      summary: 'newest or oldest first (newest)',
    },
  },
  examples: ['skerry history /app/shop', 'skerry history /kv/agent1 --order oldest --limit 20 --json'],
  async run({ args, flags, client, output, signal }) {
    const { order, limit = 100, after } = flags;
    const page = await client.history.page(args.key, { order, limit, after, signal });
    const changes = page.changes.map((change) => ({
      ...change,
      value: contentAsJson(change.value),
      previous: contentAsJson(change.previous),
    }));
    output.table({ ...page, changes }, ['REVISION', 'AT', 'ACTOR', 'TYPE', 'KEY', 'VALUE'], () =>
      page.changes.map(({ revision, at, actor, type, key, value }) => [
        revision,
        at,
        actor,
        type,
        key,
        contentAsLine(value),
      ]),
    );
    if (!output.isJson && page.next !== undefined) output.note(`There is more: --after ${page.next}`);
    return undefined;
  },
});
