import { invalid } from '../platform/errors.ts';
import { SERVICE_BUS_QUEUES, SERVICE_BUS_TOPICS } from '../platform/topology.ts';

/** Names of queues and topics, which may have several segments ("Naming rules and restrictions for Azure resources", Microsoft.ServiceBus). */
const NAME = /^[0-9A-Za-z]([0-9A-Za-z._/-]{0,258}[0-9A-Za-z])?$/;

/** Names are the same in capitals. */
const OWN: ReadonlySet<string | undefined> = new Set(
  [...Object.values(SERVICE_BUS_QUEUES), ...Object.values(SERVICE_BUS_TOPICS)].map(({ name }) => name),
);

/** @throws SkerryError `invalid` for what is no name of a queue or topic, and for Skerry's own, where replies would be taken for work. */
export function checkReplyTarget(target: string): void {
  if (!NAME.test(target)) {
    throw invalid(`"${target.slice(0, 100)}" is no name of a queue or topic.`, {
      field: 'replyto',
      fix: 'Name a queue or topic of the bus that commands are sent to, such as "replies".',
    });
  }
  if (OWN.has(target.toLowerCase().split('/')[0])) {
    throw invalid(`Replies are not sent to "${target}", which is Skerry's own.`, {
      field: 'replyto',
      fix: 'Make a queue of your own for them.',
    });
  }
}
