import { invalid, type SkerryError } from '../../platform/errors.ts';
import { jsonEquals } from '../../platform/json-equals.ts';
import type { Sealer } from '../../platform/sealer.ts';
import type { SealedHeaders } from './subscription.ts';

const MAX_HEADERS = 20;
/** Of names and values together. */
const MAX_BYTES = 4_096;

/** What receivers ask for to know who calls: all that is allowed, besides names of their own. */
const ALLOWED_NAMES: ReadonlySet<string> = new Set([
  'authorization',
  'api-key',
  'apikey',
  'aeg-sas-key',
  'aeg-sas-token',
  'ocp-apim-subscription-key',
  'private-token',
]);
const OWN_NAME = /^x-[0-9a-z!#$%&'*+.^_`|~-]+$/;
/** By these, proxies and frameworks take a request for another one, or for one that comes from elsewhere. */
const FORGING_NAME =
  /^x-(ms-|arr-|forwarded|original-|rewrite-|real-ip$|client-ip$|cluster-client-ip$|http-method|method-override$|skerry-)/;
/** Visible ASCII with spaces and tabs in between (RFC 9110, section 5.5, without what is obsolete). */
const HEADER_VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

/** What headers of a subscription are sealed for. */
export function headersPlace(ns: string, id: string): readonly string[] {
  return [ns, id, 'headers'];
}

/**
 * Checks the headers that a subscription is to be called with.
 *
 * @returns them by their names in lower case, sorted.
 * @throws SkerryError `invalid` that quotes no value.
 */
export function checkHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  if (entries.length > MAX_HEADERS) {
    throw refusal(undefined, `There are more than ${MAX_HEADERS} headers.`, 'Send fewer.');
  }
  let bytes = 0;
  for (const [name, value] of entries) {
    const isAllowed = ALLOWED_NAMES.has(name) || (OWN_NAME.test(name) && !FORGING_NAME.test(name));
    if (!isAllowed) {
      throw refusal(
        name,
        'This header may not be set.',
        `Use one of ${[...ALLOWED_NAMES].join(', ')}, or a name that begins with "x-" and means nothing to proxies.`,
      );
    }
    if (!HEADER_VALUE.test(value)) {
      throw refusal(
        name,
        'The value of this header cannot be sent.',
        'Use visible ASCII, with spaces only in between.',
      );
    }
    bytes += name.length + value.length;
  }
  if (bytes > MAX_BYTES) {
    throw refusal(undefined, `The headers are longer than ${MAX_BYTES} bytes.`, 'Shorten them.');
  }
  const checked = new Map(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)));
  if (checked.size < entries.length) {
    throw refusal(undefined, 'A header is given twice, in different cases.', 'Give it once.');
  }
  return Object.fromEntries(checked);
}

/**
 * Seals the headers that a subscription is to be called with.
 *
 * @param headers as `checkHeaders` gives them.
 * @param known those that it has: they stay as they are when they say the same, and are sealed by the newest key.
 * @returns undefined where there are none.
 * @throws SkerryError `unavailable` when no key is configured.
 */
export function sealHeaders(
  headers: Readonly<Record<string, string>>,
  known: SealedHeaders | undefined,
  sealer: Sealer,
  place: readonly string[],
): SealedHeaders | undefined {
  const names = Object.keys(headers);
  if (names.length === 0) {
    return undefined;
  }
  return known !== undefined &&
    sealer.isNewest(known.sealed) &&
    jsonEquals(openHeaders(known, sealer, place), headers)
    ? known
    : { names, sealed: sealer.seal(JSON.stringify(headers), place) };
}

/** @returns undefined for those that do not open any more, which are to be replaced. */
function openHeaders({ sealed }: SealedHeaders, sealer: Sealer, place: readonly string[]): unknown {
  try {
    return JSON.parse(sealer.open(sealed, place));
  } catch {
    return undefined;
  }
}

function refusal(name: string | undefined, detail: string, fix: string): SkerryError {
  return invalid(detail, { field: name === undefined ? 'headers' : `headers.${name.slice(0, 100)}`, fix });
}
