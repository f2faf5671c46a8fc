/** Addresses that no endpoint may have: the machine itself, its networks, and what clouds keep at well-known places. */
const PRIVATE_IPV4 = [
  '127.0.0.1',
  '10.0.0.1',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '168.63.129.16',
  '100.100.100.200',
  '0.0.0.0',
];

/** The ways of writing an IPv4 address, and of hiding one in an IPv6 address. */
const SPELLINGS: readonly ((octets: readonly number[]) => string)[] = [
  (octets) => octets.join('.'),
  (octets) => `${octets.join('.')}.`,
  (octets) => String(toNumber(octets)),
  (octets) => `0x${toHex(octets).join('')}`,
  (octets) => `0${toNumber(octets).toString(8)}`,
  (octets) => octets.map((octet) => `0x${octet.toString(16)}`).join('.'),
  (octets) => octets.map((octet) => `0${octet.toString(8)}`).join('.'),
  (octets) => `${octets[0]}.${toNumber([0, ...octets.slice(1)])}`,
  (octets) => `${octets[0]}.0x${octets[1]?.toString(16)}.${toNumber([0, 0, ...octets.slice(2)])}`,
  (octets) => octets.join('。'),
  (octets) => octets.join('．'),
  (octets) => octets.join('%2e'),
  (octets) => replaceDigits(octets.join('.'), 0xff10),
  (octets) => replaceDigits(octets.join('.'), 0x1d7ce),
  (octets) => octets.join('.\u00ad'),
  (octets) => `[::ffff:${octets.join('.')}]`,
  (octets) => `[0:0:0:0:0:FFFF:${inGroups(octets)}]`,
  (octets) => `[::${octets.join('.')}]`,
  (octets) => `[::ffff:0:${octets.join('.')}]`,
  (octets) => `[64:ff9b::${octets.join('.')}]`,
  (octets) => `[64:ff9b:1::${inGroups(octets)}]`,
  (octets) => `[2002:${inGroups(octets)}::1]`,
  (octets) => `[2001:0:${inGroups(octets)}::1]`,
  (octets) => `[fe80::5efe:${octets.join('.')}]`,
  (octets) => `[2606:4700::5efe:${octets.join('.')}]`,
  (octets) => `[2606:4700::200:5efe:${inGroups(octets)}]`,
];

/** Literals of ranges that are not public, by their first and last addresses where that matters. */
const SPECIAL_HOSTS = [
  ...['0.1.2.3', '10.255.255.255', '100.64.0.0', '100.127.255.255', '127.255.255.254', '169.254.0.0'],
  ...['169.254.169.253', '172.31.255.255', '192.0.0.0', '192.0.0.192', '192.0.2.1', '192.31.196.1'],
  ...['192.52.193.1', '192.88.99.1', '192.168.255.255', '192.175.48.1', '198.18.0.0', '198.19.255.255'],
  ...['198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
  ...['0', '00', '0x0', '0.0', '127.1', '127.0.1', '0x7f.1', '017700000001', '0x0000007f.1', '127.0.0.1..'],
  ...['[::]', '[::1]', '[0:0:0:0:0:0:0:1]', '[0000::0001]', '[::2]', '[100::1]', '[100:0:0:1::1]'],
  ...['[2001:2::1]', '[2001:3::1]', '[2001:10::1]', '[2001:20::1]', '[2001:30::1]', '[2001:1ff::1]'],
  ...['[2001:4:112::1]', '[2001:db8::1]', '[2620:4f:8000::1]', '[3fff::1]', '[4000::1]', '[5f00::1]'],
  ...['[fc00::1]', '[fd00:ec2::254]', '[fd20:ce::254]', '[fe80::1]', '[febf::1]', '[fec0::1]', '[ff02::1]'],
  ...['[ff0e::1]', '[64:ff9b:2::1]', '[fe80::1%25lo]', '[fe80::1%lo]', '[::1%25lo]', '[::ffff:127.1]'],
];

/** Names that mean the machine or its network; the resolver of the test says 127.0.0.1 to all of them, and to all others. */
const NAMES = [
  ...['localhost', 'LOCALHOST', 'localhost.', 'localhost..', 'a.localhost', 'localhost.localdomain'],
  ...[
    'ip6-localhost',
    'ip6-loopback',
    'broadcasthost',
    'intranet',
    'router.lan',
    'printer.local',
    'a.internal',
  ],
  ...['metadata.google.internal', 'metadata', 'instance-data', 'wireserver', 'host.docker.internal'],
  ...[
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    'a.home.arpa',
    'db.corp',
    'x.private',
  ],
  ...['ｌｏｃａｌｈｏｓｔ', 'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ', 'local\u00adhost', '%6c%6f%63%61%6c%68%6f%73%74', 'localhost%2e'],
  ...[
    '127.0.0.1.nip.io',
    'localtest.me',
    'lvh.me',
    'rebind.example.com',
    'hooks.example.com.',
    'bücher.example',
  ],
  ...['1.0.0.127.in-addr.arpa', '127.0.0.1.example.com', '0x7f000001.example.com', 'xn--n3h.example.com'],
];

/** URLs that name one thing to one parser and another to the next, or that are none. */
const TRICKS: readonly ((port: number) => string)[] = [
  (port) => `https://example.com@127.0.0.1:${port}`,
  (port) => `https://example.com:443@127.0.0.1:${port}`,
  (port) => `https://user:password@127.0.0.1:${port}`,
  (port) => `https://@127.0.0.1:${port}`,
  (port) => `https://:@127.0.0.1:${port}`,
  (port) => `https://127.0.0.1:${port}@example.com`,
  (port) => `https://example.com%40127.0.0.1:${port}`,
  (port) => `https://example.com\\@127.0.0.1:${port}`,
  (port) => `https://127.0.0.1:${port}\\@example.com`,
  (port) => `https:\\\\127.0.0.1:${port}`,
  (port) => `https:/\\127.0.0.1:${port}`,
  (port) => `https:/127.0.0.1:${port}`,
  (port) => `https:127.0.0.1:${port}`,
  (port) => `https:///127.0.0.1:${port}`,
  (port) => `//127.0.0.1:${port}`,
  (port) => `127.0.0.1:${port}`,
  (port) => `https://127.0.0.1:${port}#@example.com`,
  (port) => `https://127.0.0.1:${port}?@example.com`,
  (port) => `https://example.com#@127.0.0.1:${port}`,
  (port) => ` https://127.0.0.1:${port}`,
  (port) => `https://127.0.0.1:${port} `,
  (port) => `\u0000https://127.0.0.1:${port}`,
  (port) => `https://127.0.0.1:${port}\r\nhost: example.com`,
  (port) => `https://127.0.0.1\t:${port}`,
  (port) => `https://127.0.\n0.1:${port}`,
  (port) => `https://127.0.0.1%00.example.com:${port}`,
  (port) => `https://127.0.0.1%0a:${port}`,
  (port) => `https://127.0.0.1%20:${port}`,
  (port) => `https://[127.0.0.1]:${port}`,
  (port) => `https://[::1:${port}`,
  (port) => `https://::1:${port}`,
  (port) => `https://[::1]]:${port}`,
  (port) => `https://[::1].example.com:${port}`,
  (port) => `https://[[::1]]:${port}`,
  (port) => `https://[v1.127.0.0.1]:${port}`,
  (port) => `https://127.0.0.1:${port}:443`,
  (port) => `https://127.0.0.1:0${port}`,
  (port) => `https://127.0.0.1:%3${port}`,
  (port) => `HTTPS://127.0.0.1:${port}`,
  (port) => `hTtPs://[::1]:${port}`,
  (port) => `http://127.0.0.1:${port}`,
  (port) => `http://example.com:${port}`,
  (port) => `http://[::1]:${port}`,
  (port) => `ws://127.0.0.1:${port}`,
  (port) => `wss://127.0.0.1:${port}`,
  (port) => `ftp://127.0.0.1:${port}`,
  (port) => `gopher://127.0.0.1:${port}/_GET`,
  (port) => `http+unix://127.0.0.1:${port}`,
  (port) => `unix:///tmp/${port}`,
  (port) => `file://127.0.0.1:${port}/etc/passwd`,
  () => 'file:///etc/passwd',
  () => 'data:text/plain,x',
  () => 'javascript:0',
  () => 'blob:https://127.0.0.1/x',
  () => 'https://',
  () => 'https://.',
  () => 'https://:443',
  () => 'https://256.256.256.256',
  () => 'https://93.184.216.34:22',
  () => 'https://93.184.216.34:25',
  () => 'https://93.184.216.34:80',
  () => 'https://93.184.216.34:6379',
  () => 'https://93.184.216.34:10250',
  () => 'https://93.184.216.34:0',
  () => 'https://93.184.216.34:65536',
  () => 'https://93.184.216.34:-443',
];

/**
 * URLs of endpoints none of which may be called outside local mode.
 *
 * @param port is allowed, and something listens there on the loopback interface.
 */
export function hostileEndpoints(port: number): readonly string[] {
  const spelled = PRIVATE_IPV4.flatMap((address) => {
    const octets = address.split('.').map(Number);
    return SPELLINGS.map((spell) => spell(octets));
  });
  const hosts = [...spelled, ...SPECIAL_HOSTS, ...NAMES];
  const urls = [
    ...hosts.map((host) => `https://${host}:${port}/hook`),
    ...TRICKS.map((trick) => trick(port)),
  ];
  return [...new Set(urls)];
}

function toNumber(octets: readonly number[]): number {
  return octets.reduce((number, octet) => number * 256 + octet, 0);
}

function toHex(octets: readonly number[]): readonly string[] {
  return octets.map((octet) => octet.toString(16).padStart(2, '0'));
}

function inGroups(octets: readonly number[]): string {
  const [first, second, third, fourth] = toHex(octets);
  return `${first}${second}:${third}${fourth}`;
}

/** @param zero the code point of another zero than ASCII's. */
function replaceDigits(text: string, zero: number): string {
  return text.replace(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)));
}
