import { createHmac, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';
import { sign, signBytes } from '../../../shared/webhooks/notification/signature.ts';

const BODY = '{"name":"Blåbærgrød 🫐"}';

describe('v1', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

  test('is what the standardwebhooks package writes, and what it takes', () => {
    const now = Math.floor(Date.now() / 1000);
    const webhook = new Webhook(secret);
    const signature = sign('v1', secret, 'dlv_1', now, BODY);
    expect(signature).toBe(webhook.sign('dlv_1', new Date(now * 1000), BODY));
    const headers = { 'webhook-id': 'dlv_1', 'webhook-timestamp': String(now) };
    expect(webhook.verify(BODY, { ...headers, 'webhook-signature': signature })).toEqual(JSON.parse(BODY));
    const forged = sign('v1', secret, 'dlv_2', now, BODY);
    expect(() => webhook.verify(BODY, { ...headers, 'webhook-signature': forged })).toThrow(/signature/);
  });

  test('is HMAC-SHA256 over id, timestamp and body', () => {
    const mac = createHmac('sha256', Buffer.alloc(32, 7)).update(`dlv_1.5.${BODY}`).digest('base64');
    expect(sign('v1', secret, 'dlv_1', 5, BODY)).toBe(`v1,${mac}`);
  });
});

describe('v1a', () => {
  /** RFC 8032, section 7.1: seed, public key, message, signature. */
  test.each([
    [
      'TEST 1',
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      'TEST 2',
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'TEST 3',
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ])('is ed25519 as RFC 8032 has it: %s', (_, seed, publicKey, message, signature) => {
    const secret = Buffer.from(seed + publicKey, 'hex');
    expect(signBytes('v1a', secret, Buffer.from(message, 'hex')).toString('hex')).toBe(signature);
    expect(signBytes('v1a', secret.subarray(0, 32), Buffer.from(message, 'hex')).toString('hex')).toBe(
      signature,
    );
  });

  test('verifies with the public key alone', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
    const bytes = Buffer.concat([Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]);
    const [version, signature = ''] = sign('v1a', `whsk_${bytes.toString('base64')}`, 'dlv_1', 5, BODY).split(
      ',',
    );
    expect(version).toBe('v1a');
    const shown = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    for (const key of [publicKey, shown]) {
      const bytesOf = Buffer.from(signature, 'base64');
      expect(verify(undefined, Buffer.from(`dlv_1.5.${BODY}`), key, bytesOf)).toBe(true);
      expect(verify(undefined, Buffer.from(`dlv_1.6.${BODY}`), key, bytesOf)).toBe(false);
    }
  });
});
