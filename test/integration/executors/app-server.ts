import { Webhook } from 'standardwebhooks';
import { type ApiAnswer, type ApiCall, type ApiServer, startApiServer } from './api-server.ts';

/** How an app tells that work goes on: at once, by an operation of Azure's form, by one of Skerry's, or by a place for the result. */
export type AppStyle = 'at-once' | 'azure' | 'skerry' | 'location';

export interface App extends ApiServer {
  readonly url: string;
  readonly secret: string;
  style: AppStyle;
  /** The commands that were done, each once for its idempotency key. */
  readonly done: unknown[];
  /** Of the operations: `running` until it is said otherwise. */
  state: 'running' | 'succeeded' | 'failed' | 'cancelled';
  /** Whether operations are cancelled by POST, or by DELETE alone. */
  cancels: 'POST' | 'DELETE';
}

const SECRET = `whsec_${Buffer.from('a secret of the app, 32 bytes ..').toString('base64')}`;

const AZURE = { running: 'InProgress', succeeded: 'Succeeded', failed: 'Failed', cancelled: 'Canceled' };

/** An app that takes commands as signed events, and minds their idempotency keys. */
export async function startApp(): Promise<App> {
  const answers = new Map<string, { readonly text: string; readonly answer: ApiAnswer }>();

  function command(call: ApiCall): ApiAnswer {
    try {
      new Webhook(SECRET).verify(call.text, call.headers as Record<string, string>);
    } catch {
      return { status: 401, body: { title: 'Unauthorized', detail: 'The signature does not fit.' } };
    }
    const key = String(call.headers['idempotency-key']);
    const known = answers.get(key);
    if (known !== undefined) {
      return known.text === call.text
        ? known.answer
        : { status: 422, body: { detail: 'The key is of another request.' } };
    }
    const { data } = call.body as { readonly data: unknown };
    app.done.push(data);
    const answer = firstAnswer();
    answers.set(key, { text: call.text, answer });
    return answer;
  }

  function firstAnswer(): ApiAnswer {
    switch (app.style) {
      case 'at-once':
        return { status: 200, body: { outputs: { address: '10.0.0.4' } } };
      case 'azure':
        return {
          status: 201,
          headers: { 'azure-asyncoperation': `${app.origin}/operations/1?v=2`, 'retry-after': '3' },
        };
      case 'skerry':
        return { status: 202, headers: { 'operation-location': '/operations/1' }, body: { state: 'queued' } };
      case 'location':
        return { status: 202, headers: { location: '/results/1' } };
    }
  }

  function operation(): ApiAnswer {
    const outputs = app.state === 'succeeded' ? { outputs: { address: '10.0.0.4' } } : {};
    const reason = app.state === 'failed' ? 'The disk is full.' : undefined;
    if (app.style === 'location') {
      return app.state === 'running'
        ? { status: 202 }
        : { status: 200, body: { status: 'active', ...outputs } };
    }
    return app.style === 'azure'
      ? {
          status: 200,
          body: { status: AZURE[app.state], ...outputs, error: { code: 'DiskFull', message: reason } },
        }
      : {
          status: 200,
          headers: { 'retry-after': '1' },
          body: { state: app.state, ...outputs, error: { reason } },
        };
  }

  function cancel(method: App['cancels']): ApiAnswer {
    if (app.cancels !== method) {
      return { status: 405, headers: { allow: app.cancels } };
    }
    if (app.state !== 'running') {
      return { status: 409, body: { detail: 'The operation is over.' } };
    }
    app.state = 'cancelled';
    return { status: 202 };
  }

  const server = await startApiServer((call) => {
    const { pathname, searchParams } = call.url;
    switch (`${call.method} ${pathname}`) {
      case 'POST /hook':
        return command(call);
      case 'GET /hook':
        return app.done.length === 0 || searchParams.get('resource') !== 'shop.db'
          ? { status: 404 }
          : { status: 200, body: { exists: true, difference: 'The size is 2, not 3.' } };
      case 'GET /operations/1':
      case 'GET /results/1':
        return operation();
      case 'POST /operations/1/cancel':
        return cancel('POST');
      case 'DELETE /operations/1':
        return cancel('DELETE');
      default:
        return { status: 404 };
    }
  });
  const app: App = Object.assign(server, {
    url: `${server.origin}/hook`,
    secret: SECRET,
    style: 'at-once' as AppStyle,
    done: [],
    state: 'running' as const,
    cancels: 'POST' as const,
  });
  return app;
}
