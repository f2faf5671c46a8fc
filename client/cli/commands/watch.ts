import { isPassing } from '../../transport/problem.ts';
import { defineCommand } from '../command.ts';
import { contentAsJson, contentAsLine } from '../show-content.ts';
import { UsageError } from '../usage-error.ts';

export const watchCommand = defineCommand({
  name: 'watch',
  summary: 'Follows everything under a key prefix',
  notes: `PREFIX is a whole key such as /kv/agent1/config/, /app, /srv/web, /election/db or /, by whole segments. Prints what is there, then every change as it happens, and gets over lost connections.
With --json each line is an event: {"resync": {"items": […]}, "position"} or {"changes": […], "position"}. A position goes into --since where one log is followed (a store, a service, /app), else into --cursor; where the changes after it are gone, what is there comes first again.`,
  args: ['<prefix>'],
  flags: {
    since: {
      placeholder: 'REVISION',
      isNumber: true,
      summary: 'go on after this revision, without what is there',
    },
    cursor: { placeholder: 'CURSOR', summary: 'go on after this cursor, without what is there' },
    type: {
      placeholder: 'TYPE',
      choices: ['put', 'delete', 'expire'],
      isRepeatable: true,
      summary: 'only changes of this type: put, delete or expire',
    },
    once: { summary: 'end after the first changes' },
  },
  examples: [
    'skerry watch /kv/agent1/config/',
    'skerry watch /srv/web --type expire --json',
    'skerry watch /app --since 42 --once',
  ],
  async run({ args, flags, client, output, signal }) {
    const { since, cursor } = flags;
    if (since !== undefined && cursor !== undefined) {
      throw new UsageError('--since and --cursor contradict each other.');
    }
    const beginning = new AbortController();
    let hasBegun = false;
    const events = client.watch(args.prefix, {
      position: cursor ?? since?.toString(),
      types: flags.type,
      signal: AbortSignal.any([signal, beginning.signal]),
      onFault(error) {
        // Later it comes back by itself; at the start it is likelier that the server is named wrongly.
        if (!hasBegun && isPassing(error)) beginning.abort(error);
        else output.note(`skerry: ${error instanceof Error ? error.message : error}`);
      },
    });
    for await (const event of events) {
      hasBegun = true;
      const { position } = event;
      if (event.kind === 'resync') {
        const items = event.items.map((item) => ({ ...item, value: contentAsJson(item.value) }));
        output.event({ resync: { items }, position }, () =>
          [
            ...event.items.map(
              ({ key, revision, value }) => `${revision}  is      ${key}  ${contentAsLine(value)}`,
            ),
            `-- at ${position}, waiting for changes`,
          ].join('\n'),
        );
        continue;
      }
      if (event.changes.length === 0) continue;
      const changes = event.changes.map((change) => ({
        ...change,
        value: contentAsJson(change.value),
        previous: contentAsJson(change.previous),
      }));
      output.event({ changes, position }, () =>
        event.changes
          .map(
            ({ revision, type, key, value }) =>
              `${revision}  ${type.padEnd(6)}  ${key}  ${contentAsLine(value)}`,
          )
          .join('\n'),
      );
      if (flags.once) break;
    }
    return undefined;
  },
});
