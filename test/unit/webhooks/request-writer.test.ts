import { HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { verifyWebhook } from '../../../client/index.ts';
import { systemRandom } from '../../../shared/platform/random.ts';
import { Sealer } from '../../../shared/platform/sealer.ts';
import type { Change, Json } from '../../../shared/records/index.ts';
import { RequestWriter } from '../../../shared/webhooks/notification/request-writer.ts';
import { newSigningKey } from '../../../shared/webhooks/subscription/signing-keys.ts';
import type { Subscription } from '../../../shared/webhooks/subscription/subscription.ts';

const NOW = Date.parse('2026-11-26T02:00:00.900Z');
const sealer = new Sealer([Buffer.alloc(32, 1)]);
const writer = new RequestWriter({ sealer, publicUrl: 'https://skerry.example/base/' });

const subscription: Subscription = {
  id: 'sub_1',
  name: 'shop',
  key: '/kv/shop',
  endpoint: 'https://example.com/hook',
  format: 'standard',
  state: 'active',
  since: { scope: 'ns1:kv:shop', revision: 0 },
  revision: 1,
  createdAt: '2026-11-26T00:00:00.000Z',
  updatedAt: '2026-11-26T00:00:00.000Z',
};

const change: Change<Json> = {
  revision: 7,
  key: '/kv/shop/blåbær "100 %"/日本\n',
  type: 'put',
  value: { name: 'Blåbærgrød 🫐', price: { dkk: 45, eur: 6 }, tags: ['a', 'b', 'c'] },
  previous: {
    key: '/kv/shop/x',
    value: { name: 'old', price: { dkk: 40 } },
    revision: 3,
    createdAt: '2026-11-26T00:00:00.000Z',
    updatedAt: '2026-11-26T00:00:00.000Z',
  },
  actor: 'somebody',
  at: '2026-11-26T01:59:59.000Z',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  writeId: 'w1',
};

const notification = { subscription, delivery: 'dlv_1', scope: 'ns1:kv:shop', change, now: NOW };

const data = {
  subscription: 'sub_1',
  ns: 'ns1',
  scope: 'ns1:kv:shop',
  key: change.key,
  revision: 7,
  type: 'put',
  actor: 'somebody',
  before: change.previous?.value,
  after: change.value,
};

function write(differences: Partial<Subscription>, changes: Partial<Change<Json>> = {}, now = NOW) {
  return writer.write({
    ...notification,
    subscription: { ...subscription, ...differences },
    change: { ...change, ...changes },
    now,
  });
}

describe('the format standard', () => {
  test('is an event of Standard Webhooks', () => {
    const { endpoint, headers, body } = write({});
    expect(endpoint).toBe(subscription.endpoint);
    expect(JSON.parse(body)).toEqual({ type: 'kv.put', timestamp: change.at, data });
    expect(headers).toEqual({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^Skerry\/\d/),
      'webhook-id': 'dlv_1',
      'webhook-timestamp': String(Math.floor(NOW / 1000)),
      traceparent: change.traceparent,
    });
  });

  test('has null where there is no record', () => {
    const { type: _, value: __, previous: ___, ...rest } = change;
    const { body } = writer.write({ ...notification, change: { ...rest, type: 'delete' } });
    expect(JSON.parse(body)).toMatchObject({ type: 'kv.delete', data: { before: null, after: null } });
  });

  test('names the state of an endpoint as what happened', () => {
    const changed = { ...change, key: '/endpoint/sub_2', value: { state: 'disabled' } };
    const { body } = writer.write({ ...notification, scope: 'ns1:endpoint:', change: changed });
    expect(JSON.parse(body)).toMatchObject({ type: 'endpoint.disabled' });
    const { value: _, ...removed } = { ...changed, type: 'delete' } as const;
    const ended = writer.write({ ...notification, scope: 'ns1:endpoint:', change: removed });
    expect(JSON.parse(ended.body)).toMatchObject({ type: 'endpoint.recovered', data: { type: 'delete' } });
  });
});

describe('the format cloudevents', () => {
  const attributes = {
    specversion: '1.0',
    id: '7',
    source: 'https://skerry.example/base/ns1/kv/shop',
    type: 'skerry.kv.put',
    time: '2026-11-26T01:59:59.000Z',
    datacontenttype: 'application/json',
    traceparent: change.traceparent,
  };

  test('in structured mode is read by the cloudevents package', () => {
    const { headers, body } = write({ format: 'cloudevents' });
    expect(headers['content-type']).toBe('application/cloudevents+json');
    expect(HTTP.toEvent({ headers, body })).toMatchObject({ ...attributes, subject: change.key, data });
    expect(Object.keys(headers).filter((name) => name.startsWith('ce-'))).toEqual([]);
  });

  test('in binary mode is read by the cloudevents package, and its headers are ASCII', () => {
    const { headers, body } = write({ format: 'cloudevents', mode: 'binary' });
    expect(headers['content-type']).toBe('application/json');
    const event = HTTP.toEvent({ headers, body });
    expect(event).toMatchObject({ ...attributes, data });
    // The package leaves decoding to its caller (HTTP Protocol Binding, section 3.1.3.2).
    const subject = headers['ce-subject'] ?? '';
    expect(subject).toMatch(/^[\x21\x23-\x7e]+$/);
    expect(subject).toContain('%20%22100%20%25%22/');
    expect(decodeURIComponent(subject)).toBe(change.key);
    expect(() => new Headers(headers)).not.toThrow();
  });

  test('without a public URL, and for a scope without a name, has a relative source', () => {
    const local = new RequestWriter({ sealer, publicUrl: undefined });
    const { body } = local.write({
      ...notification,
      subscription: { ...subscription, format: 'cloudevents' },
      scope: 'ns1:app:',
    });
    expect(JSON.parse(body)).toMatchObject({ source: '/ns1/app', type: 'skerry.app.put' });
  });
});

test('the format nesoi names hook and resource, under the public URL where there is one', () => {
  const hook = { ...subscription, format: 'nesoi', baseUrl: 'http://seen.example' } as const;
  expect(JSON.parse(writer.write({ ...notification, subscription: hook }).body)).toEqual({
    name: 'shop',
    uri: 'https://skerry.example/base/kv/shop',
  });
  const local = new RequestWriter({ sealer, publicUrl: undefined });
  expect(JSON.parse(local.write({ ...notification, subscription: hook }).body)).toEqual({
    name: 'shop',
    uri: 'http://seen.example/kv/shop',
  });
});

describe('selected fields', () => {
  test.each<[string, string[], Json, Json]>([
    ['a member', ['/name'], { name: 'old' }, { name: 'Blåbærgrød 🫐' }],
    ['a nested one', ['/price/eur'], { price: {} }, { price: { eur: 6 } }],
    ['items of an array, in their places', ['/tags/0', '/tags/2'], {}, { tags: ['a', null, 'c'] }],
    [
      'a member and what is in it',
      ['/price/dkk', '/price'],
      { price: { dkk: 40 } },
      { price: { dkk: 45, eur: 6 } },
    ],
    [
      'what is in a member, and it',
      ['/price', '/price/dkk'],
      { price: { dkk: 40 } },
      { price: { dkk: 45, eur: 6 } },
    ],
    ['nothing that is there', ['/tags/x', '/tags/-', '/__proto__/toString'], {}, { tags: [] }],
    ['everything', ['/name', ''], data.before ?? null, data.after ?? null],
  ])('%s', (_, fields, before, after) => {
    expect(JSON.parse(write({ fields }).body).data).toEqual({ ...data, before, after });
  });

  test('of a long array keep its end in its place', () => {
    const { body } = write({ fields: ['/299999'] }, { value: Array<Json>(300_000).fill(1) });
    const { after } = JSON.parse(body).data;
    expect(after).toHaveLength(300_000);
    expect(after.slice(-2)).toEqual([null, 1]);
  });

  test('of a value without members are none, which is not the same as no record', () => {
    const { body } = write({ fields: ['/a'] }, { value: 'text' });
    expect(JSON.parse(body).data).toMatchObject({ after: {} });
  });
});

describe('headers', () => {
  const seal = (headers: object) => ({
    names: Object.keys(headers),
    sealed: sealer.seal(JSON.stringify(headers), ['ns1', 'sub_1', 'headers']),
  });

  test('of the subscription are sent, and never instead of those of the request', () => {
    const headers = seal({ authorization: 'Bearer x', 'webhook-id': 'forged' });
    expect(write({ headers }).headers).toMatchObject({
      authorization: 'Bearer x',
      'webhook-id': 'dlv_1',
    });
  });

  test('that belong to another subscription do not open', () => {
    const headers = seal({ authorization: 'Bearer x' });
    expect(write({ headers }).headers).toHaveProperty('authorization');
    expect(() => write({ headers, id: 'sub_2' })).toThrow();
  });

  test('name who calls once the endpoint consents', () => {
    const consent = {
      tokenHash: 'h',
      sealedToken: 's',
      baseUrl: 'https://skerry.example',
      origin: 'skerry.example',
    };
    expect(write({ consent }).headers).not.toHaveProperty('webhook-request-origin');
    const granted = { ...consent, grantedAt: change.at };
    expect(write({ consent: granted }).headers).toMatchObject({ 'webhook-request-origin': 'skerry.example' });
  });
});

test('every key that has not expired signs, for receivers of the old and of the new one', () => {
  const secrets = [9, 8].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`);
  const now = Date.now();
  const signing = secrets.map((secret, index) => ({
    id: `key_${index}`,
    version: 'v1' as const,
    sealed: sealer.seal(secret, ['ns1', 'sub_1', `key_${index}`]),
    createdAt: change.at,
    ...(index === 1 && { expiresAt: new Date(now + 1_000).toISOString() }),
  }));
  const [current = '', old = ''] = secrets;
  const during = write({ signing }, {}, now);
  const after = write({ signing }, {}, now + 1_000);
  expect(during.headers['webhook-signature']?.split(' ')).toHaveLength(2);
  expect(new Webhook(current).verify(during.body, during.headers)).toBeDefined();
  expect(new Webhook(old).verify(during.body, during.headers)).toBeDefined();
  expect(new Webhook(current).verify(after.body, after.headers)).toBeDefined();
  expect(() => new Webhook(old).verify(after.body, after.headers)).toThrow(/signature/);
});

describe('a test', () => {
  const test_ = { ns: 'ns1', delivery: 'test_1', now: NOW };

  test('has a type of its own', () => {
    const standard = JSON.parse(writer.writeTest({ ...test_, subscription }).body);
    const told = {
      subscription: 'sub_1',
      ns: 'ns1',
      scope: 'ns1:hook:',
      key: '/hook/sub_1',
      revision: 1,
      type: 'test',
      actor: 'system:webhooks',
      before: null,
      after: null,
    };
    expect(standard).toEqual({ type: 'skerry.test', timestamp: new Date(NOW).toISOString(), data: told });
    for (const mode of ['structured', 'binary'] as const) {
      const request = writer.writeTest({
        ...test_,
        subscription: { ...subscription, format: 'cloudevents', mode },
      });
      expect(HTTP.toEvent(request)).toMatchObject({
        type: 'skerry.test',
        id: 'test_1',
        source: 'https://skerry.example/base/ns1/hook',
        subject: '/hook/sub_1',
        data: told,
      });
    }
  });

  test('of a Nesoi hook looks like any other call', () => {
    const hook = { ...subscription, format: 'nesoi' } as const;
    expect(writer.writeTest({ ...test_, subscription: hook }).body).toBe(
      writer.write({ ...notification, subscription: hook }).body,
    );
  });
});

describe.each(['v1', 'v1a'] as const)('what is signed by %s', (version) => {
  const maker = { sealer, random: systemRandom, now: NOW };
  const { key, secret = key.publicKey ?? '' } = newSigningKey('ns1', 'sub_1', version, maker);

  test.each([
    { format: 'standard' },
    { format: 'cloudevents', mode: 'structured' },
    { format: 'cloudevents', mode: 'binary' },
  ] as const)('is verified and read by the client: %o', async (format) => {
    const signed = { ...subscription, ...format, signing: [key] };
    const told = { delivery: 'dlv_1', now: NOW, subscription: signed };
    const requests = [
      writer.write({ ...told, scope: 'ns1:kv:shop', change }),
      writer.writeTest({ ...told, ns: 'ns1' }),
    ];
    const events = await Promise.all(
      requests.map(({ headers, body }) =>
        verifyWebhook({ payload: body, headers, secrets: secret, now: NOW }),
      ),
    );
    const prefix = format.format === 'standard' ? '' : 'skerry.';
    expect(events).toMatchObject([
      { type: `${prefix}kv.put`, data },
      { type: 'skerry.test', data: { subscription: 'sub_1', type: 'test' } },
    ]);
  });
});
