import { open } from 'lmdb';
import { GroupCommit } from '../../storage/group-commit.ts';
import type { Message } from './message.ts';
import type { MessageStore, StoredQueue, StoreTransaction } from './message-store.ts';

/** Kind (`message`, `id`, `state`, `sequence`), queue, and what tells items of a kind apart. */
type Key = (string | number)[];

/**
 * Keeps queues in the LMDB file at `path`, whose folder must exist.
 *
 * Commits are not synced to the disk: what was acknowledged survives the death of this process, because the operating
 * system holds the written pages, but a crash of the machine can lose the last seconds of acknowledged sends and
 * settlements. That is enough for a development tool, and several times faster. A disk that is full is an error, not
 * the signal that it would be to a process that writes through a memory map (lmdb's `useWritemap`, a few per cent
 * faster).
 */
export function openLmdbMessageStore(path: string): MessageStore {
  const database = open<unknown, Key>({ path, noSync: true });
  const commits = new GroupCommit(database);
  const transaction: StoreTransaction = {
    putMessage: (queue, message) => database.putSync(['message', queue, message.sequenceNumber], message),
    removeMessage: (queue, sequenceNumber) => database.removeSync(['message', queue, sequenceNumber]),
    putKnownId: (queue, messageId, expiresAt) => database.putSync(['id', queue, messageId], expiresAt),
    removeKnownId: (queue, messageId) => database.removeSync(['id', queue, messageId]),
    putSessionState: (queue, sessionId, state) => database.putSync(['state', queue, sessionId], state),
    removeSessionState: (queue, sessionId) => database.removeSync(['state', queue, sessionId]),
    putLastSequenceNumber: (queue, number) => database.putSync(['sequence', queue], number),
  };

  return {
    load: loadQueue,
    commit: (write) => commits.commit(() => write(transaction)).catch(endProcess),
    close: () => commits.close(),
  };

  function loadQueue(queue: string): StoredQueue {
    return {
      messages: entriesOf<Message>('message', queue).map(([, message]) => message),
      knownIds: new Map(entriesOf<number>('id', queue)),
      sessionStates: new Map(entriesOf<Buffer>('state', queue)),
      lastSequenceNumber: (database.get(['sequence', queue]) as number | undefined) ?? 0,
    };
  }

  function entriesOf<Value>(kind: string, queue: string): [item: string, value: Value][] {
    const entries: [string, Value][] = [];
    for (const { key, value } of database.getRange({ start: [kind, queue] })) {
      if (key[0] !== kind || key[1] !== queue) break;
      entries.push([String(key[2]), value as Value]);
    }
    return entries;
  }
}

/** What is in memory is ahead of a disk that takes no more, so nothing true can be told to anybody. */
function endProcess(error: unknown): never {
  process.nextTick(() => {
    throw error;
  });
  throw error;
}
