import { randomUUID } from 'node:crypto';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeLoopbackCertificate } from '../../../infra/local/identity/loopback-certificate.ts';
import { startTlsFront, type TlsFront } from '../../../infra/local/identity/tls-front.ts';
import { serviceBusEntities } from '../../../infra/local/launch/service-bus-entities.ts';
import { type ServiceBusServer, startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import { askCosmos } from '../../../shared/platform/ask-cosmos.ts';
import { openDatabase } from '../../../shared/platform/cosmos.ts';
import { askServiceBus, connectServiceBus } from '../../../shared/platform/servicebus.ts';
import { type CosmosFixture, startCosmos } from '../cosmos-fixture.ts';
import { type FakeIdentity, fakeIdentity } from './fake-identity.ts';

let identity: FakeIdentity;
let cosmos: CosmosFixture;
let strict: CosmosFixture;
let serviceBus: ServiceBusServer;
let front: TlsFront;

beforeAll(async () => {
  const checkFor = (resource: string) => (token: string) =>
    token === `token-for ${resource}` ? Date.now() + 3_600_000 : undefined;
  const certificate = makeLoopbackCertificate(Date.now());
  setDefaultCACertificates([...getCACertificates('default'), certificate.certificate]);
  [identity, cosmos, strict, serviceBus] = await Promise.all([
    fakeIdentity(),
    startCosmos({ checkToken: checkFor('https://cosmos.azure.com') }),
    startCosmos(),
    startServiceBusServer({
      port: 0,
      config: serviceBusEntities(),
      checkToken: checkFor('https://servicebus.azure.net/'),
    }),
  ]);
  front = await startTlsFront(serviceBus.port, certificate);
});

afterAll(async () => {
  await Promise.all([front?.stop(), cosmos?.stop(), strict?.stop(), serviceBus?.stop()]);
  identity?.stop();
});

it('reaches Cosmos DB by tokens; while none can be had the database is unavailable, and then it is not', async () => {
  const { endpoint } = cosmos.server;
  const database = openDatabase({ endpoint, clientId: randomUUID() });
  const container = database.container('records');
  identity.status = 500;
  await expect(askCosmos(() => container.read())).rejects.toMatchObject({ kind: 'unavailable', headers: {} });
  identity.status = 200;
  expect((await askCosmos(() => container.read())).statusCode).toBe(200);
  database.client.dispose();
});

it('is refused by an emulator that was not told to take tokens', async () => {
  const database = openDatabase({ endpoint: strict.server.endpoint, clientId: randomUUID() });
  await expect(database.container('records').read()).rejects.toMatchObject({ code: 401 });
  database.client.dispose();
});

it('reaches Service Bus by tokens; while none can be had it is unavailable, and then it is not', async () => {
  const client = await connectServiceBus({ endpoint: `127.0.0.1:${front.port}`, clientId: randomUUID() });
  const send = () =>
    askServiceBus(() => client.createSender('deliveries').sendMessages({ body: 1, messageId: 'one' }));
  identity.status = 500;
  await expect(send()).rejects.toMatchObject({ kind: 'unavailable' });
  identity.status = 200;
  await send();
  const receiver = client.createReceiver('deliveries');
  expect((await receiver.peekMessages(1)).map(({ messageId }) => messageId)).toEqual(['one']);
  await client.close();
});
