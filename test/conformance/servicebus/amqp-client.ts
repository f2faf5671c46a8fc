import { createHmac } from 'node:crypto';
import rhea, { type Connection, type EventContext } from 'rhea';

/** Where a connection string leads. */
export function endpointOf(connectionString: string): { host: string; port: number } {
  const [, host = '', port = ''] = /Endpoint=sb:\/\/([^:;]+):(\d+)/.exec(connectionString) ?? [];
  return { host, port: Number(port) };
}

/** A connection of a client that is not the SDK. */
export async function openConnection(connectionString: string): Promise<Connection> {
  const { host, port } = endpointOf(connectionString);
  const connection = rhea.create_container().connect({ host, port, username: 'anonymous', reconnect: false });
  connection.on('disconnected', () => {});
  await new Promise((resolve) => connection.once('connection_open', resolve));
  return connection;
}

/** Allows the connection what is at the path and below it. */
export async function putToken(
  connection: Connection,
  connectionString: string,
  path: string,
): Promise<void> {
  const { host, port } = endpointOf(connectionString);
  const resource = encodeURIComponent(`sb://${host}:${port}/${path}`);
  const expiry = Math.floor(Date.now() / 1000) + 3600;
  const hmac = createHmac('sha256', 'SAS_KEY_VALUE').update(`${resource}\n${expiry}`).digest('base64');
  const token = `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(hmac)}&se=${expiry}&skn=RootManageSharedAccessKey`;
  const replies = connection.open_receiver({ source: '$cbs', name: 'replies' });
  const requests = connection.open_sender({ target: { address: '$cbs' } });
  await new Promise((resolve) => requests.once('sendable', resolve));
  const reply = new Promise<EventContext>((resolve) => replies.once('message', resolve));
  requests.send({
    message_id: 'token',
    reply_to: 'replies',
    application_properties: {
      operation: 'put-token',
      type: 'servicebus.windows.net:sastoken',
      name: `sb://${host}:${port}/${path}`,
    },
    body: token,
  });
  const { message } = await reply;
  if (message?.application_properties?.['status-code'] !== 202) throw new Error('The token was refused.');
}
