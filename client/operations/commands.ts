import type { Json } from '../store/content.ts';
import type { CallOptions, Transport } from '../transport/transport.ts';
import { uniqueId } from '../transport/unique-id.ts';
import type { LongRunningOperation } from './operation.ts';
import { operationIdOf } from './operation-id.ts';

/** A command: attributes of a CloudEvent, and what is to be done. */
export interface CommandInput {
  /** Such as `environment.create`. */
  readonly type: string;
  readonly data: Json;
  /** Names the command together with `source`: sent twice, it is done once. A new one unless told. */
  readonly id?: string | undefined;
  /** Who sends it, as a URI; `/skerry/client` unless told. */
  readonly source?: string | undefined;
  /** RFC 3339. */
  readonly time?: string | undefined;
  readonly subject?: string | undefined;
  readonly traceparent?: string | undefined;
  /** A queue or topic of the bus that is told how it goes. */
  readonly replyto?: string | undefined;
  /** A URL that is told how it goes, by a signed webhook. */
  readonly callback?: string | undefined;
  /** `whsec_…`, by which the webhook is signed. */
  readonly callbacksecret?: string | undefined;
}

export interface SentCommand extends LongRunningOperation {
  /** By which the calls of its `callback` are signed; told once. */
  readonly callbackSecret?: string;
}

/** Commands, as they also come by the bus. */
export class Commands {
  readonly #transport: Transport;
  readonly #ns: string;

  constructor(transport: Transport, ns: string) {
    this.#transport = transport;
    this.#ns = ns;
  }

  /** @returns the operation that it became: accepted, and not done yet. */
  async send(command: CommandInput, { signal }: CallOptions = {}): Promise<SentCommand> {
    return await this.#transport.json<SentCommand>({
      method: 'POST',
      path: 'commands',
      content: {
        bytes: JSON.stringify({
          specversion: '1.0',
          id: uniqueId(),
          source: '/skerry/client',
          datacontenttype: 'application/json',
          ns: this.#ns,
          ...command,
        }),
        type: 'application/cloudevents+json',
      },
      // Known by its id, made before the first attempt.
      isRepeatable: true,
      signal,
    });
  }

  /**
   * The id of the operation that a command becomes, whoever sends it and whichever way. Needs WebCrypto, which pages have that came by
   * TLS.
   */
  async operationId(ns: string, source: string, id: string): Promise<string> {
    return await operationIdOf(ns, source, id);
  }
}
