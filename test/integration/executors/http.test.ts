import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HttpExecutor } from '../../../shared/executors/http.ts';
import type { StepVerb } from '../../../shared/operations/index.ts';
import type { Json } from '../../../shared/records/index.ts';
import type { ApiCall } from './api-server.ts';
import { firstCalls } from './api-server.ts';
import { type App, type AppStyle, startApp } from './app-server.ts';
import { executorParts, type RequestOptions, stepRequest } from './executor-fixture.ts';

let app: App;
let executor: HttpExecutor;
/** For what hangs. */
let impatient: HttpExecutor;

beforeEach(async () => {
  app = await startApp();
  const credentials = { [app.origin]: { secret: app.secret, token: 'app-token' } };
  executor = new HttpExecutor(executorParts({ credentials }));
  impatient = new HttpExecutor(executorParts({ credentials, timeoutMilliseconds: 150 }));
});

afterEach(() => app.stop());

const COMMAND = { size: 3, zone: 'north' };

function request(verb: StepVerb = 'create', options: RequestOptions = {}) {
  return stepRequest(verb, COMMAND, { url: app.url, ...options });
}

const isCommand = ({ method, url }: ApiCall) => method === 'POST' && url.pathname === '/hook';
const isQuestion = ({ method }: ApiCall) => method === 'GET';

async function startPending(style: AppStyle): Promise<Json> {
  app.style = style;
  const outcome = await executor.start(request());
  expect(outcome).toMatchObject({ state: 'pending' });
  return outcome.state === 'pending' ? outcome.handle : null;
}

describe('a command', () => {
  test.each(['create', 'update', 'destroy', 'run'] as const)(
    'is sent for %s as a signed event',
    async (verb) => {
      expect(await executor.start(request(verb, { outputs: { id: 4 } }))).toEqual({
        state: 'succeeded',
        outputs: { address: '10.0.0.4' },
        log: [],
      });
      const [call] = app.calls;
      expect(call?.headers).toMatchObject({
        'content-type': 'application/cloudevents+json',
        'idempotency-key': request(verb).idempotencyKey,
        authorization: 'Bearer app-token',
      });
      expect(call?.body).toEqual({
        specversion: '1.0',
        id: request(verb).idempotencyKey,
        source: `/default/op/${request().operation}`,
        type: `skerry.step.${verb}`,
        subject: `/op/${request().operation}/steps/${verb}-shop.db`,
        datacontenttype: 'application/json',
        data: {
          ns: 'default',
          environment: 'prod',
          resource: 'shop.db',
          verb,
          action: 'make',
          command: COMMAND,
          outputs: { id: 4 },
          fence: 7,
          actor: 'local',
        },
      });
    },
  );

  test.each(['drop', 'lose', 'half', 'hang'] as const)(
    'is done once, though its first answer is lost (%s)',
    async (interference) => {
      app.interfere = firstCalls(isCommand, interference);
      const first = interference === 'hang' ? impatient : executor;
      expect(await first.start(request())).toMatchObject({ state: 'failed', isPassing: true });
      expect(await executor.start(request('create', { attempt: 2 }))).toMatchObject({ state: 'succeeded' });
      expect(app.done).toHaveLength(1);
    },
  );

  test.each([400, 401, 403, 404, 409, 410, 422, 307])(
    'that is answered %i has failed for good',
    async (status) => {
      app.interfere = () => ({
        status,
        headers: { location: `${app.origin}/hook` },
        body: { detail: 'No such zone.' },
      });
      expect(await executor.start(request())).toEqual({
        state: 'failed',
        reason: `POST ${app.url}: HTTP ${status}: ${status === 307 ? 'redirects are not followed' : 'No such zone.'}`,
        isPassing: false,
      });
      expect(app.calls).toHaveLength(1);
    },
  );

  test.each([408, 425, 429, 500, 502, 503])(
    'that is answered %i has failed for now, and is not repeated by itself',
    async (status) => {
      app.interfere = () => ({ status, body: '<html>Busy</html>' });
      const reason = `POST ${app.url}: HTTP ${status}`;
      expect(await executor.start(request())).toEqual({ state: 'failed', reason, isPassing: true });
      expect(app.calls).toHaveLength(1);
    },
  );

  test('is sent unsigned where there is no secret, which is told', async () => {
    const outcome = await new HttpExecutor(executorParts()).start(request());
    expect(outcome).toMatchObject({
      state: 'failed',
      reason: `POST ${app.url}: HTTP 401: The signature does not fit.`,
    });
    app.interfere = () => ({ status: 204 });
    expect(await new HttpExecutor(executorParts()).start(request())).toEqual({
      state: 'succeeded',
      log: [`The call is not signed: there is no secret for ${app.origin}.`],
    });
  });

  test('needs a URL', async () => {
    expect(await executor.start(stepRequest('create', COMMAND))).toMatchObject({
      reason: 'The action make needs app.url.',
      isPassing: false,
    });
  });
});

describe('an answer', () => {
  test('that is no JSON says only that it is done', async () => {
    app.interfere = () => 'lie';
    expect(await executor.start(request())).toEqual({ state: 'succeeded', log: [] });
  });

  test('without end, which may hold outputs, is a failure', async () => {
    app.interfere = () => 'flood';
    expect(await executor.start(request())).toMatchObject({ state: 'failed', isPassing: false });
  });

  test('with more outputs than are kept is done all the same', async () => {
    const outputs = { small: 1, large: 'x'.repeat(17_000), last: true };
    app.interfere = () => ({ status: 200, body: { outputs } });
    expect(await executor.start(request())).toEqual({
      state: 'succeeded',
      outputs: { small: 1, last: true },
      log: ['The output large is left out: outputs are 16 KiB at the most.'],
    });
  });

  test('does not bring our token back', async () => {
    app.interfere = ({ headers }) => ({ status: 200, body: { outputs: { seen: headers.authorization } } });
    expect(await executor.start(request())).toMatchObject({ outputs: { seen: 'Bearer …' } });
  });

  test.each([
    [{}, 'nobody can tell when it is done'],
    [{ location: 'http://127.0.0.1:1/operations/1' }, 'of another origin'],
    [{ 'operation-location': 'http://[' }, 'of another origin'],
  ])('of 202 that leads nowhere fails: %j', async (headers, reason) => {
    app.interfere = () => ({ status: 202, headers });
    expect(await executor.start(request())).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining(reason),
      isPassing: false,
    });
  });
});

describe('work that goes on', () => {
  test.each([
    ['azure', 3, { url: '/operations/1?v=2', isOperation: true }],
    ['skerry', 5, { url: '/operations/1', isOperation: true }],
    ['location', 5, { url: '/results/1', isOperation: false }],
  ] as const)(
    'is asked after until it succeeds (%s)',
    async (style, pollAfterSeconds, { url, isOperation }) => {
      app.style = style;
      const handle = { url: app.origin + url, isOperation };
      expect(await executor.start(request())).toEqual({
        state: 'pending',
        handle,
        pollAfterSeconds,
        log: [],
      });
      const word = { azure: 'inprogress', skerry: 'running', location: '' }[style];
      const log = word === '' ? [] : [`The operation is ${word}.`];
      const known = word === '' ? handle : { ...handle, word };
      expect(await executor.poll(request(), handle)).toMatchObject({ state: 'pending', handle: known, log });
      expect(await executor.poll(request(), known)).toMatchObject({
        state: 'pending',
        handle: known,
        log: [],
      });
      app.state = 'succeeded';
      expect(await executor.poll(request(), handle)).toEqual({
        state: 'succeeded',
        outputs: { address: '10.0.0.4' },
        log: [],
      });
    },
  );

  test.each([
    ['azure', 'failed', 'The operation failed: The disk is full.'],
    ['skerry', 'failed', 'The operation failed: The disk is full.'],
    ['azure', 'cancelled', 'The operation canceled: it does not say why.'],
    ['skerry', 'cancelled', 'The operation cancelled: it does not say why.'],
  ] as const)('is over when it fails (%s, %s)', async (style, state, reason) => {
    const handle = await startPending(style);
    app.state = state;
    expect(await executor.poll(request(), handle)).toEqual({ state: 'failed', reason, isPassing: false });
  });

  test.each(['drop', 'hang', 'half', { status: 503, headers: { 'retry-after': '60' } }] as const)(
    'is still under way when it cannot be asked after (%j)',
    async (interference) => {
      const handle = await startPending('skerry');
      const asking = interference === 'hang' ? impatient : executor;
      app.interfere = (call) => (isQuestion(call) ? interference : undefined);
      const pollAfterSeconds = typeof interference === 'object' ? 60 : 10;
      expect(await asking.poll(request(), handle)).toMatchObject({
        state: 'pending',
        handle,
        pollAfterSeconds,
      });
    },
  );

  test('is done when it is answered without a word', async () => {
    const handle = await startPending('azure');
    app.interfere = () => ({ status: 200, body: { outputs: { id: 4 } } });
    expect(await executor.poll(request(), handle)).toEqual({
      state: 'succeeded',
      outputs: { id: 4 },
      log: [],
    });
  });

  test('has failed when nobody knows of it any more', async () => {
    const handle = await startPending('skerry');
    app.interfere = () => ({ status: 404 });
    expect(await executor.poll(request(), handle)).toMatchObject({ state: 'failed', isPassing: false });
  });

  test.each(['POST', 'DELETE'] as const)('is cancelled by %s', async (method) => {
    const handle = await startPending('skerry');
    app.cancels = method;
    await executor.cancel(request(), handle);
    expect(app.state).toBe('cancelled');
    await executor.cancel(request(), handle);
  });

  test('says so when it cannot be cancelled', async () => {
    const handle = await startPending('skerry');
    app.interfere = () => ({ status: 403 });
    await expect(executor.cancel(request(), handle)).rejects.toThrow('Cancelling the operation: HTTP 403');
  });
});

describe('a look', () => {
  test('finds nothing, or what differs', async () => {
    expect(await executor.observe(request('refresh'))).toEqual({ exists: false });
    await executor.start(request());
    expect(await executor.observe(request('refresh'))).toEqual({
      exists: true,
      difference: 'The size is 2, not 3.',
    });
    expect(app.done).toHaveLength(1);
  });

  test('is refused by apps that cannot tell', async () => {
    app.interfere = () => ({ status: 405 });
    await expect(executor.observe(request('refresh'))).rejects.toThrow('GET of the resource: HTTP 405');
  });
});
