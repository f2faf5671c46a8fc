import { HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { verifyWebhook } from '../../client/index.ts';
import { startConsentingReceiver } from '../integration/webhooks/consenting-receiver.ts';
import { type Receiver, type Answer as Reply, toldBy } from '../integration/webhooks/receiver.ts';
import { type Answer, connect, expectProblem, type HttpClient } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';
import { type Delivery, type Issued, type Listener, startListener } from './webhook-listener.ts';

const DEADLINE = { timeout: 45_000, interval: 20 };

let skerry: Skerry;
let api: HttpClient;
const receivers: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  skerry = await startSkerry({
    env: { SKERRY_WEBHOOK_RETRY_SECONDS: '0.2,0.2', SKERRY_WEBHOOK_CONSENT: 'on' },
  });
  api = connect(skerry.url);
});

afterAll(async () => {
  // First of all, so that no call to an endpoint that never answers holds up the end.
  await Promise.allSettled(receivers.map((receiver) => receiver.stop()));
  await skerry?.stop();
});

async function listen(
  ns: string,
  key: string,
  answer: Receiver['answer'] = () => 200,
  said: object = {},
): Promise<Listener> {
  const listener = await startListener(api, ns, { consent: false, ...said, key }, answer);
  receivers.push(listener.receiver);
  return listener;
}

async function putApp(ns: string, name: string, config: unknown): Promise<Answer> {
  const answer = await api.put(`apps/${name}?ns=${ns}`, { config });
  expect([200, 201], answer.text).toContain(answer.status);
  return answer;
}

/** Waits until a change that is made now has been told, by which time all earlier ones have been matched as well. */
async function expectQuiet(ns: string, listener: Listener, expected: string[]): Promise<void> {
  const marker = await listen(ns, '/app/marker');
  const { body } = await putApp(ns, 'marker', marker.id);
  await vi.waitFor(
    () => expect(marker.heard()).toEqual([`${(body as { revision: number }).revision} /app/marker`]),
    DEADLINE,
  );
  // A listener that hears of the marker too may hear of it later than the marker's own.
  await vi.waitFor(() => expect(listener.heard()).toEqual(expected), DEADLINE);
}

describe.concurrent('a change', () => {
  it('waits for the one before it in its scope, where the subscription is ordered, also while that is paused', async () => {
    const listener = await listen('order', '/app', (nth) => (nth % 2 === 0 ? 500 : 200), { ordered: true });
    const pathOf = (operation: string) => `subscriptions/${listener.id}/${operation}?ns=order`;
    await putApp('order', 'a', 1);
    await putApp('order', 'b', 2);
    const told = () => listener.receiver.calls.map((call) => toldBy(call).revision);
    await vi.waitFor(() => expect(told()).toEqual([1, 1, 2, 2]), DEADLINE);
    expect((await api.post(pathOf('pause'))).status).toBe(200);
    await putApp('order', 'c', 3);
    await putApp('order', 'a', 4);
    expect((await api.post(pathOf('resume'))).status).toBe(200);
    await vi.waitFor(() => expect(told()).toEqual([1, 1, 2, 2, 3, 3, 4, 4]), DEADLINE);
  });

  it('is posted with the values before and after, under the id of its delivery', async () => {
    const listener = await listen('change', '/app/dm');
    await putApp('change', 'dm', { greeting: 'hello' });
    await putApp('change', 'dm', { greeting: 'goodbye' });
    await api.delete('apps/dm?ns=change');
    await vi.waitFor(
      () => expect(listener.heard()).toEqual(['1 /app/dm', '2 /app/dm', '3 /app/dm']),
      DEADLINE,
    );

    const calls = listener.receiver.calls.toSorted(
      (one, other) => toldBy(one).revision - toldBy(other).revision,
    );
    const told = {
      subscription: listener.id,
      ns: 'change',
      scope: 'change:app:',
      key: '/app/dm',
      actor: 'local',
    };
    const hello = { config: { greeting: 'hello' } };
    const goodbye = { config: { greeting: 'goodbye' } };
    expect(calls.map(({ body }) => body)).toEqual(
      [
        { ...told, revision: 1, type: 'put', before: null, after: hello },
        { ...told, revision: 2, type: 'put', before: hello, after: goodbye },
        { ...told, revision: 3, type: 'delete', before: goodbye, after: null },
      ].map((data) => ({
        type: `app.${data.type}`,
        timestamp: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/),
        data,
      })),
    );
    for (const { headers } of calls) {
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'webhook-id': expect.stringMatching(/^dlv_/),
      });
    }
    expect(new Set(calls.map(({ headers }) => headers['webhook-id']))).toHaveProperty('size', 3);
    await vi.waitFor(
      async () =>
        expect((await listener.deliveries()).map(({ state }) => state)).toEqual([
          'delivered',
          'delivered',
          'delivered',
        ]),
      DEADLINE,
    );
  });

  it('carries the trace of the request that made it', async () => {
    const listener = await listen('trace', '/app');
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
    const headers = { traceparent: `00-${trace}-00f067aa0ba902b7-01` };
    await api.put('apps/dm?ns=trace', { config: 1 }, headers);
    await vi.waitFor(
      () => expect(listener.receiver.calls[0]?.headers.traceparent).toContain(trace),
      DEADLINE,
    );
  });

  it('that changes nothing is none', async () => {
    const listener = await listen('equal', '/app/dm');
    await putApp('equal', 'dm', 1);
    await putApp('equal', 'dm', 1);
    await expectQuiet('equal', listener, ['1 /app/dm']);
  });

  it('of an instance is told to who watches its service', async () => {
    const listener = await listen('instances', '/srv/web');
    const path = 'services/web/instances/one?ns=instances';
    await api.put(path, { endpoints: { http: '10.0.0.1:80' }, ttl: 60 });
    await api.put(path.replace('?', '/heartbeat?'));
    await api.put(path, { endpoints: { http: '10.0.0.1:80' }, ttl: 60, status: 'draining' });
    await api.delete(path);
    await vi.waitFor(
      () => expect(listener.heard()).toEqual(['1 /srv/web/one', '2 /srv/web/one', '3 /srv/web/one']),
      DEADLINE,
    );
  });
});

describe.concurrent('a key prefix', () => {
  it.each([
    ['/app/dm', ['/app/dm']],
    ['/app', ['/app/dm', '/app/dm2']],
    ['/app/', ['/app/dm', '/app/dm2']],
    ['/app/dm/', []],
    ['/app/d', []],
    ['/srv/web', ['/srv/web/one', '/srv/web/two']],
    ['/srv/web/one', ['/srv/web/one']],
    ['/srv', ['/srv/web/one', '/srv/web/two', '/srv/web2/one']],
    ['/', ['/app/dm', '/app/dm2', '/srv/web/one', '/srv/web/two', '/srv/web2/one']],
  ])('%s hears of whole segments below it only', async (key, expected) => {
    const ns = `prefix${key.replaceAll('/', '-')}`;
    const [listener, all] = await Promise.all([listen(ns, key), listen(ns, '/')]);
    for (const path of ['apps/dm', 'apps/dm2']) {
      await api.put(`${path}?ns=${ns}`, { config: 1 });
    }
    for (const path of ['web/instances/one', 'web/instances/two', 'web2/instances/one']) {
      await api.put(`services/${path}?ns=${ns}`, { endpoints: { http: '10.0.0.1:80' } });
    }
    await vi.waitFor(() => expect(all.heard()).toHaveLength(5), DEADLINE);
    const keys = () => listener.receiver.calls.map((call) => toldBy(call).key).sort();
    await vi.waitFor(() => expect(keys()).toEqual(expected), DEADLINE);
    const recorded = async () => (await listener.deliveries()).map((delivery) => delivery.key).sort();
    await vi.waitFor(async () => expect(await recorded()).toEqual(expected), DEADLINE);
  });

  it('is of one namespace', async () => {
    const listener = await listen('mine', '/');
    await putApp('not-mine', 'dm', 1);
    await putApp('mine', 'other', 1);
    await expectQuiet('mine', listener, ['1 /app/other', '2 /app/marker']);
  });
});

describe.concurrent('a subscription', () => {
  it('hears of nothing that is older than itself', async () => {
    await putApp('older', 'dm', 1);
    await putApp('older', 'dm', 2);
    await api.put('services/web/instances/one?ns=older', { endpoints: { http: '10.0.0.1:80' } });
    const [exact, wide] = await Promise.all([listen('older', '/app/dm'), listen('older', '/')]);
    await putApp('older', 'dm', 3);
    await vi.waitFor(() => expect(exact.heard()).toEqual(['3 /app/dm']), DEADLINE);
    await vi.waitFor(() => expect(wide.heard()).toEqual(['3 /app/dm']), DEADLINE);
    await expectQuiet('older', exact, ['3 /app/dm']);
  });

  it('stops hearing when it is deleted', async () => {
    const listener = await listen('deleted', '/app/dm');
    await putApp('deleted', 'dm', 1);
    await vi.waitFor(() => expect(listener.heard()).toEqual(['1 /app/dm']), DEADLINE);
    expect((await api.delete(`subscriptions/${listener.id}?ns=deleted`)).status).toBe(204);
    await putApp('deleted', 'dm', 2);
    await expectQuiet('deleted', listener, ['1 /app/dm']);
    expectProblem(await api.get(`subscriptions/${listener.id}?ns=deleted`), 404);
  });

  it('drops what was still to be tried again when it is deleted', async () => {
    const failing = await listen('dropped', '/app/dm', () => 503);
    await putApp('dropped', 'dm', 1);
    await vi.waitFor(() => expect(failing.receiver.calls.length).toBe(1), DEADLINE);
    await api.delete(`subscriptions/${failing.id}?ns=dropped`);
    const ladder = await listen('dropped', '/app/other', () => 503);
    await putApp('dropped', 'other', 1);
    await vi.waitFor(async () => expect(await ladder.deliveries('&state=dead')).toHaveLength(1), DEADLINE);
    expect(failing.receiver.calls).toHaveLength(1);
  });

  it('is shown, listed, replaced and told to another endpoint from then on', async () => {
    const [first, second] = await Promise.all([listen('moved', '/app'), listen('moved', '/srv')]);
    const path = `subscriptions/${first.id}?ns=moved`;
    const shown = await api.get(path);
    expect(shown).toMatchObject({
      status: 200,
      headers: { etag: expect.stringMatching(/^"\d+"$/) },
      body: { id: first.id, key: '/app', endpoint: first.receiver.url, state: 'active', format: 'standard' },
    });
    const known = { 'if-none-match': shown.headers.etag ?? '' };
    expect((await api.get(path, known)).status).toBe(304);
    expect((await api.get('subscriptions?ns=moved')).body).toMatchObject({
      items: [first.id, second.id].sort().map((id) => ({ id })),
    });
    const moved = { name: 'moved', key: '/app', endpoint: second.receiver.url, consent: false };
    expectProblem(await api.put(path, moved, { 'if-match': '"99"' }), 412);
    expect(await api.put(path, moved, { 'if-match': shown.headers.etag ?? '' })).toMatchObject({
      status: 200,
    });
    await putApp('moved', 'dm', 1);
    await vi.waitFor(() => expect(second.heard()).toEqual(['1 /app/dm']), DEADLINE);
    expect(first.heard()).toEqual([]);
  });
});

describe.concurrent('an endpoint that is asked for its consent', () => {
  async function subscribe(ns: string) {
    const receiver = await startConsentingReceiver();
    receivers.push(receiver);
    const create = () =>
      api.post(`subscriptions?ns=${ns}`, { name: 'asked', key: '/app/dm', endpoint: receiver.url });
    return { receiver, create };
  }

  it('is called once it consents by the callback, and told what changed meanwhile', async () => {
    const { receiver, create } = await subscribe('consent-later');
    const created = await create();
    expect(created, created.text).toMatchObject({
      status: 201,
      body: { state: 'unconfirmed', reason: expect.stringContaining('WebHook-Allowed-Origin') },
    });
    await putApp('consent-later', 'dm', 1);
    await putApp('consent-later', 'dm', 2);
    const callback = String(receiver.questions[0]?.['webhook-request-callback']);
    const headers = { 'WebHook-Allowed-Rate': '*' };
    expect(receiver.deliveries).toEqual([]);
    expect((await fetch(`${callback}0`, { method: 'POST' })).status).toBe(404);
    expect((await fetch(callback, { method: 'POST', headers })).status).toBe(200);
    await vi.waitFor(() => expect(receiver.deliveries).toHaveLength(2), DEADLINE);
    expect(receiver.deliveries).toMatchObject(
      Array(2).fill({ 'webhook-request-origin': receiver.questions[0]?.['webhook-request-origin'] }),
    );
    expect(skerry.output()).not.toContain(callback.split('/').at(-1)?.slice(0, 26));
  });

  it('is called at once if it consents at once', async () => {
    const { receiver, create } = await subscribe('consent-now');
    receiver.reply = () => ({ headers: { 'WebHook-Allowed-Origin': '*', 'WebHook-Allowed-Rate': '6000' } });
    expect(await create()).toMatchObject({
      status: 201,
      body: { state: 'active', consent: { granted: true, ratePerMinute: 6000 } },
    });
    await putApp('consent-now', 'dm', 1);
    await vi.waitFor(() => expect(receiver.deliveries).toHaveLength(1), DEADLINE);
  });
});

describe.concurrent('what is sent', () => {
  it('is signed by a secret that is shown once, and beside it by its successor', async () => {
    const token = 'Bearer a-token-of-the-receiver';
    const listener = await listen('signed', '/app', () => 200, { headers: { Authorization: token } });
    const path = `subscriptions/${listener.id}`;
    await putApp('signed', 'one', { greeting: 'Blåbærgrød 🫐' });
    await vi.waitFor(() => expect(listener.receiver.calls).toHaveLength(1), DEADLINE);
    const rotated = (await api.post(`${path}/rotate-secret?ns=signed`, {})).body as Issued;
    await putApp('signed', 'two', 2);
    await vi.waitFor(() => expect(listener.receiver.calls).toHaveLength(2), DEADLINE);

    const [before, after] = listener.receiver.calls;
    const verify = (secret = '', { text, headers } = before ?? expect.fail()) =>
      new Webhook(secret).verify(text, headers as Record<string, string>);
    expect(verify(listener.secret)).toEqual(before?.body);
    expect(() => verify(rotated.secret)).toThrow(/signature/);
    expect(verify(listener.secret, after)).toEqual(verify(rotated.secret, after));
    expect(before?.headers.authorization).toBe(token);

    const shown = [await api.get(`${path}?ns=signed`), await api.get('subscriptions?ns=signed')];
    const written = shown.map(({ text }) => text).join() + skerry.output();
    expect(written).toContain(listener.id);
    for (const secret of [listener.secret.slice(6), rotated.secret?.slice(6), token]) {
      expect(written).not.toContain(secret);
    }
  });

  it('is a CloudEvent for who wants one, of what matches the filters, with the fields that were asked for', async () => {
    const listener = await listen('filtered', '/app/d*', () => 200, {
      format: 'cloudevents',
      mode: 'binary',
      signature: 'v1a',
      types: ['put'],
      changed: ['/config/limit'],
      fields: ['/config/limit'],
    });
    await putApp('filtered', 'other', { limit: 1 });
    await putApp('filtered', 'dm', { limit: 1, secret: 's' });
    await putApp('filtered', 'dm', { limit: 1, secret: 't' });
    await putApp('filtered', 'dm', { limit: 2, secret: 't' });
    await api.delete('apps/dm?ns=filtered');
    await expectQuiet('filtered', listener, ['2 /app/dm', '4 /app/dm']);
    const events = await Promise.all(
      listener.receiver.calls.map(async ({ headers, text, body }) => {
        await verifyWebhook({ payload: text, headers, secrets: listener.publicKey });
        return HTTP.toEvent<{ after: unknown }>({ headers, body });
      }),
    );
    const told = events.flat().toSorted((one, other) => Number(one.id) - Number(other.id));
    expect(told).toMatchObject([
      { id: '2', type: 'skerry.app.put', subject: '/app/dm', data: { after: { config: { limit: 1 } } } },
      { id: '4', source: '/filtered/app', data: { after: { config: { limit: 2 } } } },
    ]);
    expect(told[1]?.data?.after).toEqual({ config: { limit: 2 } });
  });
});

describe.concurrent('an endpoint', () => {
  it.each<[what: string, failure: Reply, status: number]>([
    ['with 500', 500, 500],
    ['with 404', 404, 404],
    ['with 429', 429, 429],
    ['with a redirect', { redirectTo: 'http://127.0.0.1:1/' }, 307],
  ])('that fails %s is tried again until it takes the change', async (what, failure, status) => {
    const ns = what.replaceAll(' ', '-');
    const listener = await listen(ns, '/app', (nth) => (nth === 0 ? failure : 204));
    await putApp(ns, 'dm', 1);
    await vi.waitFor(() => expect(listener.heard()).toEqual(['1 /app/dm', '1 /app/dm']), DEADLINE);
    const [one, other] = listener.receiver.calls;
    expect(other?.headers['webhook-id']).toBe(one?.headers['webhook-id']);
    expect(other?.body).toEqual(one?.body);
    await vi.waitFor(
      async () =>
        expect(await listener.deliveries()).toMatchObject([
          { state: 'delivered', attempts: [{ status }, { status: 204 }] },
        ]),
      DEADLINE,
    );
  });

  it('that fails all the time is given up after the ladder, and the delivery is kept as dead', async () => {
    const listener = await listen('dead', '/app', () => 500);
    await putApp('dead', 'dm', 1);
    await vi.waitFor(
      async () =>
        expect(await listener.deliveries('&state=dead')).toMatchObject([
          {
            key: '/app/dm',
            revision: 1,
            state: 'dead',
            reason: expect.stringMatching(/\w/),
            attempts: Array(3).fill({ status: 500, error: expect.any(String) }),
          },
        ]),
      DEADLINE,
    );
    const [dead] = await listener.deliveries();
    expect(listener.receiver.calls.map(({ headers }) => headers['webhook-id'])).toEqual(
      Array(3).fill(dead?.id),
    );
    expect(await listener.deliveries('&state=delivered')).toEqual([]);
  });

  it('that is gone counts as one that fails', async () => {
    const listener = await listen('gone', '/app');
    await listener.receiver.stop();
    receivers.splice(receivers.indexOf(listener.receiver), 1);
    await putApp('gone', 'dm', 1);
    await vi.waitFor(
      async () =>
        expect(await listener.deliveries('&state=dead')).toMatchObject([
          { attempts: Array(3).fill({ error: expect.any(String) }) },
        ]),
      DEADLINE,
    );
  });

  it('that fails, is gone or never answers delays no other', async () => {
    const silent = await listen('delay', '/app', () => new Promise<Reply>(() => {}));
    const failing = await listen('delay', '/app', () => 500);
    const gone = await listen('delay', '/app');
    await gone.receiver.stop();
    receivers.splice(receivers.indexOf(gone.receiver), 1);
    const healthy = await listen('delay', '/app');
    // Fewer than the queue's trigger handles at a time (host.json): beyond that a silent endpoint holds up all others.
    const revisions = Array.from({ length: 10 }, (_, index) => index + 1);
    const since = Date.now();
    for (const revision of revisions) {
      await putApp('delay', 'dm', revision);
    }
    await vi.waitFor(
      () => expect(healthy.heard()).toEqual(revisions.map((revision) => `${revision} /app/dm`)),
      DEADLINE,
    );
    expect(Date.now() - since, 'before the silent one has timed out').toBeLessThan(15_000);
    expect(silent.receiver.calls.length).toBeGreaterThan(0);
    expect(failing.receiver.calls.length).toBeGreaterThan(0);
  });
});

describe.concurrent('what was not delivered', () => {
  it('stands in the dead letters until it is made again, under the same webhook-id', async () => {
    let isBroken = true;
    const listener = await listen('repair', '/app', () => (isBroken ? 500 : 200));
    await putApp('repair', 'dm', 1);
    const dead = await vi.waitFor(async () => {
      const { body } = await api.get('dead-letters?ns=repair');
      const { items } = body as { items: Delivery[] };
      expect(items).toMatchObject([{ key: '/app/dm', state: 'dead', subscription: listener.id }]);
      return items[0];
    }, DEADLINE);
    isBroken = false;
    const calls = listener.receiver.calls.length;
    const replayed = await api.post('dead-letters?ns=repair', { all: true });
    expect(replayed).toMatchObject({ status: 202, body: { replayed: 1, skipped: [] } });
    await vi.waitFor(
      async () => expect(await listener.deliveries()).toMatchObject([{ state: 'delivered', replays: 1 }]),
      DEADLINE,
    );
    const [again] = listener.receiver.calls.slice(calls);
    expect(again?.headers['webhook-id']).toBe(dead?.id);

    await api.post(`subscriptions/${listener.id}/deliveries/${dead?.id}/retry?ns=repair`, {});
    await vi.waitFor(() => expect(listener.receiver.calls).toHaveLength(calls + 2), DEADLINE);
  });

  it.each(['/app', '/'])('to a paused subscription to %s is told when it is resumed', async (key) => {
    const ns = key === '/' ? 'paused-wide' : 'paused';
    const listener = await listen(ns, key);
    await api.post(`subscriptions/${listener.id}/pause?ns=${ns}`, {});
    const marker = await listen(ns, '/app/three');
    for (const name of ['one', 'two', 'three']) {
      await putApp(ns, name, name);
    }
    await vi.waitFor(() => expect(marker.heard()).toEqual(['3 /app/three']), DEADLINE);
    expect(listener.heard()).toEqual([]);
    const resumed = await api.post(`subscriptions/${listener.id}/resume?ns=${ns}`, {});
    expect(resumed).toMatchObject({ status: 200, body: { state: 'active' } });
    await vi.waitFor(
      () => expect(listener.heard()).toEqual(['1 /app/one', '2 /app/two', '3 /app/three']),
      DEADLINE,
    );
  });
});
