import { z } from 'zod';
import type { Executor, Observation, StepOutcome, StepRequest } from '../operations/index.ts';
import type { Credential } from '../platform/origin-credentials.ts';
import type { Json } from '../records/index.ts';
import { boundOutputs } from './bounded-outputs.ts';
import { appUrl, readCommand } from './command.ts';
import type { ExecutorParts } from './index.ts';
import { type Answer, failureOf, isSuccess, readBody } from './outbound/index.ts';
import { failed, outcomeOf, outcomeOfPoll, passingFailure, pending, StepFailure } from './step-failure.ts';
import { toHcl } from './to-hcl.ts';

const HCP_TERRAFORM = 'https://app.terraform.io';
const MEDIA_TYPE = 'application/vnd.api+json';
const POLL_SECONDS = 5;
const OBSERVE_POLL_MILLISECONDS = 1_000;
/** Newest runs of a workspace among which an earlier attempt's is looked for. */
const RUNS_LOOKED_AT = 50;

const nameSchema = z
  .string()
  .regex(/^[0-9A-Za-z_-]{1,90}$/, 'must be letters, digits, hyphens and underscores');

const commandSchema = z.strictObject({
  organization: nameSchema,
  workspace: nameSchema,
  /** Of the run, over those of the workspace; any JSON. */
  variables: z.record(z.string().min(1).max(128), z.json()).default({}),
  /** Whether the plan is applied without somebody confirming it in Terraform. */
  autoApply: z.boolean().default(true),
});
type Command = z.output<typeof commandSchema>;

/** Where a run is; other words mean that it goes on, by itself or when somebody confirms it. */
const DONE = new Set(['applied', 'planned_and_finished']);
const ENDED_BADLY = new Set(['errored', 'canceled', 'force_canceled', 'discarded', 'policy_soft_failed']);

const runSchema = z.looseObject({
  id: z.string().regex(/^run-[0-9A-Za-z]+$/),
  attributes: z.looseObject({
    status: z.string(),
    message: z.string().nullish(),
    'has-changes': z.boolean().nullish(),
    'status-timestamps': z.record(z.string(), z.unknown()).nullish(),
  }),
  relationships: z
    .looseObject({
      plan: z
        .looseObject({ data: z.looseObject({ id: z.string().regex(/^plan-[0-9A-Za-z]+$/) }).nullish() })
        .nullish(),
    })
    .nullish(),
});
type Run = z.output<typeof runSchema>;

const runDocumentSchema = z.looseObject({ data: runSchema });
const runListSchema = z.looseObject({ data: z.array(runSchema) });
const workspaceSchema = z.looseObject({
  data: z.looseObject({
    id: z.string().regex(/^ws-[0-9A-Za-z]+$/),
    attributes: z.looseObject({ 'resource-count': z.number().nullish() }),
  }),
});
const planSchema = z.looseObject({
  data: z.looseObject({ attributes: z.record(z.string(), z.unknown()) }),
});
const outputsSchema = z.looseObject({
  data: z.array(
    z.looseObject({
      attributes: z.looseObject({ name: z.string(), sensitive: z.boolean(), value: z.json().optional() }),
    }),
  ),
});
/** `status`: what the run was last. */
const handleSchema = z.object({ run: z.string(), workspace: z.string(), status: z.string() });

/** Runs workspaces of HCP Terraform or Terraform Enterprise (its runs API, version 2). */
export class TerraformExecutor implements Executor {
  readonly #outbound: ExecutorParts['outbound'];
  readonly #clock: ExecutorParts['clock'];

  constructor({ outbound, clock }: ExecutorParts) {
    this.#outbound = outbound;
    this.#clock = clock;
  }

  start(request: StepRequest): Promise<StepOutcome> {
    return outcomeOf(async () => {
      const command = readCommand(request, commandSchema);
      const { id: workspace } = await this.#workspace(request, command);
      const run = await this.#findOrCreate(request, workspace, {
        'auto-apply': command.autoApply,
        'is-destroy': request.verb === 'destroy',
        variables: variablesOf(command),
      });
      const { status } = run.attributes;
      return pending({ run: run.id, workspace, status }, POLL_SECONDS, [`${run.id} is ${status}.`]);
    });
  }

  poll(request: StepRequest, handle: Json): Promise<StepOutcome> {
    return outcomeOfPoll(handle, async () => {
      const { run: id, workspace, status: last } = handleSchema.parse(handle);
      const run = await this.#run(request, id);
      const { status } = run.attributes;
      if (ENDED_BADLY.has(status)) {
        return failed(endOf(run));
      }
      if (!DONE.has(status)) {
        const log = status === last ? [] : [`${id} is ${status}.`];
        return pending({ run: id, workspace, status }, POLL_SECONDS, log);
      }
      const log = [`${id} ended as ${status}.`];
      if (request.verb === 'destroy') {
        return { state: 'succeeded', log };
      }
      const bounded = boundOutputs(await this.#outputs(request, workspace));
      return { state: 'succeeded', outputs: bounded.outputs, log: [...log, ...bounded.log] };
    });
  }

  /** A run that has not begun, or waits for somebody, is discarded; one that works is interrupted. */
  async cancel(request: StepRequest, handle: Json): Promise<void> {
    const { run } = handleSchema.parse(handle);
    for (const action of ['cancel', 'discard']) {
      const answer = await this.#call(request, 'POST', `/runs/${run}/actions/${action}`, {
        comment: `Operation ${request.operation} is cancelled.`,
      });
      if (isSuccess(answer)) {
        return;
      }
      if (answer.status !== 409) {
        throw failureOf(answer, `POST …/actions/${action}`);
      }
    }
    // Neither is possible of a run that is over.
  }

  /**
   * By a speculative run, which plans and cannot be applied; the attempt waits for it, and the next one finds it again.
   *
   * @throws StepFailure, passing, where the run takes longer than the attempt.
   */
  async observe(request: StepRequest): Promise<Observation> {
    const command = readCommand(request, commandSchema);
    const workspace = await this.#workspace(request, command);
    const begun = await this.#findOrCreate(request, workspace.id, {
      'plan-only': true,
      variables: variablesOf(command),
    });
    const run = await this.#awaitPlan(request, begun);
    const exists = (workspace.attributes['resource-count'] ?? 1) > 0;
    if (run.attributes['has-changes'] !== true) {
      return { exists };
    }
    return { exists, difference: await this.#describePlan(request, run) };
  }

  async #describePlan(request: StepRequest, { relationships }: Run): Promise<string> {
    const id = relationships?.plan?.data?.id;
    if (id === undefined) {
      return 'Terraform would change something.';
    }
    const answer = await this.#call(request, 'GET', `/plans/${id}`);
    const { attributes } = readBody(answer, planSchema, `GET of ${id}`).data;
    const [added, changed, destroyed] = ['additions', 'changes', 'destructions'].map((what) =>
      Number(attributes[`resource-${what}`] ?? 0),
    );
    return `Terraform would add ${added}, change ${changed} and destroy ${destroyed}.`;
  }

  async #awaitPlan(request: StepRequest, begun: Run): Promise<Run> {
    let run = begun;
    while (!DONE.has(run.attributes.status)) {
      if (ENDED_BADLY.has(run.attributes.status)) {
        throw endOf(run);
      }
      if (request.signal.aborted) {
        throw passingFailure(`The plan of ${run.id} takes longer than the attempt.`);
      }
      await this.#clock.sleep(OBSERVE_POLL_MILLISECONDS);
      run = await this.#run(request, run.id);
    }
    return run;
  }

  async #workspace(request: StepRequest, { organization, workspace }: Command) {
    const answer = await this.#call(request, 'GET', `/organizations/${organization}/workspaces/${workspace}`);
    return readBody(answer, workspaceSchema, `The workspace ${organization}/${workspace}`).data;
  }

  async #run(request: StepRequest, id: string): Promise<Run> {
    const answer = await this.#call(request, 'GET', `/runs/${id}`);
    return readBody(answer, runDocumentSchema, `GET of ${id}`).data;
  }

  /**
   * The API knows no idempotency keys: the run's message carries ours, and a run that has it is the one that an earlier attempt
   * made, unless it ended badly.
   */
  async #findOrCreate(
    request: StepRequest,
    workspace: string,
    attributes: Record<string, Json>,
  ): Promise<Run> {
    const message = `Skerry: ${request.verb} in operation ${request.operation} (${request.idempotencyKey})`;
    const listed = await this.#call(
      request,
      'GET',
      `/workspaces/${workspace}/runs?page%5Bsize%5D=${RUNS_LOOKED_AT}`,
    );
    const runs = readBody(listed, runListSchema, 'The runs of the workspace').data;
    const found = runs.find((run) => run.attributes.message === message);
    if (found !== undefined && !ENDED_BADLY.has(found.attributes.status)) {
      return found;
    }
    const answer = await this.#call(request, 'POST', '/runs', {
      data: {
        type: 'runs',
        attributes: { ...attributes, message },
        relationships: { workspace: { data: { type: 'workspaces', id: workspace } } },
      },
    });
    return readBody(answer, runDocumentSchema, 'Creating a run').data;
  }

  /** @throws StepFailure, passing, while they are being worked out (503). */
  async #outputs(request: StepRequest, workspace: string): Promise<[string, Json][]> {
    const answer = await this.#call(request, 'GET', `/workspaces/${workspace}/current-state-version-outputs`);
    if (answer.status === 404) {
      return [];
    }
    const { data } = readBody(answer, outputsSchema, 'The outputs of the workspace');
    return data
      .filter(({ attributes }) => !attributes.sensitive)
      .map(({ attributes: { name, value } }) => [name, value ?? null]);
  }

  #call(request: StepRequest, method: 'GET' | 'POST', path: string, body?: Json): Promise<Answer> {
    return this.#outbound.call({
      method,
      url: `${appUrl(request, HCP_TERRAFORM)}/api/v2${path}`,
      headers: { accept: MEDIA_TYPE, ...(body !== undefined && { 'content-type': MEDIA_TYPE }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      isRepeatable: method === 'GET',
      authenticate,
      signal: request.signal,
    });
  }
}

function authenticate({ token }: Credential): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function variablesOf({ variables }: Command): Json {
  return Object.entries(variables).map(([key, value]) => ({ key, value: toHcl(value) }));
}

/** A plan that fails does so again; an apply that broke off goes on where it stopped; what somebody ended stays so. */
function endOf({ id, attributes }: Run): StepFailure {
  const { status } = attributes;
  const isApplying = typeof attributes['status-timestamps']?.['applying-at'] === 'string';
  const reason = `${id} ended as ${status}${status === 'errored' ? ` while ${isApplying ? 'applying' : 'planning'}` : ''}.`;
  return new StepFailure(reason, { isPassing: status === 'errored' && isApplying });
}
