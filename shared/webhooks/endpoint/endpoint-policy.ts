import ipaddr from 'ipaddr.js';
import { invalid, type SkerryError } from '../../platform/errors.ts';

export interface EndpointPolicy {
  /** Allows http and addresses that are not public, as local mode does. */
  readonly allowPrivate: boolean;
  /** All ports that endpoints may have, unless private ones are allowed. */
  readonly ports: readonly number[];
}

const HTTPS_PORT = 443;
const MAX_ENDPOINT_CHARACTERS = 2_000;

/** Answers for Azure's own platform from inside every virtual machine, although the address is a public one. */
const AZURE_PLATFORM = '168.63.129.16';
/** What is assigned for global unicast at all; all else is special in one way or another. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Checks what can be told of an endpoint from its text: an absolute https URL with an allowed port, that carries no
 * credentials or fragment and names no address of a private network. All but the first is checked again, and what a name
 * resolves to, whenever a connection is made.
 *
 * @throws SkerryError `invalid`.
 */
export function checkEndpoint(endpoint: string, policy: EndpointPolicy): void {
  const refuse = (detail: string) => refusal(detail, policy);
  if (endpoint.length > MAX_ENDPOINT_CHARACTERS) {
    throw refuse(`The endpoint is longer than ${MAX_ENDPOINT_CHARACTERS} characters.`);
  }
  const authority = /^https?:\/\/([^/?#]+)/i.exec(endpoint)?.[1];
  if (authority === undefined || !isCleanUrl(endpoint)) {
    throw refuse(`The endpoint is not an absolute ${policy.allowPrivate ? 'http or https' : 'https'} URL.`);
  }
  if (authority.includes('@')) {
    throw refuse('The endpoint carries credentials.');
  }
  if (endpoint.includes('#')) {
    throw refuse('The endpoint has a fragment.');
  }
  if (policy.allowPrivate) {
    return;
  }
  const url = new URL(endpoint);
  checkPort(url, policy);
  checkHost(url.hostname, policy);
}

/**
 * @param port empty where it is the scheme's own.
 * @throws SkerryError `invalid` for another scheme than https, and for a port that endpoints must not have.
 */
export function checkPort(
  { protocol, port }: { readonly protocol: string; readonly port: string },
  policy: EndpointPolicy,
): void {
  if (protocol !== 'https:') {
    throw refusal('The endpoint is not an https URL.', policy);
  }
  if (!policy.ports.includes(port === '' ? HTTPS_PORT : Number(port))) {
    throw refusal(`The endpoint's port is ${port}, which is not allowed.`, policy);
  }
}

/**
 * @param hostname as `URL` normalises it: octal, hexadecimal and shortened IPv4 addresses are dotted decimals there.
 * @throws SkerryError `invalid` for an address that is not public, and a name that is not one of the public internet.
 */
export function checkHost(hostname: string, policy: EndpointPolicy): void {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.+$/, '');
  const isPublic = ipaddr.isValid(host) ? isPublicAddress(host) : isPublicName(host);
  if (!isPublic) {
    throw refusal('The endpoint is not on the public internet.', policy);
  }
}

/**
 * Whether an IP address, in any notation, is a public unicast one. An IPv4 address inside an IPv6 one counts as the
 * former where it is mapped; other embeddings (NAT64, 6to4, Teredo, ISATAP) are refused as such.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) {
    return false;
  }
  const address = ipaddr.process(text);
  if (address instanceof ipaddr.IPv6 && (!address.match(GLOBAL_IPV6) || isIsatap(address))) {
    return false;
  }
  return address.range() === 'unicast' && address.toString() !== AZURE_PLATFORM;
}

/** Whether a tunnel would lead to the IPv4 address in the last two groups (RFC 5214, section 6.1). */
function isIsatap({ parts: [, , , , first, second] }: ipaddr.IPv6): boolean {
  // Two bits of an interface identifier only say how unique it is.
  return second === 0x5efe && ((first ?? 0) & 0xfcff) === 0;
}

/** URL parsers drop or rewrite these characters silently, and not all in the same way. */
function isCleanUrl(endpoint: string): boolean {
  return !/[\s\\\p{Cc}]/u.test(endpoint) && URL.canParse(endpoint);
}

/** Names that are resolved on the machine itself or in its own network, whatever they resolve to (RFC 6761, 6762, 9476…). */
const PRIVATE_NAMES =
  /(^|\.)(localhost|local|localdomain|internal|intranet|private|corp|home|lan|home\.arpa)$/i;

function isPublicName(host: string): boolean {
  return host.includes('.') && !PRIVATE_NAMES.test(host);
}

function refusal(detail: string, { allowPrivate, ports }: EndpointPolicy): SkerryError {
  return invalid(detail, {
    field: 'endpoint',
    fix: allowPrivate
      ? 'Give an absolute http or https URL without credentials or fragment.'
      : `Give an absolute https URL that is reachable from the public internet on port ${ports.join(' or ')}, without credentials or fragment.`,
  });
}
