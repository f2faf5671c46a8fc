import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Drain } from './host.ts';
import { writeStatus } from './http-response.ts';

const HOST_VERSION = '4.34.0';

export interface AdminEndpointsOptions {
  /**
   * Runs a function that is not triggered by HTTP, in the background; false if there is none of that name.
   */
  readonly fire: (functionName: string, input: string) => boolean;
  readonly drain: Drain;
}

/** The few of the host's own endpoints that tools and tests use; this host has no keys, so they are open. */
export class AdminEndpoints {
  readonly #fire: AdminEndpointsOptions['fire'];
  readonly #drain: Drain;
  readonly #id = randomUUID();

  constructor({ fire, drain }: AdminEndpointsOptions) {
    this.#fire = fire;
    this.#drain = drain;
  }

  answer(request: IncomingMessage, response: ServerResponse, path: string): void {
    const { method } = request;
    const functionName = /^\/admin\/functions\/([^/]+)$/i.exec(path)?.[1];
    if (functionName !== undefined && method === 'POST') {
      void this.#answerFire(request, response, functionName);
      return;
    }
    request.resume();
    if (/^\/admin\/host\/ping$/i.test(path) && (method === 'GET' || method === 'POST'))
      writeStatus(response, 200);
    else if (/^\/admin\/host\/status$/i.test(path) && method === 'GET') this.#answerStatus(response);
    else if (/^\/admin\/host\/drain$/i.test(path) && method === 'POST')
      void this.#drain.start().then(() => writeStatus(response, 202));
    else if (/^\/admin\/host\/drain\/status$/i.test(path) && method === 'GET')
      void this.#drain.status().then((status) => writeJson(response, status));
    else writeStatus(response, 404);
  }

  #answerStatus(response: ServerResponse): void {
    const status = {
      id: this.#id,
      state: 'Running',
      version: HOST_VERSION,
      versionDetails: HOST_VERSION,
      processUptime: Math.round(process.uptime() * 1000),
      functionAppContentEditingState: 'NotAllowed',
    };
    writeJson(response, status);
  }

  async #answerFire(request: IncomingMessage, response: ServerResponse, functionName: string): Promise<void> {
    let input: unknown;
    try {
      const body = await text(request);
      input = body === '' ? '' : (JSON.parse(body) as { input?: unknown } | null)?.input;
    } catch {
      return writeStatus(response, 400);
    }
    const found = this.#fire(functionName, typeof input === 'string' ? input : '');
    writeStatus(response, found ? 202 : 404);
  }
}

function writeJson(response: ServerResponse, value: object): void {
  const body = JSON.stringify(value);
  response
    .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    .end(body);
}
