import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { HttpStream } from '../../../infra/local/host/http-stream.ts';
import type { Invoker } from '../../../infra/local/host/invocation.ts';
import { Log } from '../../../infra/local/host/log.ts';
import type { RouteMatch } from '../../../infra/local/host/router.ts';

type Answer = (response: ServerResponse) => Promise<void>;

/** Serves one function that does what `invoke` does with the response, when its turn comes. */
async function serve(
  invoke: Answer,
  activityTimeout: number,
  turn: (response: ServerResponse) => Promise<unknown> = async () => {},
) {
  const library = new EventEmitter();
  const responses = new Map<string, ServerResponse>();
  library.on('request', ({ headers }: IncomingMessage, response: ServerResponse) => {
    responses.set(String(headers['x-ms-invocation-id']), response);
  });
  const forgotten: string[] = [];
  const answered: ServerResponse[] = [];
  const invoker = {
    invoke: (_: unknown, { invocationId }: { invocationId: string }) =>
      invoke(responses.get(invocationId) as ServerResponse),
    forgetRequest: async (_: unknown, invocationId: string) => void forgotten.push(invocationId),
  } as unknown as Invoker;
  const log = new Log({}, () => {});
  const stream = new HttpStream({ server: library, invoker, log, strict: true, activityTimeout });
  const match = { definition: { name: 'f' }, values: {} } as unknown as RouteMatch;
  const server = createServer((request, response) => {
    void turn(response)
      .then(() => stream.answer({ request, response, target: { path: '/', query: '' } }, match))
      .then(() => answered.push(response));
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forgotten,
    answered,
    responses,
  };
}

it('a request that is not answered in time is answered with 504, and forgotten', async () => {
  const { url, forgotten, responses } = await serve(async () => {}, 20);
  expect((await fetch(url)).status).toBe(504);
  expect(forgotten).toEqual([...responses.keys()]);
});

it('an answer in which nothing is sent for too long is broken off', async () => {
  const { url } = await serve(async (response) => {
    response.write('begun');
    await new Promise(() => {});
  }, 20);
  await expect((await fetch(url)).text()).rejects.toThrow();
});

it('a request whose client has gone before its turn comes runs nothing, and holds nothing up', async () => {
  let invoked = false;
  const arrived = Promise.withResolvers<ServerResponse>();
  const { url, answered } = await serve(
    async () => {
      invoked = true;
    },
    1000,
    (response) => {
      arrived.resolve(response);
      return once(response, 'close');
    },
  );
  const gone = new AbortController();
  const fetched = fetch(url, { signal: gone.signal });
  await arrived.promise;
  gone.abort();
  await expect(fetched).rejects.toThrow();
  await vi.waitFor(() => expect(answered).toHaveLength(1), 45_000);
  expect(invoked).toBe(false);
});
