import { isIPv6 } from 'node:net';

/** Groups of an IPv6 address that are its holder's to choose from: a network of 64 bits is the least that one is given. */
const NETWORK_GROUPS = 4;

/** What counts as one address: of IPv6 the network, or else anybody has more addresses than can be remembered. */
export function addressBlock(address: string): string {
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain) || plain.includes('.')) {
    return address;
  }
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [
    ...before,
    ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0'),
    ...after,
  ];
  const network = groups.slice(0, NETWORK_GROUPS).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
