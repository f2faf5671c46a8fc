import { open } from 'lmdb';
import type { Message } from './message.ts';
import type { MessageStore, StoredQueue, StoreTransaction } from './message-store.ts';

/** Kind (`message`, `id`, `state`, `sequence`), queue, and what tells items of a kind apart. */
type Key = (string | number)[];

/**
 * Keeps queues in the LMDB file at `path`, whose folder must exist. Commits of the same moment share one transaction (group commit).
 *
 * They are not synced to the disk: what was acknowledged survives the death of this process, because the operating
 * system holds the written pages, but a crash of the machine can lose the last seconds of acknowledged sends and
 * settlements. That is enough for a development tool, and several times faster.
 */
export function openLmdbMessageStore(path: string): MessageStore {
  const database = open<unknown, Key>({ path, noSync: true, overlappingSync: false });

  return {
    load: loadQueue,

    async commit(write) {
      const writes: Promise<boolean>[] = [];
      const transaction: StoreTransaction = {
        putMessage: (queue, message) =>
          writes.push(database.put(['message', queue, message.sequenceNumber], message)),
        removeMessage: (queue, sequenceNumber) =>
          writes.push(database.remove(['message', queue, sequenceNumber])),
        putKnownId: (queue, messageId, expiresAt) =>
          writes.push(database.put(['id', queue, messageId], expiresAt)),
        removeKnownId: (queue, messageId) => writes.push(database.remove(['id', queue, messageId])),
        putSessionState: (queue, sessionId, state) =>
          writes.push(database.put(['state', queue, sessionId], state)),
        removeSessionState: (queue, sessionId) => writes.push(database.remove(['state', queue, sessionId])),
        putLastSequenceNumber: (queue, sequenceNumber) =>
          writes.push(database.put(['sequence', queue], sequenceNumber)),
      };
      // lmdb-js puts all writes of one turn of the event loop into one transaction, so these stand or fall together.
      write(transaction);
      await Promise.all(writes);
    },

    close: () => database.close(),
  };

  function loadQueue(queue: string): StoredQueue {
    return {
      messages: entriesOf('message', queue).map(({ value }) => value as Message),
      knownIds: new Map(entriesOf('id', queue).map(({ key, value }) => [String(key[2]), value as number])),
      sessionStates: new Map(
        entriesOf('state', queue).map(({ key, value }) => [String(key[2]), value as Buffer]),
      ),
      lastSequenceNumber: (database.get(['sequence', queue]) as number | undefined) ?? 0,
    };
  }

  function entriesOf(kind: 'message' | 'id' | 'state', queue: string) {
    const entries: { key: Key; value: unknown }[] = [];
    for (const entry of database.getRange({ start: [kind, queue] })) {
      if (entry.key[0] !== kind || entry.key[1] !== queue) break;
      entries.push(entry);
    }
    return entries;
  }
}
