import type { Typed } from 'rhea';
import type { PropertyChanges } from '../broker/message.ts';
import { encodeTyped } from './rhea-internals.ts';

/** What a receiver wants to happen to a delivery. */
export interface Outcome {
  readonly kind: 'complete' | 'abandon' | 'deadLetter' | 'defer';
  /** Of no use to a message that is completed. */
  readonly changes: PropertyChanges;
}

/** Descriptors of the delivery states (OASIS AMQP 1.0, part 3.4). */
const OUTCOMES: Readonly<Record<string, 'accepted' | 'rejected' | 'released' | 'modified'>> = {
  36: 'accepted',
  37: 'rejected',
  38: 'released',
  39: 'modified',
  'amqp:accepted:list': 'accepted',
  'amqp:rejected:list': 'rejected',
  'amqp:released:list': 'released',
  'amqp:modified:list': 'modified',
};

/** Reads a disposition's state as Service Bus does; undefined for a state that is no outcome. */
export function parseOutcome(state: Typed): Outcome | undefined {
  const fields = itemsOf(state);
  switch (OUTCOMES[String(state.descriptor?.value)]) {
    case 'accepted':
      return { kind: 'complete', changes: {} };
    case 'released':
      return { kind: 'abandon', changes: {} };
    case 'modified':
      return { kind: fields[1]?.value === true ? 'defer' : 'abandon', changes: changesIn(fields[2]) };
    case 'rejected':
      return { kind: 'deadLetter', changes: changesIn(itemsOf(fields[0])[2]) };
    default:
      return undefined;
  }
}

/** The entries of a map, which Service Bus takes for changes of the message's application properties. */
function changesIn(map: Typed | undefined): PropertyChanges {
  const entries = itemsOf(map);
  const changes: Record<string, Buffer> = {};
  for (let index = 0; index + 1 < entries.length; index += 2) {
    const [name, value] = [entries[index], entries[index + 1]];
    // The SDK sends null for a reason that was not given.
    if (name === undefined || value === undefined || value.value === null) continue;
    changes[String(name.value)] = encodeTyped(value);
  }
  return changes;
}

function itemsOf(compound: Typed | undefined): Typed[] {
  return Array.isArray(compound?.value) ? compound.value : [];
}
