import { z } from 'zod';
import { isPrivateLine } from './is-private-line.ts';
import { CONNECTION_ENDPOINTS, CONNECTIONS, IDENTITY_SETTINGS } from './topology.ts';

/** How a service is reached: by a string that holds its key, or at an endpoint as the app's managed identity. */
export type Connection = string | IdentityConnection;

export interface IdentityConnection {
  /** A URL, or the name of a host where the service is a bus. */
  readonly endpoint: string;
  /** Of a user-assigned identity; absent for the app's own. */
  readonly clientId?: string;
}

type ServiceName = keyof typeof CONNECTIONS;
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * One connection, which settings may give in either form, as the host's triggers read them ("Identity-based connections" in the Azure
 * Functions documentation): `NAME`, or `NAME__accountEndpoint` with `NAME__credential` and `NAME__clientId`. What {@link gatherConnections}
 * has gathered of them is checked here.
 */
export function connectionSchema(service: ServiceName) {
  const names = namesOf(service);
  const eitherOf = `set either ${names.text} (a connection string) or ${names.endpoint} (for a managed identity)`;
  return z
    .object({
      text: z.string().optional(),
      endpoint: z.string().optional(),
      credential: z.string().optional(),
      clientId: z.string().optional(),
    })
    .transform(({ text, endpoint, credential, clientId }, { addIssue }): Connection => {
      const refuse = (message: string): never => {
        addIssue({ code: 'custom', message });
        return z.NEVER;
      };
      if (text !== undefined && endpoint !== undefined) return refuse(`both are set: ${eitherOf}`);
      if (text !== undefined) {
        const stray = credential === undefined ? names.clientId : names.credential;
        return credential === undefined && clientId === undefined
          ? text
          : refuse(`${stray} says nothing of a connection string: remove one of them`);
      }
      if (endpoint === undefined) return refuse(`missing: ${eitherOf}`);
      if (!isEndpoint(service, endpoint)) {
        return refuse(`${names.endpoint} must be ${ENDPOINT_FORMS[service]}, not "${endpoint}"`);
      }
      if (credential !== undefined && credential.toLowerCase() !== IDENTITY_SETTINGS.managedIdentity) {
        return refuse(`${names.credential} must be "${IDENTITY_SETTINGS.managedIdentity}"`);
      }
      return { endpoint, ...(clientId !== undefined && { clientId }) };
    });
}

/** The environment with all that is said of each connection under the connection's name. What is empty is not said. */
export function gatherConnections(environment: Environment): Record<string, unknown> {
  const read = (name: string) => environment[name]?.trim() || undefined;
  const services = Object.keys(CONNECTIONS) as ServiceName[];
  return Object.fromEntries(
    services.map((service) => {
      const names = namesOf(service);
      const gathered = {
        text: read(names.text),
        endpoint: read(names.endpoint),
        credential: read(names.credential),
        clientId: read(names.clientId),
      };
      return [names.text, gathered];
    }),
  );
}

/** The settings of one connection. */
function namesOf(service: ServiceName) {
  const name = CONNECTIONS[service];
  return {
    text: name,
    endpoint: `${name}__${CONNECTION_ENDPOINTS[service]}`,
    credential: `${name}__${IDENTITY_SETTINGS.credential}`,
    clientId: `${name}__${IDENTITY_SETTINGS.clientId}`,
  };
}

const ENDPOINT_FORMS: Readonly<Record<ServiceName, string>> = {
  cosmos: 'a URL such as https://NAME.documents.azure.com:443/',
  serviceBus: 'the name of a host such as NAME.servicebus.windows.net',
  blob: 'a URL such as https://NAME.blob.core.windows.net',
};

/** A token that went over plain http would be anybody's. */
function isEndpoint(service: ServiceName, endpoint: string): boolean {
  if (service === 'serviceBus') return /^[a-z\d]([a-z\d.-]*[a-z\d])?(:\d{1,5})?$/i.test(endpoint);
  return isPrivateLine(endpoint);
}
