import { promises as dns } from 'node:dns';
import { once } from 'node:events';
import { createServer } from 'node:http';
import net from 'node:net';
import tls from 'node:tls';
import { Agent, buildConnector, request } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../shared/platform/clock.ts';
import { createConnector } from '../../../shared/webhooks/endpoint/connector.ts';
import { createWebhookClient } from '../../../shared/webhooks/index.ts';
import { hostileEndpoints } from './hostile-endpoints.ts';

const LOOPBACK = ['127.0.0.1'];
const PUBLIC = ['93.184.216.34'];

const listeners = [listener(), listener()] as const;
let port: number;
/** Whether a connection is kept after an answer. */
let isKept: boolean;
/** Connections that reached the loopback interface. */
let accepted: number;
/** Addresses that a connection was attempted to, anywhere. */
let attempted: string[];
/** What the resolver says of a name. */
let resolve: (name: string) => readonly string[];
/** Names that the resolver was asked for, for each family. */
let asked: string[];

beforeAll(async () => {
  const [ipv4, ipv6] = listeners;
  ipv4.listen(0, '127.0.0.1');
  await once(ipv4, 'listening');
  const address = ipv4.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
  ipv6.listen(port, '::1');
  // Not every machine has an IPv6 loopback; attempts are recorded all the same.
  await Promise.race([once(ipv6, 'listening'), once(ipv6, 'error')]);
});

afterAll(() => {
  for (const listening of listeners) {
    listening.closeAllConnections();
    listening.close();
  }
});

beforeEach(() => {
  accepted = 0;
  attempted = [];
  isKept = false;
  asked = [];
  resolve = () => LOOPBACK;
  for (const [method, family] of [
    ['resolve4', 4],
    ['resolve6', 6],
  ] as const) {
    vi.spyOn(dns.Resolver.prototype, method).mockImplementation((async (name: string) => {
      asked.push(name);
      return resolve(name).filter((address) => net.isIP(address.replace(/%.*/, '')) === family);
    }) as typeof dns.resolve4);
  }
  const { connect } = net.Socket.prototype;
  vi.spyOn(net.Socket.prototype, 'connect').mockImplementation(function (
    this: net.Socket,
    ...args: unknown[]
  ) {
    this.on('connectionAttempt', (address: string) => attempted.push(address));
    return Reflect.apply(connect, this, args);
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

function listener() {
  const server = createServer((_request, response) => {
    response.shouldKeepAlive = isKept;
    response.end();
  });
  return server.on('connection', () => {
    accepted += 1;
  });
}

function client(allowPrivate: boolean) {
  const policy = { allowPrivate, ports: [443, 8443, port] };
  return createWebhookClient({ policy, timeoutMilliseconds: 5_000, clock: systemClock });
}

function post({ post }: ReturnType<typeof client>, endpoint: string) {
  return post({ endpoint, headers: {}, body: '{}' });
}

describe('no socket is opened to a private address', () => {
  test('by any of the hostile URLs, of which there are enough', async () => {
    const endpoints = hostileEndpoints(port);
    expect(endpoints.length).toBeGreaterThan(300);
    const safe = client(false);
    for (const endpoint of endpoints) {
      const result = await post(safe, endpoint);
      expect(result, endpoint).toEqual({
        error: expect.stringMatching(/\w/),
        ...(result.isFinal && { isFinal: true }),
      });
      expect(attempted, endpoint).toEqual([]);
      const { askForConsent } = safe;
      expect(await askForConsent({ endpoint, headers: {} }), endpoint).toHaveProperty('error');
    }
    expect({ accepted, attempted }).toEqual({ accepted: 0, attempted: [] });
  });

  test('not even if nobody had looked at the URL before the connection', async () => {
    const dispatcher = new Agent({
      connect: createConnector({ allowPrivate: false, ports: [443, port] }, buildConnector),
    });
    let refused = 0;
    for (const endpoint of hostileEndpoints(port)) {
      const attempt = async () => await request(endpoint, { method: 'POST', dispatcher });
      await expect(attempt(), endpoint).rejects.toThrow();
      refused += 1;
      expect(attempted, endpoint).toEqual([]);
    }
    expect({ accepted, attempted }).toEqual({ accepted: 0, attempted: [] });
    expect(refused).toBeGreaterThan(300);
    await dispatcher.close();
  });

  test('while the same client opens them where private endpoints are allowed, and the test would see it', async () => {
    const local = client(true);
    const reachable = [
      '127.0.0.1',
      '0x7f.1',
      '2130706433',
      '127。0。0。1',
      '[::ffff:127.0.0.1]',
      'localhost',
    ];
    for (const host of reachable) {
      expect(await post(local, `http://${host}:${port}`), host).toMatchObject({ status: 200 });
    }
    expect(accepted).toBe(reachable.length);
    expect(attempted).toHaveLength(reachable.length);
  });
});

describe('a name', () => {
  /** Leads connections of TLS that are allowed to plain ones on the loopback interface, and tells where they went. */
  function redirectConnections(): string[] {
    const connected: string[] = [];
    vi.spyOn(tls, 'connect').mockImplementation(((options: tls.ConnectionOptions) => {
      const socket = new net.Socket();
      options.lookup?.(String(options.host), { all: true }, (error, addresses) => {
        if (error !== null) {
          socket.destroy(error);
          return;
        }
        connected.push(
          [addresses]
            .flat()
            .map((found) => (typeof found === 'string' ? found : found.address))
            .join(),
        );
        socket.connect(port, '127.0.0.1', () => socket.emit('secureConnect'));
      });
      return socket;
    }) as typeof tls.connect);
    return connected;
  }

  test('whose addresses are public is resolved once for a connection, which goes to these', async () => {
    const connected = redirectConnections();
    resolve = () => PUBLIC;
    expect(await post(client(false), 'https://hooks.example.com')).toMatchObject({ status: 200 });
    expect(connected).toEqual(PUBLIC);
    expect(asked).toHaveLength(2);
  });

  test('that is bound anew to a private address is refused at the next connection', async () => {
    const connected = redirectConnections();
    resolve = () => (connected.length === 0 ? PUBLIC : LOOPBACK);
    const safe = client(false);
    expect(await post(safe, 'https://rebind.example.com')).toMatchObject({ status: 200 });
    await vi.waitFor(async () => {
      const result = await post(safe, 'https://rebind.example.com');
      expect(result.error).toBe('rebind.example.com resolves to an address that is not public.');
      expect(result.isFinal).toBeUndefined();
    }, 45_000);
    expect(connected).toHaveLength(1);
    expect(accepted).toBe(1);
  });

  test('is not resolved again while its connection is kept', async () => {
    redirectConnections();
    isKept = true;
    resolve = () => PUBLIC;
    const safe = client(false);
    const call = async () =>
      expect(await post(safe, 'https://kept.example.com')).toMatchObject({ status: 200 });
    // The client has a connection or two, until it finds the first one free.
    await call();
    await call();
    const connections = accepted;
    resolve = () => LOOPBACK;
    await call();
    await call();
    expect(accepted).toBe(connections);
    expect(asked).toHaveLength(2 * connections);
  });

  test.each([
    ['a public and a private one', ['93.184.216.34', '10.0.0.1']],
    ['a private one last', ['93.184.216.34', '2606:2800:220:1::1', 'fd00::1']],
    ['a mapped private one', ['::ffff:127.0.0.1']],
    ['a mapped one among public ones', ['2606:2800:220:1::1', '::ffff:169.254.169.254']],
    ['one of NAT64', ['64:ff9b::7f00:1']],
    ['one with a zone', ['fe80::1%lo']],
    ['the metadata service', ['169.254.169.254']],
    ['Azure’s platform', ['168.63.129.16']],
    ['the address of no host', ['0.0.0.0']],
  ])('with %s is not called', async (_, addresses) => {
    const connected = redirectConnections();
    resolve = () => addresses;
    expect(await post(client(false), 'https://mixed.example.com')).toEqual({
      error: 'mixed.example.com resolves to an address that is not public.',
    });
    expect({ accepted, connected, attempted }).toEqual({ accepted: 0, connected: [], attempted: [] });
  });

  test('without an address is not called', async () => {
    resolve = () => [];
    expect(await post(client(false), 'https://nothing.example.com')).toEqual({
      error: 'nothing.example.com has no address.',
    });
  });
});
