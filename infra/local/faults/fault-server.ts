import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

/** The rules that are controlled; `replace` throws an error that says what is wrong with the rules. */
interface ControlledRules {
  replace(body: unknown): void;
  clear(): void;
  describe(): object;
}

export interface FaultServer {
  /** The control endpoint, which takes GET, PUT and DELETE. */
  readonly url: string;
  close(): Promise<void>;
}

/** Where every emulator answers what it is asked of its faults. */
export const FAULTS_PATH = '/_skerry/faults';
export const METHOD_REFUSAL = 'Faults take GET, PUT and DELETE.';

/**
 * Does what a request of the control endpoint asks, and describes the rules that stand then; undefined for a method
 * that it does not take.
 *
 * @throws what the rules refuse a body with.
 */
export function controlFaults(
  rules: ControlledRules,
  method: string | undefined,
  readBody: () => unknown,
): object | undefined {
  if (method === 'PUT') rules.replace(readBody());
  else if (method === 'DELETE') rules.clear();
  else if (method !== 'GET') return undefined;
  return rules.describe();
}

/**
 * Serves the control endpoint of an emulator that speaks no HTTP itself.
 * @throws Error with `code` EADDRINUSE when the port is taken; 0 takes any free one
 */
export async function startFaultServer(
  rules: ControlledRules,
  port: number,
  host: string,
): Promise<FaultServer> {
  const server = createServer((request, response) => void answer(rules, request, response));
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  const actualPort = typeof address === 'object' && address !== null ? address.port : port;
  return {
    url: `http://${host}:${actualPort}${FAULTS_PATH}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  rules: ControlledRules,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [status, body] = reply(rules, request.method, request.url, await text(request).catch(() => ''));
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function reply(
  rules: ControlledRules,
  method: string | undefined,
  url: string | undefined,
  body: string,
): [number, object] {
  if (url !== FAULTS_PATH) return [404, { message: `Faults are at ${FAULTS_PATH}.` }];
  try {
    const described = controlFaults(rules, method, () => JSON.parse(body));
    return described === undefined ? [405, { message: METHOD_REFUSAL }] : [200, described];
  } catch (error) {
    return [400, { message: error instanceof Error ? error.message : String(error) }];
  }
}
