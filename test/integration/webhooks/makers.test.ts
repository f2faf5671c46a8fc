import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CallerOf, Keys } from '../../../shared/platform/http/index.ts';
import type { Delivery, SubscriptionInput } from '../../../shared/webhooks/index.ts';
import { type Receiver, startReceiver, toldBy } from './receiver.ts';
import { eventually, type Servers, startServers, startWebhooks, type Webhooks } from './webhooks-fixture.ts';

let servers: Servers;
let webhooks: Webhooks;
let receiver: Receiver;
let ns: string;
let namespaces = 0;
/** Whether the maker may do anything to these keys; told how many askings came before. */
let allows: (keys: Keys, nth: number) => boolean;
let makers: string[];

const callerOf: CallerOf = async (maker) => {
  const nth = makers.push(maker.actor) - 1;
  return { maker, may: (verb, where, keys) => verb === 'read' && where === ns && allows(keys, nth) };
};

beforeAll(async () => {
  servers = await startServers();
});

afterAll(async () => {
  await servers.stop();
});

beforeEach(async () => {
  namespaces += 1;
  ns = `ns${namespaces}`;
  makers = [];
  allows = () => true;
  receiver = await startReceiver();
  webhooks = await startWebhooks(servers, { callerOf });
});

afterEach(async () => {
  await webhooks.stop();
  await receiver.stop();
});

test('a change that the maker may not read is not sent, and the log of deliveries tells so without its key; a replay asks again', async () => {
  allows = (keys) => keys !== '/kv/s/secret';
  const id = await subscribe('/kv');
  await put('secret');
  await put('open');
  const [delivery] = await deadOf(id, 1);
  expect(delivery).toMatchObject({ key: '/kv/s/secret', attempts: [] });
  expect(delivery?.reason).toContain('may not read');
  expect(delivery?.reason).not.toContain('secret');
  await eventually(() => expect(keysHeard()).toEqual(['/kv/s/open']));
  expect(new Set(makers)).toEqual(new Set(['token:tok_1']));
  expect(webhooks.alerts).toEqual([]);

  const replay = async (nth: number) => {
    const replays = [{ id: delivery?.id ?? '', replay: nth }];
    await webhooks.queue.send([{ task: 'replay', run: `r${nth}`, ns, subscription: id, replays }]);
  };
  await replay(1);
  await eventually(async () => expect(await deadOf(id, 1)).toMatchObject([{ replays: 1, attempts: [] }]));
  allows = () => true;
  await replay(2);
  await eventually(() => expect(keysHeard()).toEqual(['/kv/s/open', '/kv/s/secret']));
});

test('what the maker may no longer read when it is to be sent is not, though it was enqueued', async () => {
  allows = (_, nth) => nth === 0;
  const id = await subscribe('/kv/s');
  await put('a');
  expect(await deadOf(id, 1)).toMatchObject([{ attempts: [], reason: expect.stringContaining('may not') }]);
  expect(makers).toHaveLength(2);
  expect(receiver.calls).toEqual([]);
});

test('what failed is not tried again where the maker may not read it meanwhile, and who replaces the subscription is its maker', async () => {
  const id = await subscribe('/kv/s');
  receiver.answer = () => {
    allows = () => false;
    return 500;
  };
  await put('a');
  const [delivery] = await deadOf(id, 1);
  expect(delivery?.attempts).toHaveLength(1);
  expect(receiver.calls).toHaveLength(1);

  receiver.answer = () => 200;
  allows = (_, nth) => makers[nth] === 'token:tok_2';
  const replaced = await webhooks.subscriptions.replace(ns, id, inputOf('/kv/s'), {
    actor: 'token:tok_2',
    roles: ['viewer'],
  });
  expect(replaced.maker).toEqual({ actor: 'token:tok_2', roles: ['viewer'] });
  await put('b');
  await eventually(() => expect(keysHeard()).toEqual(['/kv/s/a', '/kv/s/b']));
});

test('in an order, what the maker may not read is left out, and what comes after it is told', async () => {
  receiver.answer = () => {
    allows = () => false;
    return 200;
  };
  const id = await subscribe('/kv/s', { ordered: true });
  for (const name of ['a', 'b', 'c']) await put(name);
  const dead = await deadOf(id, 2);
  expect(dead.map(({ key }) => key).sort()).toEqual(['/kv/s/b', '/kv/s/c']);
  allows = () => true;
  await put('d');
  await eventually(() => expect(keysHeard()).toEqual(['/kv/s/a', '/kv/s/d']));
});

async function subscribe(key: string, more: Partial<SubscriptionInput> = {}): Promise<string> {
  const author = { actor: 'token:tok_1' };
  return (await webhooks.subscriptions.create(ns, { ...inputOf(key), ...more }, author)).id;
}

function inputOf(key: string): SubscriptionInput {
  return { name: 'test', key, endpoint: receiver.url };
}

async function put(name: string): Promise<void> {
  await webhooks.records.commit(
    { ns, kind: 'kv', name: 's' },
    { key: `/kv/s/${name}`, actor: 'test', decide: () => ({ type: 'put', value: name }) },
  );
}

async function deadOf(id: string, count: number): Promise<readonly Delivery[]> {
  return await eventually(async () => {
    const { deliveries } = await webhooks.deliveries.list(ns, id, { limit: 10, state: 'dead' });
    expect(deliveries).toHaveLength(count);
    return deliveries;
  });
}

function keysHeard(): string[] {
  return receiver.calls.map((call) => toldBy(call).key);
}
