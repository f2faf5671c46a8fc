import { describe, expect, test } from 'vitest';
import { checkEndpoint, isPublicAddress } from '../../../shared/webhooks/endpoint/endpoint-policy.ts';

const PUBLIC_ONLY = { allowPrivate: false, ports: [443, 8443] };
const LOCAL = { allowPrivate: true, ports: [] };
const REFUSAL = expect.objectContaining({ kind: 'invalid', field: 'endpoint' });

test.each([
  'https://example.com',
  'https://example.com:8443/hooks/1?token=a%20b',
  'HTTPS://EXAMPLE.COM/',
  'https://93.184.216.34/hook',
  'https://[2606:2800:220:1:248:1893:25c8:1946]/hook',
  'https://[::ffff:93.184.216.34]/hook',
  'https://example.com/@user',
])('%s may be called', (endpoint) => {
  expect(() => checkEndpoint(endpoint, PUBLIC_ONLY)).not.toThrow();
});

describe('refused everywhere', () => {
  test.each([
    ['nothing', ''],
    ['a path', '/hook'],
    ['a name alone', 'example.com/hook'],
    ['no authority', 'https:example.com'],
    ['an empty authority', 'https:///example.com'],
    ['another scheme', 'ftp://example.com'],
    ['a file', 'file:///etc/passwd'],
    ['credentials', 'https://user:secret@example.com'],
    ['empty credentials', 'https://@example.com'],
    ['credentials that look like a host', 'https://example.com:80@127.0.0.1'],
    ['a fragment', 'https://example.com/#top'],
    ['an empty fragment', 'https://example.com/#'],
    ['a space before it', ' https://example.com'],
    ['a line feed in it', 'https://exam\nple.com'],
    ['a tab in it', 'https://example.com/\thook'],
    ['a backslash', 'https://example.com\\@127.0.0.1'],
    ['a port that is none', 'https://example.com:99999'],
    ['more than 2,000 characters', `https://example.com/${'x'.repeat(2_000)}`],
  ])('%s', (_, endpoint) => {
    expect(() => checkEndpoint(endpoint, LOCAL)).toThrow(REFUSAL);
  });
});

describe('refused outside local mode', () => {
  test.each([
    'http://example.com',
    'https://localhost',
    'https://LOCALHOST./',
    'https://app.localhost',
    'https://intranet',
    'https://router.lan',
    'https://localhost../',
    'https://example.com:80',
    'https://example.com:22/hook',
    'https://127.0.0.1',
    'https://127.1',
    'https://2130706433',
    'https://0x7f.0.0.1',
    'https://0177.0.0.1',
    'https://0.0.0.0',
    'https://127.0.0.1./',
    'https://①②⑦.0.0.1',
    'https://10.1.2.3',
    'https://172.16.0.1',
    'https://192.168.1.1',
    'https://100.64.0.1',
    'https://169.254.169.254/metadata/instance',
    'https://168.63.129.16',
    'https://198.18.0.1',
    'https://224.0.0.1',
    'https://255.255.255.255',
    'https://[::1]',
    'https://[::]',
    'https://[::ffff:127.0.0.1]',
    'https://[::ffff:7f00:1]',
    'https://[::127.0.0.1]',
    'https://[fe80::1]',
    'https://[fc00::1]',
    'https://[fd00:ec2::254]',
    'https://[ff02::1]',
    'https://[64:ff9b::7f00:1]',
    'https://[2002:7f00:1::]',
    'https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]',
    'https://[2001:db8::1]',
  ])('%s', (endpoint) => {
    expect(() => checkEndpoint(endpoint, PUBLIC_ONLY)).toThrow(REFUSAL);
    expect(() => checkEndpoint(endpoint, LOCAL)).not.toThrow();
  });
});

test.each([
  ['1.1.1.1', true],
  ['2606:4700:4700::1111', true],
  ['::ffff:1.1.1.1', true],
  ['127.0.0.1', false],
  ['::ffff:10.0.0.1', false],
  ['fe80::1%eth0', false],
  ['4000::1', false],
  ['no address', false],
  ['', false],
])('the resolved address "%s" is public: %s', (address, expected) => {
  expect(isPublicAddress(address)).toBe(expected);
});
