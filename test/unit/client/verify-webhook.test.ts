import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import {
  RawContent,
  verifyWebhook,
  type WebhookVerification,
  WebhookVerificationError,
} from '../../../client/index.ts';
import { readVerificationKey } from '../../../client/webhooks/verification-key.ts';
import { printedSeed, runs } from '../../integration/seeded-runs.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');
const CHANGE = {
  subscription: 'sub_1',
  ns: 'default',
  scope: 'default:kv:a1',
  key: '/kv/a1/motd',
  revision: 7,
  type: 'put',
  actor: 'ada',
  before: null,
  after: { mtu: 1500, tags: ['ä', '…'] },
};
const EVENT = { type: 'kv.put', timestamp: '2026-11-26T11:59:59.000Z', data: CHANGE };

/** What Skerry signs with: the secret side, and what its receivers are given. */
interface SigningKey {
  readonly secret: string;
  sign(content: string): string;
}

function hmacKey(bytes = randomBytes(32)): SigningKey {
  return {
    secret: `whsec_${bytes.toString('base64')}`,
    sign: (content) => `v1,${createHmac('sha256', bytes).update(content).digest('base64')}`,
  };
}

function ed25519Key(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const bytes = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return {
    secret: `whpk_${bytes.toString('base64')}`,
    sign: (content) => `v1a,${sign(null, Buffer.from(content), privateKey).toString('base64')}`,
  };
}

interface Sent {
  readonly keys: readonly SigningKey[];
  readonly body?: string;
  readonly id?: string;
  readonly timestamp?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function send({
  keys,
  body = JSON.stringify(EVENT),
  id = 'dlv_1',
  timestamp = String(NOW / 1000),
  headers,
}: Sent): WebhookVerification & { readonly headers: Record<string, string> } {
  return {
    payload: body,
    headers: {
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': keys.map((key) => key.sign(`${id}.${timestamp}.${body}`)).join(' '),
      ...headers,
    },
    secrets: keys.map(({ secret }) => secret),
    now: NOW,
  };
}

async function codeOf(verification: WebhookVerification): Promise<string> {
  const error: unknown = await verifyWebhook(verification).then(
    () => 'verified',
    (reason) => reason,
  );
  if (error instanceof WebhookVerificationError) return error.code;
  return error instanceof TypeError ? 'TypeError' : String(error);
}

describe.each([
  ['v1', hmacKey],
  ['v1a', ed25519Key],
])('a webhook signed by %s', (version, makeKey) => {
  const key = makeKey();
  const sent = send({ keys: [key] });

  it('is verified, as text or bytes, with headers of any library', async () => {
    const { headers } = sent;
    const variants: readonly Partial<WebhookVerification>[] = [
      { payload: Buffer.from(String(sent.payload)) },
      { headers: new Headers(headers) },
      {
        headers: Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name.toUpperCase(), value]),
        ),
      },
      { headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])) },
      { secrets: `${key.secret}\n` },
    ];
    for (const variant of [{}, ...variants])
      expect(await verifyWebhook({ ...sent, ...variant })).toEqual(EVENT);
  });

  it('is verified by any of several secrets and signatures, and unknown versions are passed over', async () => {
    const [other, another] = [hmacKey(), ed25519Key()];
    const rotating = send({ keys: [other, key] });
    expect(await verifyWebhook({ ...rotating, secrets: key.secret })).toEqual(EVENT);
    const secrets = [another.secret, other.secret, key.secret];
    expect(await verifyWebhook({ ...sent, secrets })).toEqual(EVENT);
    const own = sent.headers['webhook-signature'];
    // The Fetch API joins headers of one name by commas.
    for (const list of [`v2,AAAA v1,??? v1a, ${own}`, `${own}, v1,AAAA`, `v1,AAAA, ${own}`]) {
      const headers = { ...sent.headers, 'webhook-signature': list };
      expect(await verifyWebhook({ ...sent, headers })).toEqual(EVENT);
    }
  });

  it('is refused fast, whatever anybody sends as its signatures', async () => {
    const payload = 'x'.repeat(1_000_000);
    const one = `${version},${randomBytes(version === 'v1' ? 32 : 64).toString('base64')} `;
    const begun = performance.now();
    for (const list of ['a'.repeat(100_000), ' '.repeat(100_000), 'a,'.repeat(50_000), one.repeat(20_000)]) {
      const headers = { ...sent.headers, 'webhook-signature': `,${list},` };
      expect(await codeOf({ ...sent, payload, headers })).toMatch(/^(malformed|no-matching-signature)$/);
    }
    expect(performance.now() - begun).toBeLessThan(4_000);
  });

  it('is refused where any part of it was changed', async () => {
    const signature = String(sent.headers['webhook-signature']);
    const changes: readonly [part: Record<string, string>, code: string][] = [
      [{ 'webhook-id': 'dlv_2' }, 'no-matching-signature'],
      [{ 'webhook-timestamp': String(NOW / 1000 + 1) }, 'no-matching-signature'],
      [{ 'webhook-timestamp': `0${NOW / 1000}` }, 'no-matching-signature'],
      [
        { 'webhook-signature': signature.replace(/,./, (start) => (start === ',A' ? ',B' : ',A')) },
        'no-matching-signature',
      ],
      [{ 'webhook-signature': signature.slice(0, -8) }, 'no-matching-signature'],
      [{ 'webhook-signature': `v2,${signature.split(',')[1]}` }, 'no-matching-signature'],
      [{ 'webhook-signature': signature.replace(',', ' ') }, 'malformed'],
      [{ 'webhook-timestamp': `${NOW / 1000}.5` }, 'malformed'],
      [{ 'webhook-timestamp': 'now' }, 'malformed'],
      [{ 'webhook-id': 'dlv_1.5' }, 'malformed'],
    ];
    for (const [part, code] of changes) {
      expect([part, await codeOf({ ...sent, headers: { ...sent.headers, ...part } })]).toEqual([part, code]);
    }
    for (const payload of [`${sent.payload} `, String(sent.payload).replace('1500', '1501'), '']) {
      expect(await codeOf({ ...sent, payload })).toBe('no-matching-signature');
    }
    expect(await codeOf({ ...sent, secrets: makeKey().secret })).toBe('no-matching-signature');
  });

  it('is as old as its timestamp says, by a tolerance that can be chosen', async () => {
    const ages: readonly [seconds: number, code: string][] = [
      [300, 'verified'],
      [301, 'timestamp-too-old'],
      [-300, 'verified'],
      [-301, 'timestamp-too-new'],
      [Number.NaN, 'timestamp-too-old'],
    ];
    for (const [seconds, code] of ages) {
      expect([seconds, await codeOf({ ...sent, now: NOW + seconds * 1000 })]).toEqual([seconds, code]);
    }
    expect(await codeOf({ ...sent, now: NOW + 301_000, toleranceSeconds: 600 })).toBe('verified');
    expect(await codeOf({ ...sent, toleranceSeconds: Number.NaN })).toBe('timestamp-too-old');
  });

  it('needs all three headers', async () => {
    for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature']) {
      expect(await codeOf({ ...sent, headers: { ...sent.headers, [name]: '' } })).toBe('missing-header');
      const { [name]: _, ...others } = sent.headers;
      expect(await codeOf({ ...sent, headers: others })).toBe('missing-header');
    }
  });
});

describe('verifyWebhook', () => {
  it('says what is missing where the secrets are for another kind of signature', async () => {
    const { secrets } = send({ keys: [hmacKey()] });
    await expect(verifyWebhook({ ...send({ keys: [ed25519Key()] }), secrets })).rejects.toThrow(
      'signed by v1a, and there is no secret for that',
    );
  });

  it('refuses secrets and payloads that cannot be used, without quoting them', async () => {
    const sent = send({ keys: [hmacKey()] });
    for (const secrets of [
      [],
      '',
      'whsec_',
      'whsec_not base64!',
      'c2VjcmV0',
      'whpk_c2VjcmV0',
      'whsk_c2VjcmV0',
    ]) {
      expect([secrets, await codeOf({ ...sent, secrets })]).toEqual([secrets, 'TypeError']);
      await expect(verifyWebhook({ ...sent, secrets })).rejects.not.toThrow('c2VjcmV0');
    }
    expect(await codeOf({ ...sent, payload: EVENT as unknown as string })).toBe('TypeError');
  });

  it('agrees with RFC 8032 about ed25519 (7.1, tests 1 to 3)', async () => {
    const vectors = [
      [
        'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
        '',
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
      ],
      [
        '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
        '72',
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
      ],
      [
        'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
        'af82',
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
      ],
    ];
    for (const [publicKey = '', message = '', signature = ''] of vectors) {
      const key = await readVerificationKey(`whpk_${Buffer.from(publicKey, 'hex').toString('base64')}`);
      const content = Uint8Array.from(Buffer.from(message, 'hex'));
      expect(await key.verifies(Uint8Array.from(Buffer.from(signature, 'hex')), content)).toBe(true);
      const other = Uint8Array.from([...content, 0]);
      expect(await key.verifies(Uint8Array.from(Buffer.from(signature, 'hex')), other)).toBe(false);
    }
  });

  it('agrees with the library of Standard Webhooks, both ways, whatever is sent', async () => {
    const json = fc.jsonValue();
    const word = fc.stringMatching(/^[\w-]{1,40}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 24, maxLength: 64 }),
        word,
        json,
        json,
        async (bytes, id, before, after) => {
          const key = hmacKey(Buffer.from(bytes));
          const library = new Webhook(key.secret);
          const event = { ...EVENT, data: { ...CHANGE, before, after } };
          const body = JSON.stringify(event);
          const at = new Date();
          const timestamp = String(Math.floor(at.getTime() / 1000));
          const sent = send({ keys: [key], id, timestamp, body });
          expect(sent.headers['webhook-signature']).toBe(library.sign(id, at, body));
          expect(library.verify(body, sent.headers)).toEqual(JSON.parse(body));
          expect(await verifyWebhook({ ...sent, now: at.getTime() })).toEqual(JSON.parse(body));
        },
      ),
      { seed: printedSeed('verifyWebhook'), numRuns: runs(100, 10_000) },
    );
  });

  it('verifies nothing of which a bit was changed', async () => {
    const keys = [hmacKey(), ed25519Key()];
    const { payload, headers, ...rest } = send({ keys, headers: {} });
    // A header with two signatures holds one that is right.
    const parts = ['webhook-id', 'webhook-timestamp', 'payload'];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...parts),
        fc.nat(),
        fc.integer({ min: 1, max: 127 }),
        async (part, at, bits) => {
          const bytes = Buffer.from(part === 'payload' ? String(payload) : String(headers[part]), 'utf8');
          const place = at % bytes.length;
          bytes[place] = Number(bytes[place]) ^ bits;
          const changed =
            part === 'payload'
              ? { payload: bytes, headers }
              : { payload, headers: { ...headers, [part]: bytes.toString() } };
          expect(await codeOf({ ...rest, ...changed })).toMatch(/^(no-matching|malformed|missing|timestamp)/);
        },
      ),
      { seed: printedSeed('changed webhooks'), numRuns: runs(200, 10_000) },
    );
  });
});

describe('the event of a webhook', () => {
  const keys = [hmacKey()];
  const CLOUD_EVENT = {
    specversion: '1.0',
    id: '7',
    source: '/default/kv/a1',
    type: 'skerry.kv.put',
    subject: '/kv/a1/motd',
    time: '2026-11-26T11:59:59.000Z',
    datacontenttype: 'application/json',
    data: CHANGE,
  };
  const { data: _, datacontenttype: __, ...ATTRIBUTES } = CLOUD_EVENT;
  const prefixed = (attributes: Readonly<Record<string, string | undefined>>) =>
    Object.fromEntries(
      Object.entries(attributes).flatMap(([name, value]) =>
        value === undefined ? [] : [[`ce-${name}`, value]],
      ),
    );

  it('may be a CloudEvent, structured or binary', async () => {
    const structured = send({ keys, body: JSON.stringify({ ...CLOUD_EVENT, traceparent: '00-1-2-01' }) });
    expect(await verifyWebhook(structured)).toEqual({ ...CLOUD_EVENT, traceparent: '00-1-2-01' });
    const binary = send({ keys, body: JSON.stringify(CHANGE), headers: prefixed(ATTRIBUTES) });
    expect(await verifyWebhook(binary)).toEqual(CLOUD_EVENT);
    const key = '/kv/a1/größe';
    const escaped = prefixed({ ...ATTRIBUTES, subject: encodeURIComponent(key) });
    const umlaut = send({ keys, body: JSON.stringify({ ...CHANGE, key }), headers: escaped });
    expect(await verifyWebhook(umlaut)).toMatchObject({ subject: key });
  });

  it('holds text and bytes as they are', async () => {
    const after = { $text: 'hello', contentType: 'text/plain' };
    const sent = send({ keys, body: JSON.stringify({ ...EVENT, data: { ...CHANGE, after } }) });
    const event = await verifyWebhook(sent);
    expect(event.type !== 'skerry.test' && event.data.after).toEqual(new RawContent('hello', 'text/plain'));
  });

  it('may be a test, which tells of no change', async () => {
    const subscription = { scope: 'default:hook:', key: '/hook/sub_1', type: 'test', after: null };
    const data = { ...CHANGE, ...subscription };
    const test = { type: 'skerry.test', timestamp: '2026-11-26T12:00:00.000Z', data };
    expect(await verifyWebhook(send({ keys, body: JSON.stringify(test) }))).toEqual(test);
    const attributes = { id: 'dlv_1', source: '/default/hook', type: 'skerry.test', subject: '/hook/sub_1' };
    const sent = { keys, body: JSON.stringify(data) };
    const headers = prefixed({ ...ATTRIBUTES, ...attributes });
    expect(await verifyWebhook(send({ ...sent, headers }))).toMatchObject({ ...attributes, data });
    const forged = prefixed({ ...ATTRIBUTES, ...attributes, id: 'dlv_2' });
    expect(await codeOf(send({ ...sent, headers: forged }))).toBe('malformed');
  });

  it('is what the signed body says, whatever the headers make of it', async () => {
    const body = JSON.stringify(CHANGE);
    const changes = {
      id: '8',
      subject: '/kv/a1/x',
      type: 'skerry.kv.delete',
      source: '/default/kv/a2',
      specversion: undefined,
    };
    for (const change of Object.entries(changes)) {
      const headers = prefixed({ ...ATTRIBUTES, ...Object.fromEntries([change]) });
      expect([change, await codeOf(send({ keys, body, headers }))]).toEqual([change, 'malformed']);
    }
    expect(await verifyWebhook(send({ keys, headers: prefixed(ATTRIBUTES) }))).toEqual(EVENT);
    for (const other of ['', '{', '[]', '{}', body]) {
      expect([other, await codeOf(send({ keys, body: other }))]).toEqual([other, 'malformed']);
    }
  });
});
