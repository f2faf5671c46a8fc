import ipaddr from 'ipaddr.js';
import { invalid, type SkerryError } from '../../platform/errors.ts';

export interface EndpointPolicy {
  /** Allows http and addresses that are not public, as local mode does. */
  readonly allowPrivate: boolean;
}

const MAX_ENDPOINT_CHARACTERS = 2_000;

/** Answers for Azure's own platform from inside every virtual machine, although the address is a public one. */
const AZURE_PLATFORM = '168.63.129.16';
/** What is assigned for global unicast at all; all else is special in one way or another. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Checks what can be told of an endpoint from its text: an absolute https URL that carries no credentials or fragment and
 * names no address of a private network. What a name resolves to is checked whenever a connection is made.
 *
 * @throws SkerryError `invalid`.
 */
export function checkEndpoint(endpoint: string, { allowPrivate }: EndpointPolicy): void {
  const refuse = (detail: string) => refusal(detail, allowPrivate);
  if (endpoint.length > MAX_ENDPOINT_CHARACTERS) {
    throw refuse(`The endpoint is longer than ${MAX_ENDPOINT_CHARACTERS} characters.`);
  }
  const authority = /^https?:\/\/([^/?#]+)/i.exec(endpoint)?.[1];
  if (authority === undefined || !isCleanUrl(endpoint)) {
    throw refuse(`The endpoint is not an absolute ${allowPrivate ? 'http or https' : 'https'} URL.`);
  }
  if (authority.includes('@')) {
    throw refuse('The endpoint carries credentials.');
  }
  if (endpoint.includes('#')) {
    throw refuse('The endpoint has a fragment.');
  }
  const { protocol, hostname } = new URL(endpoint);
  if (protocol !== 'https:' && !allowPrivate) {
    throw refuse('The endpoint is not an https URL.');
  }
  if (!allowPrivate && !isPublicHost(hostname)) {
    throw refuse('The endpoint is not on the public internet.');
  }
}

/**
 * Whether an IP address, in any notation, is a public unicast one. An IPv4 address inside an IPv6 one counts as the
 * former where it is mapped; other embeddings (NAT64, 6to4, Teredo) are refused as such.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) {
    return false;
  }
  const address = ipaddr.process(text);
  if (address instanceof ipaddr.IPv6 && !address.match(GLOBAL_IPV6)) {
    return false;
  }
  return address.range() === 'unicast' && address.toString() !== AZURE_PLATFORM;
}

/** URL parsers drop or rewrite these characters silently, and not all in the same way. */
function isCleanUrl(endpoint: string): boolean {
  return !/[\s\\\p{Cc}]/u.test(endpoint) && URL.canParse(endpoint);
}

/** @param hostname as `URL` normalises it: octal, hexadecimal and shortened IPv4 addresses are dotted decimals there. */
function isPublicHost(hostname: string): boolean {
  const host = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
  if (ipaddr.isValid(host)) {
    return isPublicAddress(host);
  }
  return host.includes('.') && !host.endsWith('.localhost');
}

function refusal(detail: string, allowPrivate: boolean): SkerryError {
  return invalid(detail, {
    field: 'endpoint',
    fix: allowPrivate
      ? 'Give an absolute http or https URL without credentials or fragment.'
      : 'Give an absolute https URL that is reachable from the public internet, without credentials or fragment.',
  });
}
