/**
 * Stands before Azurite and keeps what is in one container as a time-based retention policy on that container does in Azure, which
 * Azurite knows nothing of. What the service's documentation says ("Container-level WORM policies for immutable blob data",
 * July 2025, and "Store business-critical blob data with immutable storage" for the blocks):
 *
 * - New blobs may be created at any time: Put Blob, and Put Block with Put Block List, as long as no blob has the name.
 * - While the retention of a blob lasts, which counts from its creation, these are refused: Put Blob over it (and with it Copy Blob and
 *   Put Blob From URL, which are Put Blob too), Put Block and Put Block List on it, Put Page, Append Block, Set Blob Metadata, Set Blob
 *   Properties, Snapshot Blob, Incremental Copy Blob and Delete Blob.
 * - Afterwards Delete Blob is allowed; all the others stay refused.
 * - What changes neither content nor user metadata is not restricted: Lease Blob, Set Blob Tier, Set Blob Tags.
 * - The data plane cannot delete a container that has a policy.
 * - The answer is 409 BlobImmutableDueToPolicy, or BlobImmutableDueToLegalHold for a legal hold, which refuses the same.
 *
 * Not documented, and here: the policy is asked before the request's own conditions, so that a Put Blob with If-None-Match `*` meets
 * BlobImmutableDueToPolicy where it would else meet BlobAlreadyExists (whoever copes with both copes with the service); and the code for
 * a container. A batch of deletes is refused as not implemented. Requests are passed on as they are: Azurite signs over the path, whatever
 * host and port it is asked at.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { BlobServiceClient, RestError } from '@azure/storage-blob';

export interface WriteOnceProxyOptions {
  /** 0 means any free port. */
  readonly port: number;
  /** The connection string of Azurite. */
  readonly azurite: string;
  /** The container that has the policy. */
  readonly container: string;
  /** How long a blob cannot be deleted, from its creation; what is in it stays for good. */
  readonly retentionMilliseconds: number;
  /** Milliseconds since the Unix epoch, as the policy sees them. */
  readonly now?: () => number;
}

export interface WriteOnceProxy {
  readonly port: number;
  stop(): Promise<void>;
}

/** Values of `comp` that neither content nor metadata depend on. */
const UNRESTRICTED = new Set(['lease', 'tier', 'tags']);
const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const IMMUTABLE: Refusal = {
  status: 409,
  code: 'BlobImmutableDueToPolicy',
  message: 'This operation is not permitted as the blob is immutable due to a policy.',
};
const NO_BATCH: Refusal = {
  status: 501,
  code: 'NotImplemented',
  message: 'The write-once proxy does not look into batches: send each request by itself.',
};

/** @throws Error when the port is taken. */
export async function startWriteOnceProxy(options: WriteOnceProxyOptions): Promise<WriteOnceProxy> {
  const { azurite, retentionMilliseconds, now = Date.now } = options;
  const service = BlobServiceClient.fromConnectionString(azurite);
  const blobs = service.getContainerClient(options.container);
  const agent = new Agent({ keepAlive: true });
  const turns = new Turns();
  const server = createServer((incoming, answer) => {
    serve(incoming, answer).catch(() => answer.destroy());
  }).listen(options.port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.close();
      server.closeAllConnections();
      agent.destroy();
      await once(server, 'close');
    },
  };

  async function serve(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = incoming;
    const { container, blob, comp } = targetOf(url, service.accountName);
    if (comp === 'batch') {
      refuse(incoming, answer, NO_BATCH);
    } else if (container !== options.container || READS.has(method) || UNRESTRICTED.has(comp)) {
      await passOn(incoming, answer);
    } else if (blob === '') {
      await (method === 'DELETE' ? refuse(incoming, answer, IMMUTABLE) : passOn(incoming, answer));
    } else if (comp === 'block') {
      // Staged blocks are nothing yet, and come several at a time.
      await passOnUnlessKept(incoming, answer, blob);
    } else {
      await turns.take(blob, () => passOnUnlessKept(incoming, answer, blob));
    }
  }

  async function passOnUnlessKept(incoming: IncomingMessage, answer: ServerResponse, blob: string) {
    const createdAt = await creationTime(blob);
    const isDeletion = incoming.method === 'DELETE';
    const isKept = createdAt !== undefined && !(isDeletion && createdAt + retentionMilliseconds <= now());
    await (isKept ? refuse(incoming, answer, IMMUTABLE) : passOn(incoming, answer));
  }

  /** Undefined where there is no such blob. */
  async function creationTime(blob: string): Promise<number | undefined> {
    try {
      return (await blobs.getBlobClient(blob).getProperties()).createdOn?.getTime();
    } catch (error) {
      if (error instanceof RestError && error.statusCode === 404) return undefined;
      throw error;
    }
  }

  async function passOn(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const outgoing = request({
      host: '127.0.0.1',
      port: new URL(service.url).port,
      agent,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.rawHeaders,
    });
    // A body that cannot be passed on ends `outgoing`, and with it the wait for its answer.
    pipeline(incoming, outgoing).catch(() => {});
    const [received] = await once(outgoing, 'response');
    const { statusCode = 502, statusMessage, rawHeaders } = received as IncomingMessage;
    answer.writeHead(statusCode, statusMessage, rawHeaders);
    await pipeline(received as IncomingMessage, answer);
  }
}

/** What a request is about: `/ACCOUNT/CONTAINER/BLOB?comp=…`, or without the account where the host names it. */
function targetOf(url: string, account: string): { container: string; blob: string; comp: string } {
  const { pathname, searchParams } = new URL(url, 'http://azurite');
  const [, ...parts] = decodeURIComponent(pathname).split('/');
  const hasAccount = parts[0] === account || parts[0] === `${account}-secondary`;
  const [container = '', ...blob] = hasAccount ? parts.slice(1) : parts;
  return { container, blob: blob.join('/'), comp: searchParams.get('comp') ?? '' };
}

function refuse(incoming: IncomingMessage, answer: ServerResponse, { status, code, message }: Refusal): void {
  const requestId = randomUUID();
  incoming.resume();
  answer
    .writeHead(status, {
      'content-type': 'application/xml',
      'x-ms-error-code': code,
      'x-ms-request-id': requestId,
      'x-ms-version': incoming.headers['x-ms-version'] ?? '',
    })
    .end(
      `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code>` +
        `<Message>${message}\nRequestId:${requestId}\nTime:${new Date().toISOString()}</Message></Error>`,
    );
}

/** Lets those who want the same blob go one after another: two writers of one name must not both find that there is none. */
class Turns {
  readonly #last = new Map<string, Promise<void>>();

  async take(blob: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.#last.get(blob) ?? Promise.resolve()).then(work);
    const over = turn.catch(() => {});
    this.#last.set(blob, over);
    await over;
    if (this.#last.get(blob) === over) this.#last.delete(blob);
    await turn;
  }
}
