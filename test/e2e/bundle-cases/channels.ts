import { describe, expect, it, vi } from 'vitest';
import { startHookReceiver } from '../hook-receiver.ts';
import { expectProblem, type HttpClient } from '../http.ts';

/** A sweep comes every second. */
const DEADLINE = { timeout: 30_000, interval: 50 };

const STEPS = [
  { percent: 30, bake: 1 },
  { percent: 60, bake: 1 },
];

interface ChannelBody {
  readonly version: number;
  readonly rollout?: { readonly state: string; readonly step: number };
}

interface Watched {
  readonly revision: number;
  readonly changes: readonly { readonly key: string; readonly actor: string; readonly value: ChannelBody }[];
}

/** Channels, rollouts, gates and consumers; the sweep has to run every second. */
export function channelCases(api: () => HttpClient, url: () => string): void {
  describe.concurrent('channels', () => {
    async function publish(bundle: string, files: Readonly<Record<string, string>>): Promise<void> {
      const body = new FormData();
      for (const [name, text] of Object.entries(files)) body.append(name, new Blob([text]), name);
      const answer = await fetch(`${url()}/api/v1/bundles/${bundle}/versions`, { method: 'PUT', body });
      expect(answer.status, await answer.text()).toBe(201);
    }

    async function publishThree(bundle: string): Promise<void> {
      await publish(bundle, { 'app.json': '{"port": 1}' });
      await publish(bundle, { 'app.json': '{"port": 2}' });
      await publish(bundle, { 'app.yaml': 'port: 3' });
    }

    /** The version that a consumer gets from a channel. */
    async function versionOf(bundle: string, consumer: string): Promise<number> {
      const { headers } = await api().get(`bundles/${bundle}/versions/prod?consumer=${consumer}`);
      return Number(headers['x-skerry-version']);
    }

    it('hand a version out step by step, and every step is told to whoever asked', async () => {
      await publishThree('roll');
      const receiver = await startHookReceiver();
      try {
        const key = '/bundle/roll/channels';
        const hook = { name: 'steps', key, endpoint: receiver.url, consent: false };
        const subscribed = await api().post('subscriptions', hook);
        expect(subscribed, subscribed.text).toMatchObject({ status: 201 });
        const path = 'bundles/roll/channels/prod';
        const created = await api().put(path, { version: 1 });
        expect(created, created.text).toMatchObject({ status: 201, body: { version: 1 } });
        const { etag = '', 'x-skerry-revision': first = '' } = created.headers;
        expect(etag).toBe(`"${first}"`);

        const strategy = { steps: STEPS };
        const rolling = await api().put(path, { version: '2', strategy }, { 'if-match': etag });
        expect(rolling, rolling.text).toMatchObject({
          status: 200,
          body: { version: 1, rollout: { version: 2, state: 'rolling', percent: 30, failures: [] } },
        });
        expectProblem(await api().put(path, { version: 3 }, { 'if-match': etag }), 412);

        const told: Watched['changes'][number][] = [];
        let since = Number(first);
        const consumers = Array.from({ length: 12 }, (_, index) => `host-${index}`);
        const reached = new Set<string>();
        while (told.at(-1)?.value.version !== 2) {
          const answer = await api().get(`watch${key}?since=${since}&wait=20`);
          const { changes, revision } = answer.body as Watched;
          expect(changes.length, answer.text).toBeGreaterThan(0);
          told.push(...changes);
          since = revision;
          for (const consumer of consumers) {
            const version = await versionOf('roll', consumer);
            if (reached.has(consumer)) expect(version).toBe(2);
            if (version === 2) reached.add(consumer);
          }
        }
        expect(told.map(({ actor, value }) => [actor, value.rollout?.state, value.rollout?.step])).toEqual([
          ['local', 'rolling', 0],
          ['system:rollout', 'rolling', 1],
          ['system:rollout', 'done', 1],
        ]);
        expect(reached.size).toBe(consumers.length);
        expect((await api().get(path)).body).toMatchObject({
          version: 2,
          previous: 1,
          rollout: { state: 'done', percent: 100 },
        });
        await vi.waitFor(() => expect(receiver.received('/')).toHaveLength(4), DEADLINE);
      } finally {
        await receiver.stop();
      }
    });

    it('are paused, resumed and called off, by hand or by consumers that fail', async () => {
      await publishThree('stop');
      const path = 'bundles/stop/channels/prod';
      const strategy = { steps: [{ percent: 100, bake: 3600 }], maxFailures: 2 };
      await api().put(path, { version: 'latest' });
      expectProblem(await api().post(`${path}/pause`), 409, { fix: expect.any(String) });
      await api().put(path, { version: 1, strategy });
      expect(await versionOf('stop', 'a')).toBe(1);
      for (const [move, state] of [
        ['pause', 'paused'],
        ['resume', 'rolling'],
        ['abort', 'aborted'],
      ]) {
        const moved = await api().post(`${path}/${move}`);
        expect(moved.body).toMatchObject({ rollout: { state } });
        // As by a caller whom the answer did not reach.
        expect((await api().post(`${path}/${move}`)).body).toEqual(moved.body);
      }
      expectProblem(await api().post(`${path}/resume`), 409);
      expect(await versionOf('stop', 'a')).toBe(3);

      await api().put(path, { version: 2, strategy });
      const failed = { version: 2, ok: false, detail: 'no listener', channel: 'prod' };
      const said = await api().post('bundles/stop/acks', { consumer: 'a', ...failed });
      expect(said, said.text).toMatchObject({
        status: 200,
        body: { consumer: 'a', failed: { version: 2, detail: 'no listener' }, channel: 'prod' },
      });
      expect((await api().get(path)).body).toMatchObject({ rollout: { state: 'rolling', failures: ['a'] } });
      await api().post('bundles/stop/acks', { consumer: 'b', ...failed });
      expect((await api().get(path)).body).toMatchObject({
        version: 3,
        rollout: { state: 'failed', reason: expect.stringContaining('no listener') },
      });
      expect(await versionOf('stop', 'a')).toBe(3);
      await api().post('bundles/stop/acks', { consumer: 'a', version: 3 });
      expect((await api().get('bundles/stop/consumers?limit=1')).body).toMatchObject({
        items: [{ consumer: 'a', version: 3, channel: 'prod' }],
        next: expect.any(String),
      });
      expectProblem(await api().post('bundles/stop/acks', { consumer: 'a', version: 9 }), 404);
      expect((await api().delete('bundles/stop/consumers/a')).status).toBe(204);
      expectProblem(await api().delete('bundles/stop/consumers/a'), 404);
    });

    it('let no version pass that a gate refuses, and tell all that is at fault', async () => {
      await publishThree('gate');
      const path = 'bundles/gate/channels/prod';
      const gates = {
        required: ['app.json'],
        schemas: { 'app.json': { properties: { port: { maximum: 1 } } }, 'app.yaml': { required: ['host'] } },
        webhook: 'http://127.0.0.1:1/',
      };
      expectProblem(await api().put(path, { version: 3, gates }), 422, {
        field: 'version',
        failures: [
          { gate: 'required', path: 'app.json', reason: expect.any(String) },
          { gate: 'schema', path: 'app.yaml', reason: expect.stringContaining('host') },
          { gate: 'webhook', reason: expect.stringContaining('did not answer') },
        ],
      });
      expectProblem(await api().get(path), 404);
      const { webhook: _, ...rest } = gates;
      expect((await api().put(path, { version: 1, gates: rest })).body).toMatchObject({
        version: 1,
        gates: rest,
      });
      expectProblem(await api().put(path, { version: 2, strategy: { steps: STEPS } }), 422);
      expectProblem(await api().put(path, { version: 1, gates: { schemas: { a: { type: 'x' } } } }), 422, {
        field: 'gates.schemas["a"].type',
      });
      expect((await api().put(path, { version: 2, gates: null })).body).not.toHaveProperty('gates');
    });

    it('are refused where they cannot be, and removed', async () => {
      await publish('names', { a: '1' });
      const put = (channel: string, body: unknown) => api().put(`bundles/names/channels/${channel}`, body);
      for (const name of ['latest', '12']) expectProblem(await put(name, { version: 1 }), 400);
      expectProblem(await put('prod', { version: 2 }), 404);
      expectProblem(await put('prod', { version: 0 }), 400, { field: 'version' });
      const falling = { steps: [STEPS[1], STEPS[0]] };
      expectProblem(await put('prod', { version: 1, strategy: falling }), 422, {
        field: 'strategy.steps[1].percent',
      });
      expect((await put('prod', { version: 'latest' })).status).toBe(201);
      expect((await api().get('bundles/names/channels')).body).toMatchObject({
        items: [{ channel: 'prod' }],
      });
      expect((await api().delete('bundles/names/channels/prod')).status).toBe(204);
      expectProblem(await api().delete('bundles/names/channels/prod'), 404);
    });
  });
}
