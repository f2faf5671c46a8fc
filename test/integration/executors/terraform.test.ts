import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TerraformExecutor } from '../../../shared/executors/terraform.ts';
import type { StepVerb } from '../../../shared/operations/index.ts';
import type { Json } from '../../../shared/records/index.ts';
import { type ApiCall, firstCalls } from './api-server.ts';
import { executorParts, type RequestOptions, stepRequest } from './executor-fixture.ts';
import { startTerraform, TERRAFORM_TOKEN, type Terraform } from './terraform-server.ts';

let terraform: Terraform;
let executor: TerraformExecutor;
let naps: number;

beforeEach(async () => {
  terraform = await startTerraform();
  naps = 0;
  const credentials = { [terraform.origin]: { token: TERRAFORM_TOKEN } };
  const parts = executorParts({ credentials });
  const sleep = async () => {
    naps += 1;
  };
  executor = new TerraformExecutor({ ...parts, clock: { now: Date.now, sleep } });
});

afterEach(() => terraform.stop());

const COMMAND = { organization: 'acme', workspace: 'network', variables: { nodes: 3, name: 'shop' } };
const COURSE = ['plan_queued', 'planning', 'planned', 'apply_queued', 'applying', 'applied'];

function request(verb: StepVerb = 'create', command: Json = COMMAND, options: RequestOptions = {}) {
  return stepRequest(verb, command, { url: terraform.origin, ...options });
}

async function begin(verb: StepVerb = 'create'): Promise<Json> {
  const outcome = await executor.start(request(verb));
  expect(outcome).toMatchObject({ state: 'pending' });
  return outcome.state === 'pending' ? outcome.handle : null;
}

async function follow(verb: StepVerb, begun: Json, log: string[] = []) {
  for (let handle = begun; ; ) {
    const outcome = await executor.poll(request(verb), handle);
    if (outcome.state !== 'pending') {
      return outcome;
    }
    handle = outcome.handle;
    log.push(...(outcome.log ?? []));
  }
}

const isCreation = ({ method, url }: ApiCall) => method === 'POST' && url.pathname === '/api/v2/runs';

describe('a run', () => {
  test.each([
    ['create', false],
    ['update', false],
    ['run', false],
    ['destroy', true],
  ] as const)('is made for %s and followed to its end', async (verb, isDestroy) => {
    terraform.course = COURSE.flatMap((status) => [status, status]);
    terraform.outputs = {
      address: { value: '10.0.0.4' },
      password: { value: 'top-secret', sensitive: true },
    };
    const handle = await begin(verb);
    expect(terraform.runs).toMatchObject([
      {
        attributes: {
          'auto-apply': true,
          'is-destroy': isDestroy,
          variables: [
            { key: 'nodes', value: '3' },
            { key: 'name', value: '"shop"' },
          ],
          message: expect.stringContaining(request(verb).idempotencyKey),
        },
      },
    ]);
    const log: string[] = [];
    expect(await follow(verb, handle, log)).toEqual({
      state: 'succeeded',
      ...(!isDestroy && { outputs: { address: '10.0.0.4' } }),
      log: ['run-CZcmD7eagjhy0 ended as applied.'],
    });
    expect(log).toEqual(COURSE.slice(0, -1).map((status) => `run-CZcmD7eagjhy0 is ${status}.`));
  });

  test('without changes is done as well', async () => {
    terraform.course = ['planning', 'planned_and_finished'];
    expect(await follow('create', await begin())).toMatchObject({ state: 'succeeded', outputs: {} });
  });

  test('may wait for somebody to confirm it', async () => {
    await executor.start(request('create', { ...COMMAND, autoApply: false }));
    expect(terraform.runs).toMatchObject([{ attributes: { 'auto-apply': false } }]);
  });

  test.each(['lose', 'half'] as const)(
    'is made once, though the answer was lost (%s)',
    async (interference) => {
      terraform.interfere = firstCalls(isCreation, interference);
      expect(await executor.start(request())).toMatchObject({ state: 'failed', isPassing: true });
      expect(await executor.start(request('create', COMMAND, { attempt: 2 }))).toMatchObject({
        state: 'pending',
      });
      expect(terraform.runs).toHaveLength(1);
      await executor.start(request('create', COMMAND, { idempotencyKey: 'another' }));
      expect(terraform.runs).toHaveLength(2);
    },
  );

  test.each([
    [['planning', 'errored'], 'errored while planning', false],
    [['planning', 'applying', 'errored'], 'errored while applying', true],
    [['canceled'], 'canceled', false],
    [['planned', 'discarded'], 'discarded', false],
  ])('fails: %j', async (course, end, isPassing) => {
    terraform.course = [...course];
    expect(await follow('create', await begin())).toEqual({
      state: 'failed',
      reason: `run-CZcmD7eagjhy0 ended as ${end}.`,
      isPassing,
    });
    expect(await executor.start(request('create', COMMAND, { attempt: 2 }))).toMatchObject({
      state: 'pending',
    });
    expect(terraform.runs).toHaveLength(2);
  });

  test('is not done before its outputs are known', async () => {
    terraform.course = ['applied'];
    terraform.isProcessing = true;
    const handle = await begin();
    expect(await executor.poll(request(), handle)).toMatchObject({ state: 'pending', handle });
    terraform.isProcessing = false;
    expect(await executor.poll(request(), handle)).toMatchObject({ state: 'succeeded' });
  });

  test.each(['drop', 'half', 'lie', { status: 429, headers: { 'x-ratelimit-reset': '30.5' } }] as const)(
    'is still under way when it cannot be asked after (%j)',
    async (interference) => {
      const handle = await begin();
      terraform.interfere = () => interference;
      const pollAfterSeconds = typeof interference === 'object' ? 31 : 10;
      expect(await executor.poll(request(), handle)).toMatchObject({
        state: 'pending',
        handle,
        pollAfterSeconds,
      });
    },
  );

  test.each([
    ['pending', 'discarded'],
    ['planned', 'discarded'],
    ['planning', 'canceled'],
    ['applying', 'canceled'],
    ['applied', 'applied'],
  ])('that is %s is %s when it is cancelled', async (status, end) => {
    const handle = await begin();
    const [run] = terraform.runs;
    Object.assign(run ?? {}, { status });
    await executor.cancel(request(), handle);
    expect(run?.status).toBe(end);
  });

  test('says so when it cannot be cancelled', async () => {
    const handle = await begin();
    terraform.interfere = () => ({ status: 404, body: { errors: [{ status: '404', title: 'not found' }] } });
    await expect(executor.cancel(request(), handle)).rejects.toMatchObject({
      message: 'POST …/actions/cancel: HTTP 404: not found',
      kind: 'unprocessable',
    });
  });
});

describe('a failure', () => {
  const errors = [{ status: 'some', title: 'some title', detail: 'Some detail.' }];

  test.each([
    [401, false],
    [403, false],
    [404, false],
    [409, false],
    [422, false],
    [429, true],
    [500, true],
    [504, true],
  ])('%i when the run is made', async (status, isPassing) => {
    terraform.interfere = (call) => (isCreation(call) ? { status, body: { errors } } : undefined);
    const reason = `Creating a run: HTTP ${status}: Some detail.`;
    expect(await executor.start(request())).toEqual({ state: 'failed', reason, isPassing });
    expect(terraform.calls.filter(isCreation)).toHaveLength(1);
  });

  test('of a workspace that is not there, or of a token that is wrong', async () => {
    const elsewhere = { ...COMMAND, workspace: 'elsewhere' };
    expect(await executor.start(request('create', elsewhere))).toEqual({
      state: 'failed',
      reason: 'The workspace acme/elsewhere: HTTP 404: not found',
      isPassing: false,
    });
    const stranger = new TerraformExecutor(executorParts());
    expect(await stranger.start(request())).toMatchObject({
      reason: 'The workspace acme/network: HTTP 401: unauthorized',
      isPassing: false,
    });
  });

  test.each([
    [{ ...COMMAND, organization: '../..' }, 'command.organization'],
    [{ organization: 'acme' }, 'command.workspace'],
    [{ ...COMMAND, variable: {} }, 'command'],
  ])('of the command is found before anything is sent: %#', async (command, place) => {
    expect(await executor.start(request('create', command))).toMatchObject({
      isPassing: false,
      reason: expect.stringContaining(`terraform: ${place}: `.replace('terraform', 'some')),
    });
    expect(terraform.calls).toHaveLength(0);
  });
});

describe('a look', () => {
  test('is a plan that cannot be applied', async () => {
    terraform.course = ['planning', 'planned_and_finished'];
    expect(await executor.observe(request('refresh'))).toEqual({ exists: true });
    expect(terraform.runs).toMatchObject([{ attributes: { 'plan-only': true } }]);
    expect(terraform.runs[0]?.attributes).not.toHaveProperty('auto-apply');
    expect(naps).toBe(2);
  });

  test('tells what Terraform would do', async () => {
    terraform.course = ['planned_and_finished'];
    terraform.resourceCount = 0;
    const observed = executor.observe(request('refresh'));
    terraform.interfere = () => {
      for (const run of terraform.runs) {
        run.hasChanges = true;
      }
      return undefined;
    };
    expect(await observed).toEqual({
      exists: false,
      difference: 'Terraform would add 1, change 2 and destroy 0.',
    });
  });

  test('that takes longer than the attempt is gone on with by the next', async () => {
    const controller = new AbortController();
    terraform.interfere = ({ url }) => {
      if (url.pathname.startsWith('/api/v2/runs/')) {
        controller.abort();
      }
      return undefined;
    };
    const { signal } = controller;
    await expect(executor.observe(request('refresh', COMMAND, { signal }))).rejects.toMatchObject({
      kind: 'unavailable',
    });
    terraform.course = ['planned_and_finished'];
    expect(await executor.observe(request('refresh'))).toEqual({ exists: true });
    expect(terraform.runs).toHaveLength(1);
  });

  test('fails when the plan does', async () => {
    terraform.course = ['errored'];
    await expect(executor.observe(request('refresh'))).rejects.toThrow('ended as errored while planning');
  });
});
