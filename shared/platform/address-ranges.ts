import ipaddr from 'ipaddr.js';

type Address = ReturnType<typeof ipaddr.process>;

/** IP addresses and ranges of them, such as `10.0.0.0/8` or `2001:db8::1`. */
export class AddressRanges {
  readonly #ranges: readonly (readonly [Address, number])[];

  /** @throws Error for what `isAddressRange` does not accept. */
  constructor(texts: readonly string[]) {
    this.#ranges = texts.map(parseRange);
  }

  /** An IPv4 address that is written as one of IPv6 counts as what it is; what is no address is in no range. */
  includes(address: string): boolean {
    if (!ipaddr.isValid(address)) {
      return false;
    }
    const asked = ipaddr.process(address);
    return this.#ranges.some(([range, bits]) => range.kind() === asked.kind() && asked.match(range, bits));
  }
}

/** Whether a text is an IP address or, with a slash and a number of bits, a range of them. */
export function isAddressRange(text: string): boolean {
  return ipaddr.isValidCIDR(text) || (isWrittenOut(text) && ipaddr.isValid(text));
}

/** Octal and shortened forms of IPv4, such as `10.1`, are a mistake more often than not. */
function isWrittenOut(text: string): boolean {
  return text.includes(':') || ipaddr.IPv4.isValidFourPartDecimal(text);
}

function parseRange(text: string): readonly [Address, number] {
  if (ipaddr.isValidCIDR(text)) {
    return ipaddr.parseCIDR(text);
  }
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}
