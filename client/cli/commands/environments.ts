import type { Environment, EnvironmentInput, EnvironmentState } from '../../environments/environment.ts';
import type { Resource } from '../../environments/resource.ts';
import { messageOf } from '../../transport/transport.ts';
import { collect } from '../collect.ts';
import { defineCommand } from '../command.ts';
import { tellOperation, WAIT_FLAG } from '../environment/follow-operation.ts';
import { formatPlan } from '../environment/format-plan.ts';
import { readDefinition } from '../environment/read-definition.ts';
import { EXIT } from '../exit-code.ts';
import { formatTable } from '../format-table.ts';
import { notFound } from '../not-found.ts';
import { showFacts } from '../show-facts.ts';

const STATES = [
  'Deploying',
  'Deployed-Validating',
  'Deployed-OK',
  'Deployed-Fail',
  'Destroying',
  'Destroyed',
] as const satisfies readonly EnvironmentState[];

const FILE_NOTES =
  'FILE is JSON or YAML: {"id", "name", "description", "tags": [{"name", "value"}], "templates": [{"id", "version", "parameters"}], "destructionPlannedOn", "entrypoints", "statusEndpoints"}; without "id" its name is the id. - is standard input.';

const create = defineCommand({
  name: 'env create',
  summary: 'Creates an environment from a file',
  notes: `${FILE_NOTES} With --wait the exit code tells how it ended.`,
  args: ['<file>'],
  flags: WAIT_FLAG,
  examples: ['skerry env create environments/staging.yaml --wait'],
  async run({ args, flags, client, ...context }) {
    const input = await readEnvironment(args.file, context);
    const operation = await client.environments.create(input, { signal: context.signal });
    return await tellOperation(operation, flags.wait, { client, ...context });
  },
});

const update = defineCommand({
  name: 'env update',
  summary: 'Brings an environment to what a file says',
  notes: `Creates it where there is none. ${FILE_NOTES} What is left out stays as it is.`,
  args: ['<file>'],
  flags: WAIT_FLAG,
  examples: ['skerry env update environments/staging.yaml --wait'],
  async run({ args, flags, client, ...context }) {
    const { id, ...changes } = await readEnvironment(args.file, context);
    const operation = await client.environments.update(id, changes, { signal: context.signal });
    return await tellOperation(operation, flags.wait, { client, ...context });
  },
});

const plan = defineCommand({
  name: 'env plan',
  summary: 'Shows what create or update would do',
  notes: `Nothing changes. ${FILE_NOTES}`,
  args: ['<file>'],
  flags: {},
  examples: ['skerry env plan environments/staging.yaml'],
  async run({ args, client, output, ...context }) {
    const input = await readEnvironment(args.file, context);
    const made = await client.environments.plan(input, { signal: context.signal });
    output.document(made, () => formatPlan(made));
    return undefined;
  },
});

const destroy = defineCommand({
  name: 'env destroy',
  summary: 'Destroys what an environment consists of',
  notes: 'What is known of it stays until "skerry env forget".',
  args: ['<id>'],
  flags: { ...WAIT_FLAG, dryRun: { summary: 'show the plan, and change nothing' } },
  examples: ['skerry env destroy staging --wait', 'skerry env destroy staging --dry-run'],
  async run({ args: { id }, flags, client, output, signal }) {
    if (flags.dryRun) {
      const made = await client.environments.planDestruction(id, { signal });
      output.document(made, () => formatPlan(made));
      return undefined;
    }
    const operation = await client.environments.destroy(id, { signal });
    return await tellOperation(operation, flags.wait, { client, output, signal });
  },
});

const forget = defineCommand({
  name: 'env forget',
  summary: 'Removes all that is known of a destroyed environment',
  args: ['<id>'],
  flags: {},
  examples: ['skerry env forget staging'],
  async run({ args: { id }, client, output, signal }) {
    if (!(await client.environments.forget(id, { signal }))) throw unknown(id);
    output.document({ id, forgotten: true }, () => `forgot ${id}`);
    return undefined;
  },
});

const list = defineCommand({
  name: 'env list',
  summary: 'Lists the environments',
  args: [],
  flags: {
    state: { placeholder: 'STATE', choices: STATES, summary: 'only those in this state' },
    tag: { placeholder: 'NAME:VALUE', isRepeatable: true, summary: 'only those that have this tag' },
  },
  examples: ['skerry env list', 'skerry env list --state Deployed-Fail --tag stage:production'],
  async run({ flags: { state, tag }, client, output, signal }) {
    const items = await collect(client.environments.list({ state, tag, signal }));
    output.table({ items }, ['ID', 'STATE', 'SINCE', 'TEMPLATES', 'NAME'], () =>
      items.map(({ id, state: now, stateSince, templates, name }) => [
        id,
        now,
        stateSince,
        templates.map((use) => `${use.id}@${use.version}`).join(' '),
        name,
      ]),
    );
    return undefined;
  },
});

const show = defineCommand({
  name: 'env show',
  summary: 'Shows an environment and its resources',
  args: ['<id>'],
  flags: {},
  examples: ['skerry env show staging'],
  async run({ args: { id }, client, output, signal }) {
    const environment = await client.environments.get(id, { signal });
    if (environment === undefined) throw unknown(id);
    const resources = await collect(client.resources.list({ environment: id, signal }));
    output.document({ ...environment, resources }, () => describe(environment, resources));
    return undefined;
  },
});

const wait = defineCommand({
  name: 'env wait',
  summary: 'Waits until an environment is deployed or destroyed',
  notes:
    'Until nothing works on it and it is Deployed-OK, Deployed-Fail or Destroyed; with --state until it is in that state. Ends with 1 where it is Deployed-Fail and that was not asked for.',
  args: ['<id>'],
  flags: { state: { placeholder: 'STATE', choices: STATES, summary: 'wait for this state' } },
  examples: ['skerry env wait staging', 'skerry env wait staging --state Destroyed'],
  async run({ args: { id }, flags: { state }, client, output, signal }) {
    const onFault = (error: unknown) => output.note(`skerry: ${messageOf(error)}`);
    const environment = await client.environments.wait(id, { state, signal, onFault });
    if (environment === undefined) throw unknown(id);
    output.document(environment, () => describe(environment, []));
    return state === undefined && environment.state === 'Deployed-Fail' ? EXIT.failed : undefined;
  },
});

export const environmentCommands = [create, update, plan, destroy, list, show, wait, forget];

async function readEnvironment(
  file: string,
  context: Parameters<typeof readDefinition>[1],
): Promise<EnvironmentInput> {
  const { id, content } = await readDefinition(file, context);
  // Skerry says what is wrong with it.
  return { ...content, id } as EnvironmentInput;
}

function unknown(id: string) {
  return notFound(`There is no environment "${id}".`, 'skerry env list shows those that there are.');
}

function describe(environment: Environment, resources: readonly Resource[]): string {
  const { id, name, description, tags, state, stateSince, reason, templates, entrypoints, operation } =
    environment;
  const facts = showFacts({
    id,
    name,
    description,
    state: `${state} since ${stateSince}`,
    reason,
    operation,
    tags: orNone(tags.map((tag) => `${tag.name}:${tag.value}`)),
    templates: orNone(templates.map((use) => `${use.id}@${use.version}`)),
    entrypoints: orNone(entrypoints),
    'to be destroyed': environment.destructionPlannedOn,
    destroyed: environment.destroyedOn,
    health: environment.health && `${environment.health.state} since ${environment.health.since}`,
  });
  const drift = (environment.drift ?? []).map((one) => [one.resource, one.expected, one.observed]);
  const rows = resources.map(({ status, statusSince, health, detail, ...resource }) => [
    resource.id,
    status,
    statusSince,
    health?.state,
    detail ?? health?.detail ?? resource.drift,
  ]);
  const tables = [
    ...(rows.length === 0 ? [] : [formatTable(['RESOURCE', 'STATUS', 'SINCE', 'HEALTH', 'DETAIL'], rows)]),
    ...(drift.length === 0 ? [] : [formatTable(['DRIFT OF', 'EXPECTED', 'OBSERVED'], drift)]),
  ];
  return [facts, ...tables].join('\n\n');
}

function orNone(texts: readonly string[]): string | undefined {
  return texts.length === 0 ? undefined : texts.join(' ');
}
