import type { Transport } from '../transport/transport.ts';

export class DeadLetters {
  readonly transport: Transport;

  constructor(transport: Transport) {
    this.transport = transport;
  }
}
