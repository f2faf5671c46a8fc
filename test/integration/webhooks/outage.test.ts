import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serviceBusEntities } from '../../../infra/local/launch/service-bus-entities.ts';
import { startServiceBusServer } from '../../../infra/local/servicebus/server.ts';
import type { Json } from '../../../shared/records/index.ts';
import { startCosmos } from '../cosmos-fixture.ts';
import { startReceiver, toldBy } from './receiver.ts';
import { eventually, startWebhooks } from './webhooks-fixture.ts';

const author = { actor: 'test' };

test('what changes while the bus is away is delivered when it is back, once', async () => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'skerry-test-'));
  const cosmos = await startCosmos();
  const config = serviceBusEntities();
  const first = await startServiceBusServer({ port: 0, dataFolder, config });
  const receiver = await startReceiver();
  const webhooks = await startWebhooks({ cosmos, serviceBus: first });
  const put = (value: Json) =>
    webhooks.records.commit<Json>(
      { ns: 'default', kind: 'app', name: '' },
      { key: '/app/dm', ...author, decide: () => ({ type: 'put', value }) },
    );
  try {
    const input = { name: 'test', key: '/app', endpoint: receiver.url };
    await webhooks.subscriptions.create('default', input, author);
    await put(1);
    await eventually(() => expect(receiver.calls).toHaveLength(1));
    await first.stop();
    await put(2);
    const second = await startServiceBusServer({ port: first.port, dataFolder, config });
    try {
      await eventually(() => expect(receiver.calls).toHaveLength(2));
      await put(3);
      await eventually(() => expect(receiver.calls).toHaveLength(3));
      expect(receiver.calls.map((call) => toldBy(call).after)).toEqual([1, 2, 3]);
    } finally {
      await webhooks.stop();
      await second.stop();
    }
  } finally {
    await receiver.stop();
    await cosmos.stop();
    await rm(dataFolder, { recursive: true, force: true });
  }
}, 60_000);
