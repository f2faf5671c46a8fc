import { isDeepStrictEqual } from 'node:util';
import type { Environment, EnvironmentInput } from '../../environments/environment.ts';
import type { Resource, ResourceInput } from '../../environments/resource.ts';
import type { Template, TemplateInput } from '../../environments/template.ts';
import type { Context } from '../command.ts';
import { defineCommand } from '../command.ts';
import { type Deployed, deploySkerry, findDeployment } from '../deployment/deploy-skerry.ts';
import {
  type Bringing,
  bringEnvironment,
  compareEnvironment,
  isWork,
  templateIdsOf,
} from '../environment/bring-environment.ts';
import { followOperation, WAIT_FLAG } from '../environment/follow-operation.ts';
import { nameFile } from '../environment/name-file.ts';
import { pushTemplate, readTemplate } from '../environment/push-template.ts';
import { describePlace, isRemote, type Repository, withRepository } from '../environment/repository.ts';
import { UsageError } from '../usage-error.ts';

export const bootstrapCommand = defineCommand({
  name: 'bootstrap',
  summary: 'Deploys Skerry, records where it runs, and brings the environments of a repository',
  notes:
    'With --deploy, runs "azd up" for that environment of the Azure Developer CLI, and goes on in the Skerry that was deployed. A new one is given the token of SKERRY_TOKEN, or one that is shown once; it is told the SHA-256 alone. Records the environment that Skerry itself runs in, with its location, deployment and repository as resources; makes versions of the templates in templates/ of the repository; and creates or updates an environment for each file in environments/. What is so already is left alone: run twice, it changes nothing. REPOSITORY is a folder or the URL of a git repository. Nothing is written unless all of its files can be read. An environment that is destroyed is left so until it is forgotten. With --json each line is {"kind", "id", "action", "operation"}, and with --wait those of "skerry op follow" come behind.',
  args: [],
  flags: {
    location: { placeholder: 'LOCATION', summary: 'where Skerry runs, such as a region of Azure' },
    repository: { placeholder: 'REPOSITORY', summary: 'a folder, or the URL of a git repository' },
    environment: { placeholder: 'ID', summary: 'the environment that Skerry runs in ("skerry")' },
    deploy: { placeholder: 'NAME', summary: 'deploy Skerry first, as this environment of azd' },
    subscription: { placeholder: 'ID', summary: 'the Azure subscription that a new deployment goes to' },
    source: { placeholder: 'FOLDER', summary: "Skerry's source, with its azure.yaml (the folder)" },
    dryRun: { summary: 'tell what would be done, and change nothing' },
    ...WAIT_FLAG,
  },
  examples: [
    'skerry bootstrap --deploy production --location westeurope',
    'skerry bootstrap --location westeurope --repository https://git.example.com/environments.git --wait',
    'skerry bootstrap --location westeurope --repository . --dry-run',
  ],
  async run({ flags, ...context }) {
    const { repository: place, environment = 'skerry', dryRun: isDry = false, wait, deploy } = flags;
    if (deploy === undefined && (flags.location === undefined || place === undefined)) {
      throw new UsageError('bootstrap needs --deploy, or --location and --repository.');
    }
    return await withRepositoryIfAny(place, context, async (repository) => {
      if (repository?.environments.some(({ id }) => id === environment)) {
        throw new UsageError(
          `The repository defines "${environment}", where Skerry runs: name that otherwise by --environment.`,
        );
      }
      const deployed = deploy === undefined ? undefined : await reach({ ...flags, deploy }, context);
      if (deployed === 'nowhere') return undefined;
      const client = deployed === undefined ? context.client : context.connect(deployed.connection);
      const bootstrap = new Bootstrap({ ...context, client }, isDry);
      await bootstrap.recordOwn(environment, {
        location: deployed?.location ?? flags.location ?? '',
        repository: place === undefined ? undefined : describePlace(place, context.folder),
        deployment:
          deployed === undefined || deploy === undefined
            ? undefined
            : { name: deploy, url: deployed.connection.server },
      });
      if (repository === undefined) return undefined;
      await bootstrap.pushTemplates(repository);
      return await bootstrap.bringEnvironments(repository, wait);
    });
  },
});

interface DeployFlags {
  readonly deploy: string;
  readonly location?: string;
  readonly subscription?: string;
  readonly source?: string;
  readonly dryRun?: true;
}

/** Deploys Skerry; where nothing may be done, looks for the one that is deployed. */
async function reach(
  { deploy, location, subscription, source = '.', dryRun }: DeployFlags,
  context: Omit<Context, 'readInput'>,
): Promise<Deployed | 'nowhere'> {
  const deployment = { environment: deploy, source, location, subscription };
  const tell = (action: string) =>
    context.output.event(
      { kind: 'deployment', id: deploy, action },
      () => `deployment   ${action}  ${deploy}`,
    );
  if (!dryRun) {
    const deployed = await deploySkerry(deployment, context);
    tell('deploy');
    return deployed;
  }
  const found = await findDeployment(deployment, context);
  tell(context.output.isJson ? 'deploy' : 'would deploy');
  return found ?? 'nowhere';
}

async function withRepositoryIfAny<Result>(
  place: string | undefined,
  context: Omit<Context, 'readInput'>,
  use: (repository: Repository | undefined) => Promise<Result>,
): Promise<Result> {
  return place === undefined ? await use(undefined) : await withRepository(place, context, use);
}

/** Where Skerry itself runs. */
interface Own {
  readonly location: string;
  readonly repository: string | undefined;
  readonly deployment: { readonly name: string; readonly url: string } | undefined;
}

class Bootstrap {
  readonly #context: Omit<Context, 'readInput'>;
  readonly #isDry: boolean;
  readonly #staleTemplates = new Set<unknown>();

  constructor(context: Omit<Context, 'readInput'>, isDry: boolean) {
    this.#context = context;
    this.#isDry = isDry;
  }

  async recordOwn(id: string, { location, repository, deployment }: Own): Promise<void> {
    const { client, signal } = this.#context;
    // A deployment alone says nothing of it.
    const known = repository ?? tagOf(await client.environments.get(id, { signal }), 'repository');
    const input: EnvironmentInput = {
      id,
      name: 'Skerry',
      description: 'Where Skerry itself runs',
      tags: [
        { name: 'location', value: location },
        ...(known === undefined ? [] : [{ name: 'repository', value: known }]),
      ],
      templates: [],
    };
    const bringing = await compareEnvironment(client, input, signal);
    this.#tell('environment', id, bringing);
    if (isWork(bringing) && !this.#isDry) {
      const { id: operation } = await bringEnvironment(client, input, bringing, signal);
      const { state, error } = await client.operations.wait(operation, { signal });
      if (state !== 'succeeded') throw new Error(`${operation} ${state}: ${error?.reason}`);
    }
    await this.#record(id, 'location', { name: location, tags: [{ name: 'location', value: location }] });
    if (deployment !== undefined) {
      await this.#record(id, 'deployment', {
        name: 'deployment',
        tags: [{ name: 'azd', value: deployment.name }],
        links: [deployment.url],
      });
    }
    if (repository === undefined) return;
    await this.#record(id, 'repository', {
      name: 'repository',
      tags: [{ name: 'repository', value: repository }],
      links: isRemote(repository) ? [repository] : [],
    });
  }

  async pushTemplates({ templates, folder }: Repository): Promise<void> {
    const { client, signal } = this.#context;
    for (const definition of templates) {
      const { id } = definition;
      const input = await readTemplate(definition, { folder, commit: undefined, signal });
      const isSame = this.#isDry
        ? isSameTemplate(await client.templates.get(id, { signal }), input)
        : (await nameFile(definition.file, pushTemplate(client, id, input, signal))).unchanged;
      if (!isSame) this.#staleTemplates.add(id);
      this.#tell('template', id, isSame ? 'nothing' : 'push');
    }
  }

  /** @returns the exit code. */
  async bringEnvironments({ environments }: Repository, wait: true | undefined): Promise<number | undefined> {
    const { client, signal } = this.#context;
    const operations: string[] = [];
    for (const { id, content, file } of environments) {
      // Skerry says what is wrong with it.
      const input = { ...content, id } as EnvironmentInput;
      const bringing = await nameFile(file, this.#compare(input));
      if (!isWork(bringing) || this.#isDry) {
        this.#tell('environment', id, bringing);
        continue;
      }
      const operation = await nameFile(file, bringEnvironment(client, input, bringing, signal));
      this.#tell('environment', id, bringing, operation.id);
      operations.push(operation.id);
    }
    if (!wait) return undefined;
    let code: number | undefined;
    for (const id of operations) code = (await followOperation(id, this.#context)) ?? code;
    return code;
  }

  /** A plan over templates that are not pushed yet cannot be made. */
  async #compare(input: EnvironmentInput): Promise<Bringing> {
    const { client, signal } = this.#context;
    if (this.#isDry && templateIdsOf(input).some((id) => this.#staleTemplates.has(id))) {
      return (await client.environments.get(input.id, { signal })) === undefined ? 'create' : 'update';
    }
    const bringing = await compareEnvironment(client, input, signal);
    // What would be refused is so now.
    if (this.#isDry && isWork(bringing)) await client.environments.plan(input, { signal });
    return bringing;
  }

  async #record(environment: string, id: string, input: ResourceInput): Promise<void> {
    const { client, signal } = this.#context;
    const present = await client.resources.get(environment, id, { signal });
    const isSame = present !== undefined && isSameResource(present, input);
    this.#tell('resource', `${environment}/${id}`, isSame ? 'nothing' : 'record');
    if (!isSame && !this.#isDry) await client.resources.put(environment, id, input, { signal });
  }

  #tell(kind: string, id: string, action: string, operation?: string): void {
    const what = this.#isDry && !IDLE.has(action) ? `would ${action}` : action;
    this.#context.output.event({ kind, id, action, ...(operation !== undefined && { operation }) }, () =>
      [kind.padEnd('environment'.length), what.padEnd(WIDEST_ACTION), id, operation ?? '']
        .join('  ')
        .trimEnd(),
    );
  }
}

const IDLE: ReadonlySet<string> = new Set(['nothing', 'leave destroyed'] satisfies Bringing[]);
const WIDEST_ACTION = 'leave destroyed'.length;

function tagOf(environment: Environment | undefined, wanted: string): string | undefined {
  return environment?.tags.find(({ name }) => name === wanted)?.value;
}

function isSameResource(present: Resource, input: ResourceInput): boolean {
  return Object.entries(input).every(([name, value]) =>
    isDeepStrictEqual(present[name as keyof Resource], value),
  );
}

/** Whether a template says what a file says, whose lists may be left out. */
function isSameTemplate(present: Template | undefined, input: TemplateInput): boolean {
  if (present === undefined) return false;
  const { id, version, revision, createdAt, updatedAt, ...content } = present;
  const wanted: Readonly<Record<string, unknown>> = { ...input };
  return (
    Object.entries(wanted).every(([name, value]) =>
      isDeepStrictEqual(present[name as keyof Template], value),
    ) && Object.entries(content).every(([name, value]) => name in wanted || isEmpty(value))
  );
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  );
}
