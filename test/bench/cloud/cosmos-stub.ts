/**
 * A floor for the Cosmos DB emulator: `node cosmos-stub.ts CONNECTION_STRING_OF_EMULATOR`. A request of a kind that it has not
 * seen is passed to the emulator; to every further one of that kind the same bytes are answered at once. Sealed, it
 * refuses what it does not know.
 */
import { createServer, type IncomingMessage, request as sendRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { reportToBench } from './report-to-bench.ts';

interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer;
}

/** With the method and the path, what tells the kinds of requests apart. Ids, entity tags of writes and bodies do not. */
const TELLING_HEADERS = [
  'a-im',
  'if-none-match',
  'x-ms-continuation',
  'x-ms-cosmos-is-batch-request',
  'x-ms-cosmos-is-query-plan-request',
  'x-ms-documentdb-is-upsert',
  'x-ms-documentdb-isquery',
  'x-ms-documentdb-partitionkeyrangeid',
  'x-ms-end-epk',
  'x-ms-max-item-count',
  'x-ms-start-epk',
];
/** What the server itself writes. */
const OWN_HEADERS = new Set(['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding']);

const [connectionString = ''] = process.argv.slice(2);
const emulator = /AccountEndpoint=([^;]*?)\/?;/.exec(connectionString)?.[1] ?? '';
const answers = new Map<string, Answer>();
let isSealed = false;
process.on('message', (message) => {
  isSealed ||= message === 'seal';
});

const server = createServer({ noDelay: true, keepAliveTimeout: 120_000 }, (request, response) => {
  const kind = kindOf(request);
  const known = answers.get(kind);
  if (known !== undefined) {
    request.resume().once('end', () => {
      response.writeHead(known.status, [...known.headers]);
      response.end(known.body);
    });
  } else if (isSealed) {
    response.writeHead(500).end(JSON.stringify({ code: 'Unknown', message: `Not seen before: ${kind}` }));
  } else {
    void askEmulator(request).then((answer) => {
      answers.set(kind, answer);
      response.writeHead(answer.status, [...answer.headers]);
      response.end(answer.body);
    });
  }
});
server.listen(0, '127.0.0.1', () => {
  reportToBench(connectionString.replace(emulator, ownAddress()));
});

function kindOf({ method, url = '', headers }: IncomingMessage): string {
  const telling = TELLING_HEADERS.map((name) => headers[name] ?? '');
  return [method, url.replace(/\/docs\/[^/]+$/, '/docs/*'), ...telling].join(' ');
}

async function askEmulator(request: IncomingMessage): Promise<Answer> {
  const { method, url, headers } = request;
  const body = await buffer(request);
  const reply = await new Promise<IncomingMessage>((resolve, reject) => {
    sendRequest(`${emulator}${url}`, { method, headers }, resolve).once('error', reject).end(body);
  });
  // The account names its own address, which the SDK would use from then on.
  const text = (await buffer(reply)).toString().replaceAll(emulator, ownAddress());
  const answered = Buffer.from(text);
  const hasBody = reply.headers['content-length'] !== undefined;
  return {
    status: reply.statusCode ?? 500,
    headers: [
      ...Object.entries(reply.headers)
        .filter(([name]) => !OWN_HEADERS.has(name))
        .flatMap(([name, value]) => [name, String(value)]),
      ...(hasBody ? ['content-length', String(answered.length)] : []),
    ],
    body: answered,
  };
}

function ownAddress(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
