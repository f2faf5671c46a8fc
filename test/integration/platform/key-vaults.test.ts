import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDefaultHttpClient } from '@azure/core-rest-pipeline';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { azureCredential } from '../../../shared/platform/identity.ts';
import { KeyVaults } from '../../../shared/platform/key-vaults.ts';
import { type FakeIdentity, fakeIdentity } from './fake-identity.ts';

const CLIENT_ID = '5c5f8a0e-0000-4000-8000-0000000000ff';
const VERSION = '0123456789abcdef0123456789abcdef';

/** Answers for a vault, after its challenge. */
type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let identity: FakeIdentity;
let requests: { host: string | undefined; path: string; authorization: string | undefined }[] = [];
let answer: Answer;
let now = 0;
const server = createServer((request, response) => {
  const { host, authorization } = request.headers;
  const path = request.url?.split('?', 1)[0] ?? '';
  requests.push({ host, path, authorization });
  if (authorization === undefined) {
    const cloud = host?.slice(host.indexOf('.') + 1);
    const challenge = `Bearer authorization="https://login.example/tenant", resource="https://${cloud}"`;
    response.writeHead(401, { 'www-authenticate': challenge }).end();
  } else {
    answer(request, response);
  }
});

const withValue: (value: string) => Answer = (value) => (_, response) => {
  json(response, 200, { value, id: `https://skerry.vault.azure.net/secrets/db/${VERSION}`, attributes: {} });
};

beforeAll(async () => {
  identity = await fakeIdentity();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterAll(() => {
  identity?.stop();
  server.close();
  server.closeAllConnections();
});

beforeEach(() => {
  requests = [];
  answer = withValue('hunter2');
});

function json(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** The real SDK, whose requests to any host of https are sent to the vault of this test. */
function openVaults(vaults = ['skerry', 'payments.vault.azure.cn']): KeyVaults {
  const network = createDefaultHttpClient();
  const port = (server.address() as AddressInfo).port;
  return new KeyVaults({
    vaults,
    credential: azureCredential({ clientId: CLIENT_ID }),
    clock: { now: () => now, sleep: async () => undefined },
    httpClient: {
      async sendRequest(request) {
        const url = new URL(request.url);
        request.headers.set('Host', url.host);
        const sent = { url: request.url, isHttpAllowed: request.allowInsecureConnection };
        Object.assign(request, { url: `http://127.0.0.1:${port}${url.pathname}${url.search}` });
        request.allowInsecureConnection = true;
        try {
          return await network.sendRequest(request);
        } finally {
          Object.assign(request, { url: sent.url, allowInsecureConnection: sent.isHttpAllowed });
        }
      },
    },
  });
}

test('a secret is read as the managed identity, once a minute, whoever asks', async () => {
  const vaults = openVaults();
  const reads = await Promise.all([
    vaults.read({ vault: 'skerry', name: 'db' }),
    vaults.read({ vault: 'Skerry', name: 'DB' }),
  ]);
  expect(reads).toEqual(['hunter2', 'hunter2']);
  expect(identity.asked).toEqual([{ resource: 'https://vault.azure.net', clientId: CLIENT_ID }]);
  expect(requests).toEqual([
    { host: 'skerry.vault.azure.net', path: '/secrets/db/', authorization: undefined },
    {
      host: 'skerry.vault.azure.net',
      path: '/secrets/db/',
      authorization: 'Bearer token-for https://vault.azure.net',
    },
  ]);
  answer = withValue('changed');
  now += 59_999;
  expect(await vaults.read({ vault: 'skerry', name: 'db' })).toBe('hunter2');
  now += 1;
  expect(await vaults.read({ vault: 'skerry', name: 'db' })).toBe('changed');
  expect(await vaults.read({ vault: 'skerry', name: 'db', version: VERSION })).toBe('changed');
  expect(requests.slice(2).map(({ path }) => path)).toEqual(['/secrets/db/', `/secrets/db/${VERSION}`]);
});

test('no more than eight are read at a time, and one that fails is asked for again', async () => {
  const vaults = openVaults();
  await vaults.read({ vault: 'skerry', name: 'first' });
  let [busy, most] = [0, 0];
  answer = (request, response) => {
    busy += 1;
    most = Math.max(most, busy);
    setImmediate(() => {
      busy -= 1;
      if (request.url?.startsWith('/secrets/s7/')) json(response, 404, { error: { code: 'SecretNotFound' } });
      else withValue('v')(request, response);
    });
  };
  const names = Array.from({ length: 40 }, (_, index) => `s${index}`);
  const read = (name: string) => vaults.read({ vault: 'skerry', name });
  const outcomes = await Promise.allSettled(names.map(read));
  expect(outcomes.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
  expect(most).toBeLessThanOrEqual(8);
  answer = withValue('now there');
  expect(await read('s7')).toBe('now there');
});

test('a vault that is not named is not asked', async () => {
  for (const vault of ['other', 'skerry.example', 'skerry-']) {
    await expect(openVaults().read({ vault, name: 'db' })).rejects.toMatchObject({
      kind: 'unprocessable',
      fix: expect.stringContaining('SKERRY_KEYVAULTS'),
    });
  }
  expect(requests).toEqual([]);
});

test.each([
  ['is not there', 404, { error: { code: 'SecretNotFound', message: 'hunter2' } }, 'unprocessable'],
  [
    'is disabled',
    403,
    { error: { code: 'Forbidden', message: 'hunter2', innererror: { code: 'SecretDisabled' } } },
    'unprocessable',
  ],
  ['is not for us', 403, { error: { code: 'Forbidden', message: 'hunter2' } }, 'unavailable'],
  ['comes with an error', 500, { error: { code: 'InternalError', message: 'hunter2' } }, 'unavailable'],
])('a secret that %s is refused without any value', async (_, status, body, kind) => {
  answer = (__, response) => json(response, status, body);
  const fault = await faultOf(openVaults());
  expect(fault).toMatchObject({ kind });
  expectNoValue(fault);
  expect(requests.length).toBeLessThanOrEqual(4);
});

test('an answer that breaks off is refused without what there was of it', async () => {
  answer = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"value": "hunter2');
  };
  const fault = await faultOf(openVaults());
  expect(fault).toMatchObject({ kind: 'unavailable' });
  expectNoValue(fault);
});

test('a vault of another cloud that throttles is asked again, a few times', async () => {
  answer = (_, response) => {
    answer = withValue('hunter2');
    json(response, 429, { error: { code: 'Throttled' } }, { 'retry-after': '0' });
  };
  expect(await openVaults().read({ vault: 'payments', name: 'db' })).toBe('hunter2');
  expect(requests.at(-1)?.host).toBe('payments.vault.azure.cn');
});

async function faultOf(vaults: KeyVaults): Promise<unknown> {
  return await vaults.read({ vault: 'skerry', name: 'db' }).then(
    () => expect.unreachable('It was read.'),
    (error: unknown) => error,
  );
}

function expectNoValue(fault: unknown): void {
  for (let part = fault; part instanceof Error; part = part.cause) {
    expect(`${part.stack} ${JSON.stringify(part)}`).not.toContain('hunter2');
  }
}
