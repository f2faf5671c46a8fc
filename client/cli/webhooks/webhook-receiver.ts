import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { verifyWebhook } from '../../webhooks/verify-webhook.ts';
import { contentAsJson } from '../show-content.ts';

/** More than Skerry sends: two values of 256 KiB, as JSON. */
const MOST_BYTES = 4 * 1024 * 1024;

/** A request that came. */
export interface ReceivedWebhook {
  /** `webhook-id`. */
  readonly delivery: string | undefined;
  readonly isVerified: boolean;
  /** Why it is not verified. */
  readonly reason?: string;
  /** The event of what is verified, else the body as JSON, or as the text that it is. */
  readonly event: unknown;
  readonly body: Buffer;
}

export interface WebhookReceiverOptions {
  /** 0 takes any that is free. */
  readonly port: number;
  /** Waited for before the first webhook is looked at; none where webhooks are taken without being verified. */
  readonly secrets: Promise<readonly string[]>;
  /** @returns the status to answer with. */
  onWebhook(webhook: ReceivedWebhook): Promise<number>;
  /** Told who asked whether it may send webhooks; it may. */
  onConsent(origin: string): void;
}

export interface WebhookReceiver {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Takes webhooks on the loopback interface, and grants whoever asks by the handshake of CloudEvents (HTTP 1.1 Web Hooks, section 4).
 *
 * @throws Error where the port is taken.
 */
export async function startWebhookReceiver(options: WebhookReceiverOptions): Promise<WebhookReceiver> {
  const server = createServer((request, response) => {
    // A request that was cut off has nobody to be answered.
    answer(request, response, options).catch(() => response.destroy());
  });
  server.listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { secrets, onWebhook, onConsent }: WebhookReceiverOptions,
): Promise<void> {
  const { method, headers } = request;
  const origin = headers['webhook-request-origin'];
  if (method === 'OPTIONS' && typeof origin === 'string') {
    response.setHeader('webhook-allowed-origin', origin).setHeader('webhook-allowed-rate', '*');
    onConsent(origin);
  }
  if (method !== 'POST') {
    response
      .setHeader('allow', 'OPTIONS, POST')
      .writeHead(method === 'OPTIONS' ? 200 : 405)
      .end();
    return;
  }
  const body = await readBody(request);
  if (body === undefined) {
    response.writeHead(413, { connection: 'close' }).end();
    return;
  }
  const webhook = await verify(body, headers, await secrets);
  response.writeHead(await onWebhook(webhook)).end();
}

async function verify(
  body: Buffer,
  headers: IncomingMessage['headers'],
  secrets: readonly string[],
): Promise<ReceivedWebhook> {
  const id = headers['webhook-id'];
  const webhook = { delivery: typeof id === 'string' ? id : undefined, body };
  if (secrets.length === 0) {
    return { ...webhook, isVerified: false, reason: 'no secret is known', event: parse(body) };
  }
  try {
    const event = await verifyWebhook({ payload: body, headers, secrets });
    const { before, after } = event.data;
    const data = { ...event.data, before: contentAsJson(before), after: contentAsJson(after) };
    return { ...webhook, isVerified: true, event: { ...event, data } };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { ...webhook, isVerified: false, reason, event: parse(body) };
  }
}

/** @returns undefined where it is too long. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parse(body: Buffer): unknown {
  const text = body.toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
