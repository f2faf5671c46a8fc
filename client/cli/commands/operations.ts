import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { followOperation } from '../environment/follow-operation.ts';
import { conclude } from '../environment/operation-report.ts';
import { nameWidthOf, showStep } from '../environment/show-step.ts';
import { notFound } from '../not-found.ts';
import { showFacts } from '../show-facts.ts';

const follow = defineCommand({
  name: 'op follow',
  summary: 'Shows how an operation goes, until it is over',
  notes:
    'On a terminal each step that is under way has a line, which is drawn anew until the step is over; elsewhere there is a line for each beginning, failed attempt and end. With --json each change is a line: {"operation": {…, "state", "progress"}, "changed": [steps]}. Ends with 0 where it succeeded, with 1 where it failed or was cancelled.',
  args: ['<id>'],
  flags: {},
  examples: [
    'skerry op follow op_3q2w8z6v1n5c7k4j9h0gdfbtyr',
    'skerry op follow op_3q2w8z6v1n5c7k4j9h0gdfbtyr --json',
  ],
  async run({ args: { id }, client, output, signal }) {
    if ((await client.operations.get(id, { signal })) === undefined) throw unknown(id);
    return await followOperation(id, { client, output, signal });
  },
});

const list = defineCommand({
  name: 'op list',
  summary: 'Lists operations, the newest first',
  args: [],
  flags: {
    environment: { placeholder: 'ID', summary: 'only those of this environment' },
    state: {
      placeholder: 'STATE',
      choices: ['queued', 'running', 'succeeded', 'failed', 'cancelled'],
      summary: 'only those in this state',
    },
    type: { placeholder: 'TYPE', summary: 'only those of this command, such as environment.create' },
    limit: { placeholder: 'N', isNumber: true, summary: 'at most so many (50)' },
  },
  examples: ['skerry op list --environment staging', 'skerry op list --state failed --limit 10'],
  async run({ flags: { environment, state, type, limit = 50 }, client, output, signal }) {
    const items = await collect(client.operations.list({ environment, state, type, signal }), limit);
    output.table({ items }, ['ID', 'ACCEPTED', 'STATE', 'STEPS', 'TYPE', 'SESSION', 'ERROR'], () =>
      items.map(({ progress, error, ...operation }) => [
        operation.id,
        operation.acceptedAt,
        operation.state,
        `${progress.done}/${progress.total}`,
        operation.type,
        operation.session,
        error?.reason,
      ]),
    );
    return undefined;
  },
});

const show = defineCommand({
  name: 'op show',
  summary: 'Shows an operation and its steps',
  args: ['<id>'],
  flags: {},
  examples: ['skerry op show op_3q2w8z6v1n5c7k4j9h0gdfbtyr'],
  async run({ args: { id }, client, output, signal }) {
    const operation = await client.operations.get(id, { signal });
    if (operation === undefined) throw unknown(id);
    output.document(operation, () => {
      const { type, session, actor, acceptedAt, startedAt, endedAt, steps } = operation;
      const width = nameWidthOf(steps);
      return [
        showFacts({
          ...{ type, session, actor, accepted: acceptedAt, started: startedAt, ended: endedAt },
          command: `${operation.command.source} ${operation.command.id}`,
          'to be cancelled': operation.cancelRequestedAt,
        }),
        ...(steps.length === 0 ? [] : ['', ...steps.map((step) => showStep(step, width))]),
        '',
        conclude(operation),
      ].join('\n');
    });
    return undefined;
  },
});

const cancel = defineCommand({
  name: 'op cancel',
  summary: 'Asks an operation to end',
  notes:
    'No further steps begin, and those that run end; it is over when it says so. One that is over cannot be cancelled (4).',
  args: ['<id>'],
  flags: {},
  examples: ['skerry op cancel op_3q2w8z6v1n5c7k4j9h0gdfbtyr'],
  async run({ args: { id }, client, output, signal }) {
    const operation = await client.operations.cancel(id, { signal });
    output.document(operation, () =>
      operation.endedAt === undefined
        ? `${id} is asked to end; "skerry op follow ${id}" shows how it does`
        : conclude(operation),
    );
    return undefined;
  },
});

export const operationCommands = [follow, list, show, cancel];

function unknown(id: string) {
  return notFound(`There is no operation "${id}".`, 'skerry op list shows those that there are.');
}
