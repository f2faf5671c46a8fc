import type { Socket } from 'node:net';

const TLS_HANDSHAKE = 0x16;
const AMQP = 'A'.charCodeAt(0);

/**
 * A fatal TLS alert, `access_denied` (RFC 8446, section 6). Clients report it at once; a connection that just ends they
 * would take for a bad network, and try again for a while.
 */
const TLS_ACCESS_DENIED = Buffer.from([21, 3, 3, 0, 2, 2, 49]);

/**
 * Whether a client that begins with `start` speaks another protocol than AMQP over plain TCP: the HTTPS of the
 * administration API, AMQP over WebSockets, or TLS. It is told so, and the connection ends.
 */
export function refuseOtherProtocols(socket: Socket, start: Buffer): boolean {
  if (start[0] === AMQP) return false;
  if (start[0] === TLS_HANDSHAKE) socket.end(TLS_ACCESS_DENIED);
  else socket.end(httpRefusal());
  return true;
}

function httpRefusal(): string {
  const detail =
    'The emulator does not support the administration API and AMQP over WebSockets. ' +
    'Entities are declared in its configuration; this port speaks AMQP over plain TCP.';
  const body = `<Error><Code>501</Code><Detail>${detail}</Detail></Error>`;
  return (
    'HTTP/1.1 501 Not Implemented\r\nContent-Type: application/xml; charset=utf-8\r\n' +
    `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
  );
}
