import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { buildConnector as BuildConnector } from 'undici';
import { checkHost, checkPort, type EndpointPolicy, isPublicAddress } from './endpoint-policy.ts';

type Connector = BuildConnector.connector;

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
  dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const forbidden = addresses?.find(({ address }) => !isPublicAddress(address));
    const [first] = addresses ?? [];
    if (error !== null || first === undefined) {
      callback(error ?? new Error(`${hostname} has no address.`), []);
    } else if (forbidden !== undefined) {
      callback(new Error(`${hostname} resolves to ${forbidden.address}, which is not a public address.`), []);
    } else if (options.all === true) {
      callback(null, addresses);
    } else {
      callback(null, first.address, first.family);
    }
  });
};
