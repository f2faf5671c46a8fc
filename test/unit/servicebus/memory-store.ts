import type { Message } from '../../../infra/local/servicebus/broker/message.ts';
import type { MessageStore, StoredQueue } from '../../../infra/local/servicebus/broker/message-store.ts';

/** A store whose commits can be held back, to see what happens before something is safe. */
export class MemoryStore implements MessageStore {
  readonly messages = new Map<string, Message>();
  readonly #knownIds = new Map<string, number>();
  readonly #sessionStates = new Map<string, Buffer>();
  readonly #lastSequenceNumbers = new Map<string, number>();
  #barrier: Promise<void> = Promise.resolve();

  load(queue: string): StoredQueue {
    const prefix = `${queue}:`;
    const belongs = ([key]: [string, unknown]) => key.startsWith(prefix);
    const valuesOf = <Value>(stored: ReadonlyMap<string, Value>) =>
      new Map([...stored].filter(belongs).map(([key, value]) => [key.slice(prefix.length), value]));
    return {
      messages: [...this.messages].filter(belongs).map(([, message]) => message),
      knownIds: valuesOf(this.#knownIds),
      sessionStates: valuesOf(this.#sessionStates),
      lastSequenceNumber: this.#lastSequenceNumbers.get(queue) ?? 0,
    };
  }

  async commit(write: Parameters<MessageStore['commit']>[0]): Promise<void> {
    await this.#barrier;
    write({
      putMessage: (queue, message) => this.messages.set(`${queue}:${message.sequenceNumber}`, message),
      removeMessage: (queue, sequenceNumber) => this.messages.delete(`${queue}:${sequenceNumber}`),
      putKnownId: (queue, id, expiresAt) => this.#knownIds.set(`${queue}:${id}`, expiresAt),
      removeKnownId: (queue, id) => this.#knownIds.delete(`${queue}:${id}`),
      putSessionState: (queue, id, state) => this.#sessionStates.set(`${queue}:${id}`, state),
      removeSessionState: (queue, id) => this.#sessionStates.delete(`${queue}:${id}`),
      putLastSequenceNumber: (queue, number) => this.#lastSequenceNumbers.set(queue, number),
    });
  }

  async close(): Promise<void> {}

  /** Holds every further commit back until the answer is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#barrier = promise;
    return resolve;
  }
}
