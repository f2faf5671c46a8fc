import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { bundleScope, channelKey } from '../../../shared/bundles/bundle.ts';
import type { ChannelValue, Gates } from '../../../shared/bundles/channels/channel.ts';
import { versionOfChannel } from '../../../shared/bundles/channels/channel.ts';
import { Actor } from '../interleaving.ts';
import {
  AUTHOR,
  type ChannelsFixture,
  NS,
  type Process,
  PUT,
  putVersion,
  startChannels,
} from './channels-fixture.ts';

const TWO_STEPS = {
  steps: [
    { percent: 10, bake: 60 },
    { percent: 50, bake: 120 },
  ],
  maxFailures: 2,
};

let fixture: ChannelsFixture;
let app: Process;

beforeAll(async () => {
  fixture = await startChannels();
  app = fixture.openProcess();
});

afterAll(async () => {
  await fixture?.stop();
});

beforeEach(() => {
  fixture.files.clear();
  fixture.webhook.calls.length = 0;
  fixture.webhook.answer = { status: 204, body: '' };
});

function prod(name: string) {
  return { ns: NS, name, channel: 'prod' };
}

/** A bundle whose channel `prod` stands for version 1 and rolls version 2 out. */
async function rollingBundle(strategy = TWO_STEPS): Promise<string> {
  const name = await fixture.newBundle(3);
  await app.channels.put(prod(name), { version: '1' }, PUT);
  await app.channels.put(prod(name), { version: '2', strategy }, PUT);
  return name;
}

async function failuresOf(name: string, version: string, gates?: Gates): Promise<unknown> {
  const put = app.channels.put(prod(name), { version, gates }, PUT);
  return await put.then(
    () => [],
    (error: { kind: string; extensions: { failures: unknown } }) => {
      expect(error).toMatchObject({ kind: 'unprocessable', field: 'version', fix: expect.any(String) });
      return error.extensions.failures;
    },
  );
}

describe('a channel', () => {
  it('stands for a version from the first write on, whatever the strategy', async () => {
    const name = await fixture.newBundle(2);
    const put = await app.channels.put(prod(name), { version: '1', strategy: TWO_STEPS }, PUT);
    expect(put).toMatchObject({ channel: { channel: 'prod', version: 1 }, created: true });
    expect(put.channel).not.toHaveProperty('rollout');
    const { channel, created } = await app.channels.put(prod(name), { version: '2' }, PUT);
    expect({ channel, created }).toMatchObject({ channel: { version: 2, previous: 1 }, created: false });
    expect(await app.channels.get(prod(name))).toEqual(channel);
    expect((await app.channels.list(NS, name)).items).toEqual([channel]);
    expect(await fixture.changesOf(name)).toHaveLength(4);
    const again = await app.channels.put(prod(name), { version: '2' }, PUT);
    expect(again.channel.revision).toBe(channel.revision);
  });

  it('stands for no version that is not there, or was taken away meanwhile', async () => {
    const name = await fixture.newBundle(1);
    const put = (version: string) => app.channels.put(prod(name), { version }, PUT);
    await expect(put('2')).rejects.toMatchObject({ kind: 'not-found' });
    await putVersion(app.records, name, 2, { removedAt: '2030-01-01T00:00:00Z' });
    await expect(put('2')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(app.channels.get(prod(name))).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('is written as its precondition says, and removed', async () => {
    const name = await fixture.newBundle(2);
    const { channel } = await app.channels.put(
      prod(name),
      { version: '1' },
      { ...PUT, precondition: { ifNoneMatch: '*' } },
    );
    const stale = { ...PUT, precondition: { ifMatch: ['"1"'] } };
    await expect(app.channels.put(prod(name), { version: '2' }, stale)).rejects.toMatchObject({
      kind: 'precondition-failed',
    });
    await expect(app.channels.delete(prod(name), stale)).rejects.toMatchObject({
      kind: 'precondition-failed',
    });
    const current = { ...PUT, precondition: { ifMatch: [`"${channel.revision}"`] } };
    await app.channels.delete(prod(name), current);
    await expect(app.channels.delete(prod(name), PUT)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('is one of 32 at most', async () => {
    const name = await fixture.newBundle(1);
    const put = (channel: string) => app.channels.put({ ns: NS, name, channel }, { version: '1' }, PUT);
    const keys = Array.from({ length: 32 }, (_, index) => channelKey(name, `c${index}`));
    await app.records.transact<ChannelValue>(bundleScope(NS, name), {
      keys,
      ...AUTHOR,
      decide: () => ({
        writes: keys.map((key) => ({ key, decision: { type: 'put', value: { version: 1 } } })),
      }),
    });
    await expect(put('c32')).rejects.toMatchObject({ kind: 'unprocessable' });
    await expect(put('c31')).resolves.toMatchObject({ created: false });
  });
});

describe('gates', () => {
  const gates: Gates = {
    required: ['envoy.yaml', 'a.json'],
    schemas: {
      'a.json': { type: 'object', required: ['port'] },
      'envoy.yaml': { properties: { admin: { type: 'object' } } },
      'absent.json': false,
    },
    webhook: 'https://gate.example/check',
  };

  it('are all asked, and all that fail are told', async () => {
    const name = await fixture.newBundle(2);
    fixture.files.set('a.json', '{}');
    fixture.webhook.answer = { status: 200, body: '{"valid": false, "reason": "no port"}' };
    expect(await failuresOf(name, '2', gates)).toEqual([
      { gate: 'required', path: 'envoy.yaml', reason: expect.any(String) },
      { gate: 'schema', path: 'a.json', reason: expect.stringContaining('/port') },
      { gate: 'webhook', reason: 'no port' },
    ]);
    expect(fixture.webhook.calls).toEqual([
      {
        endpoint: 'https://gate.example/check',
        body: {
          bundle: name,
          ns: NS,
          channel: 'prod',
          version: 2,
          digest: 'sha256:2',
          files: 2,
          url: `https://skerry.test/api/v1/bundles/${name}/versions/2`,
        },
      },
    ]);
    await expect(app.channels.get(prod(name))).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('stay until others are given, and are asked before a rollout, but not for what the channel stands for', async () => {
    const name = await fixture.newBundle(2);
    fixture.files.set('a.json', '{"port": 1}').set('envoy.yaml', 'admin: {port: 1}');
    expect(await failuresOf(name, '1', gates)).toEqual([]);
    fixture.webhook.answer = { error: 'No answer within 15 s.' };
    const roll = () => app.channels.put(prod(name), { version: '2', strategy: TWO_STEPS }, PUT);
    await expect(roll()).rejects.toMatchObject({
      kind: 'unprocessable',
      extensions: { failures: [{ gate: 'webhook', reason: expect.stringContaining('did not answer') }] },
    });
    fixture.webhook.answer = { status: 200, body: '', isCut: true };
    await expect(roll()).rejects.toMatchObject({
      extensions: { failures: [{ gate: 'webhook', reason: expect.stringContaining('broke off') }] },
    });
    fixture.webhook.answer = { status: 200, body: '{"valid": true}' };
    await roll();
    fixture.webhook.answer = { status: 500, error: 'HTTP 500' };
    expect(await failuresOf(name, '1')).toEqual([]);
    expect(await app.channels.get(prod(name))).toMatchObject({
      version: 1,
      gates,
      rollout: { state: 'aborted' },
    });
    expect(await failuresOf(name, '2')).toMatchObject([{ gate: 'webhook', reason: 'It answered HTTP 500' }]);
    await app.channels.put(prod(name), { version: '2', gates: null }, PUT);
    expect(await app.channels.get(prod(name))).not.toHaveProperty('gates');
  });

  it('are in the way of going back only where the files do not pass', async () => {
    const name = await fixture.newBundle(3);
    fixture.files.set('a.json', '{"port": 1}').set('envoy.yaml', 'admin: {port: 1}');
    for (const version of ['1', '2']) expect(await failuresOf(name, version, gates)).toEqual([]);
    fixture.webhook.answer = { error: 'No answer within 15 s.' };
    expect(await failuresOf(name, '1')).toEqual([]);
    expect(await app.channels.get(prod(name))).toMatchObject({ version: 1, previous: 2, gates });
    expect(await failuresOf(name, '3')).toMatchObject([{ gate: 'webhook' }]);
    expect(await failuresOf(name, '2', { ...gates, required: ['a.json'] })).toMatchObject([
      { gate: 'webhook' },
    ]);
    fixture.files.delete('envoy.yaml');
    expect(await failuresOf(name, '2')).toMatchObject([{ gate: 'required', path: 'envoy.yaml' }]);
  });

  it('are asked again when others were set meanwhile', async () => {
    const name = await fixture.newBundle(2);
    await app.channels.put(prod(name), { version: '1', gates: { webhook: 'https://one.example' } }, PUT);
    const actor = new Actor();
    const slow = fixture.openProcess(actor.gate);
    const outcome = actor.start(() => slow.channels.put(prod(name), { version: '2' }, PUT));
    const callsBefore = fixture.webhook.calls.length;
    while (fixture.webhook.calls.length === callsBefore) await actor.step();
    await app.channels.put(prod(name), { version: '1', gates: { webhook: 'https://two.example' } }, PUT);
    while (!actor.isFinished) await actor.step();
    expect(await outcome).toMatchObject({ status: 'fulfilled' });
    expect(fixture.webhook.calls.map(({ endpoint }) => endpoint)).toEqual([
      'https://one.example',
      'https://one.example',
      'https://two.example',
      'https://two.example',
    ]);
  });
});

describe('a rollout', () => {
  it('is brought on by the sweep, step by step, each of them a change', async () => {
    const name = await rollingBundle();
    const steps = async () => {
      await app.sweep();
      const { version, rollout } = await app.channels.get(prod(name));
      return [version, rollout?.state, rollout?.percent];
    };
    expect(await steps()).toEqual([1, 'rolling', 10]);
    fixture.clock.advance(59);
    expect(await steps()).toEqual([1, 'rolling', 10]);
    fixture.clock.advance(100_000);
    expect(await steps()).toEqual([1, 'rolling', 50]);
    fixture.clock.advance(119);
    expect(await steps()).toEqual([1, 'rolling', 50]);
    fixture.clock.advance(1);
    expect(await steps()).toEqual([2, 'done', 100]);
    const changes = (await fixture.changesOf(name)).filter(({ key }) => key === channelKey(name, 'prod'));
    expect(changes.map(({ actor }) => actor)).toEqual(['test', 'test', 'system:rollout', 'system:rollout']);
    fixture.clock.advance(180);
    await app.sweep();
    expect(await app.leases.read(bundleScope(NS, name), channelKey(name, 'prod'))).toBeUndefined();
  });

  it('waits while it is paused, goes on when it is resumed, and is gone when it is aborted', async () => {
    const name = await rollingBundle();
    fixture.clock.advance(50);
    await app.channels.move(prod(name), 'pause', AUTHOR);
    fixture.clock.advance(1000);
    await app.sweep();
    expect(await app.channels.get(prod(name))).toMatchObject({
      rollout: { state: 'paused', step: 0, baked: 50 },
    });
    const paused = await app.channels.get(prod(name));
    expect(await app.channels.move(prod(name), 'pause', AUTHOR)).toEqual(paused);
    await app.channels.move(prod(name), 'resume', AUTHOR);
    fixture.clock.advance(9);
    await app.sweep();
    expect(await app.channels.get(prod(name))).toMatchObject({ rollout: { state: 'rolling', step: 0 } });
    fixture.clock.advance(1);
    await app.sweep();
    expect(await app.channels.get(prod(name))).toMatchObject({ rollout: { state: 'rolling', step: 1 } });
    const aborted = await app.channels.move(prod(name), 'abort', AUTHOR);
    expect(aborted).toMatchObject({ version: 1, rollout: { state: 'aborted', percent: 0 } });
    await expect(app.channels.move(prod('none'), 'abort', AUTHOR)).rejects.toMatchObject({
      kind: 'not-found',
    });
  });

  it.each([
    [0, 0],
    [70, 0],
    [0, -60],
    [15, -60],
    [0, 60],
  ])(
    'goes on where a sweep came %i s after its alarm, and before its record, whose writer has a clock %i s ahead',
    async (seconds, secondsAhead) => {
      const name = await fixture.newBundle(2);
      await app.channels.put(prod(name), { version: '1' }, PUT);
      const actor = new Actor();
      const slow = fixture.openProcess(actor.gate, secondsAhead);
      const input = { version: '2', strategy: { steps: [{ percent: 10, bake: 600 }], maxFailures: 1 } };
      const outcome = actor.start(() => slow.channels.put(prod(name), input, PUT));
      const alarm = () => app.leases.read(bundleScope(NS, name), channelKey(name, 'prod'));
      while ((await alarm()) === undefined) await actor.step();
      fixture.clock.advance(seconds);
      await app.sweep();
      while (!actor.isFinished) await actor.step();
      expect(await outcome).toMatchObject({ status: 'fulfilled' });
      fixture.clock.advance(660);
      await app.sweep();
      expect(await app.channels.get(prod(name))).toMatchObject({ version: 2, rollout: { state: 'done' } });
    },
  );

  it('lets a step bake in full that a sweep takes which was asleep', async () => {
    const name = await rollingBundle();
    fixture.clock.advance(60);
    const slow = fixture.openProcess();
    const commit = slow.records.commit.bind(slow.records);
    vi.spyOn(slow.records, 'commit').mockImplementation(async (scope, write) => {
      if (scope.name === name) fixture.clock.advance(3_600);
      return await commit(scope, write);
    });
    await slow.sweep();
    fixture.clock.advance(119);
    await app.sweep();
    expect(await app.channels.get(prod(name))).toMatchObject({ rollout: { state: 'rolling', step: 1 } });
  });

  it('fails in the transaction of the last failure that is tolerated', async () => {
    const name = await rollingBundle();
    const ack = (consumer: string, ok: boolean, version = 2) =>
      app.consumers.acknowledge(NS, name, { consumer, version, ok, detail: 'no listener' }, AUTHOR);
    await ack('a', false);
    await ack('a', false);
    await ack('b', false, 1);
    expect(await app.channels.get(prod(name))).toMatchObject({
      rollout: { state: 'rolling', failures: ['a'] },
    });
    await ack('a', true);
    await ack('b', false);
    expect(await app.channels.get(prod(name))).toMatchObject({
      rollout: { state: 'rolling', failures: ['b'] },
    });
    await ack('c', false);
    const channel = await app.channels.get(prod(name));
    expect(channel).toMatchObject({ version: 1, rollout: { state: 'failed', failures: ['b', 'c'] } });
    const [consumer, failed] = (await fixture.changesOf(name)).slice(-2);
    expect(consumer?.transaction).toEqual(failed?.transaction);
    expect(failed?.value?.rollout?.state).toBe('failed');
  });
});

describe('consumers', () => {
  it('are known by what they said last; the same again changes nothing', async () => {
    const name = await fixture.newBundle(3);
    const ack = (version: number, more: object = {}) =>
      app.consumers.acknowledge(NS, name, { consumer: 'host', version, ok: true, ...more }, AUTHOR);
    const first = await ack(1, { channel: 'prod' });
    expect(first).toEqual({
      consumer: 'host',
      version: 1,
      channel: 'prod',
      at: expect.any(String),
      revision: 4,
    });
    expect(await ack(1)).toEqual(first);
    expect(await ack(2, { ok: false, detail: 'boom' })).toMatchObject({
      version: 1,
      failed: { version: 2, detail: 'boom' },
    });
    expect(await ack(1)).toMatchObject({ version: 1, failed: { version: 2 } });
    expect(await ack(3)).toEqual({
      consumer: 'host',
      version: 3,
      channel: 'prod',
      at: expect.any(String),
      revision: 6,
    });
    await expect(ack(4)).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('are listed in pages, and forgotten', async () => {
    const name = await fixture.newBundle(1);
    for (const consumer of ['b', 'a', 'c']) {
      await app.consumers.acknowledge(NS, name, { consumer, version: 1, ok: true }, AUTHOR);
    }
    const first = await app.consumers.list(NS, name, { limit: 2 });
    expect(first.items.map(({ consumer }) => consumer)).toEqual(['a', 'b']);
    const second = await app.consumers.list(NS, name, { limit: 2, after: first.next });
    expect(second.items.map(({ consumer }) => consumer)).toEqual(['c']);
    await app.consumers.delete(NS, name, 'b', AUTHOR);
    await expect(app.consumers.delete(NS, name, 'b', AUTHOR)).rejects.toMatchObject({ kind: 'not-found' });
    expect((await app.consumers.list(NS, name, {})).items).toHaveLength(2);
  });

  it('that report at the same time share the look at the channels, and the batch', async () => {
    const name = await rollingBundle();
    const steps: string[] = [];
    const { consumers } = fixture.openProcess((step, run) => {
      steps.push(step);
      return run();
    });
    const said = Array.from({ length: 16 }, (_, index) => ({
      consumer: `host-${index}`,
      version: 2,
      ok: true,
    }));
    await Promise.all(said.map((one) => consumers.acknowledge(NS, name, one, AUTHOR)));
    const count = (step: string) => steps.filter((one) => one === step).length;
    expect(count('batch')).toBeLessThan(8);
    expect(count('query')).toBeLessThan(9);
  });

  it('that fail are counted by every channel that rolls the version out, however many they are', async () => {
    const name = await fixture.newBundle(2);
    const channels = Array.from({ length: 7 }, (_, index) => ({ ns: NS, name, channel: `c${index}` }));
    for (const address of channels) {
      await app.channels.put(address, { version: '1' }, PUT);
      await app.channels.put(address, { version: '2', strategy: TWO_STEPS }, PUT);
    }
    await app.consumers.acknowledge(NS, name, { consumer: 'host', version: 2, ok: false }, AUTHOR);
    const { items } = await app.channels.list(NS, name);
    expect(items.map(({ rollout }) => rollout?.failures)).toEqual(items.map(() => ['host']));
  });

  it('that fail in a channel are no reason to call off what another one rolls out', async () => {
    const name = await rollingBundle();
    const staging = { ns: NS, name, channel: 'staging' };
    await app.channels.put(staging, { version: '1' }, PUT);
    await app.channels.put(staging, { version: '2', strategy: TWO_STEPS }, PUT);
    const failure = { consumer: 'host', version: 2, ok: false, channel: 'staging' };
    await app.consumers.acknowledge(NS, name, failure, AUTHOR);
    expect(await app.channels.get(staging)).toMatchObject({ rollout: { failures: ['host'] } });
    expect(await app.channels.get(prod(name))).toMatchObject({ rollout: { failures: [] } });
  });
});

it('a consumer is told one version or the other by what the channel says at that moment', async () => {
  const name = await rollingBundle({ steps: [{ percent: 50, bake: 60 }], maxFailures: 1 });
  const { value } = (await app.records.get<Parameters<typeof versionOfChannel>[0]>(
    bundleScope(NS, name),
    channelKey(name, 'prod'),
  )) ?? { value: { version: 0 } };
  const versions = Array.from({ length: 30 }, (_, index) => versionOfChannel(value, `host-${index}`));
  expect(new Set(versions)).toEqual(new Set([1, 2]));
});
