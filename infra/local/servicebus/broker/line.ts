import type { Consumer, Lock } from './consumer.ts';
import { Heap } from './heap.ts';
import type { Message } from './message.ts';

/** A message in memory, and who has it. */
export interface Entry {
  message: Message;
  /** `moving`: its next state is being written down, and nothing else may happen to it. */
  state: 'ready' | 'locked' | 'scheduled' | 'moving' | 'gone';
  lock?: Lock;
}

/** Messages that are served in order, and whom they are served to: those of a queue, or those of one session. */
export interface Line {
  readonly ready: Heap<Entry>;
  /** In the order in which they are served next. */
  consumers: Consumer[];
}

export function newLine(): Line {
  const ready = new Heap<Entry>((left, right) => left.message.sequenceNumber - right.message.sequenceNumber);
  return { ready, consumers: [] };
}

/** Takes whose turn it is out of those with credit, and puts him behind the others. */
export function takeTurn(consumers: Consumer[]): Consumer | undefined {
  const index = consumers.findIndex((candidate) => candidate.credit() > 0);
  if (index < 0) return undefined;
  const [consumer] = consumers.splice(index, 1);
  if (consumer !== undefined) consumers.push(consumer);
  return consumer;
}
