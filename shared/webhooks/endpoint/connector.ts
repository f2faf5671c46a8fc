import { promises as dns, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { buildConnector as BuildConnector } from 'undici';
import { checkHost, checkPort, type EndpointPolicy, isPublicAddress } from './endpoint-policy.ts';

type Connector = BuildConnector.connector;

/**
 * Asks the name servers itself. The operating system's resolver would read the text of a name as an address where it can, and
 * works on a few threads that all share: names whose servers do not answer would hold up everybody else's.
 */
const resolver = new dns.Resolver({ timeout: 2_000, tries: 2 });

/**
 * Opens the connections to endpoints, and judges again what `checkEndpoint` judges by the text, at the last moment and by
 * what is really connected to: the port, the address that is written in the URL, and every address that a name resolves to. The
 * connection goes to the very addresses that were judged, and requests that use it again resolve nothing.
 */
export function createConnector(policy: EndpointPolicy, buildConnector: typeof BuildConnector): Connector {
  if (policy.allowPrivate) {
    return buildConnector({ allowH2: false });
  }
  const connect = buildConnector({ allowH2: false, lookup: publicLookup });
  return (options, callback) => {
    try {
      checkPort(options, policy);
      checkHost(options.hostname, policy);
    } catch (error) {
      callback(error instanceof Error ? error : new Error(String(error)), null);
      return;
    }
    connect(options, callback);
  };
}

/** Resolves a name for the connection that is made right after, and fails when any of its addresses is not public. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  void resolvePublicAddresses(hostname).then(
    ([first, ...others]) =>
      options.all === true ? callback(null, [first, ...others]) : callback(null, first.address, first.family),
    (error: Error) => callback(error, []),
  );
};

/** IPv4 first, which every network of Azure's has a way for. */
async function resolvePublicAddresses(hostname: string): Promise<[LookupAddress, ...LookupAddress[]]> {
  const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  const [first, ...others] = answers.flatMap((answer, nth) =>
    answer.status === 'fulfilled'
      ? answer.value.map((address) => ({ address, family: nth === 0 ? 4 : 6 }))
      : [],
  );
  if (first === undefined) {
    throw new Error(`${hostname} has no address${answers.map(faultCode).find((code) => code !== '') ?? ''}.`);
  }
  if ([first, ...others].some(({ address }) => !isPublicAddress(address))) {
    // Which one is nobody's business: whoever subscribes could look up the names of the network around this app.
    throw new Error(`${hostname} resolves to an address that is not public.`);
  }
  return [first, ...others];
}

/** Such as ` (ENOTFOUND)`. */
function faultCode(answer: PromiseSettledResult<unknown>): string {
  const fault: unknown = answer.status === 'rejected' ? answer.reason : undefined;
  return fault instanceof Error && 'code' in fault ? ` (${String(fault.code)})` : '';
}
