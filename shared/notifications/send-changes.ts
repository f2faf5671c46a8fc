import type { ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import { sendInBatches } from '../platform/servicebus.ts';
import type { ToldChange, UnpublishedChange } from '../webhooks/index.ts';

export interface ChangeSending {
  /** Gives the sender to the queue or topic. */
  readonly sender: () => Promise<ServiceBusSender>;
  /** @param withValues false leaves out what was before and after, because that is too large. */
  readonly write: (told: ToldChange, withValues: boolean) => ServiceBusMessage;
  /** What is wrong, for people; undefined where it passes by itself, and is thrown. */
  readonly explain: (error: unknown) => Omit<UnpublishedChange, 'told'> | undefined;
  /** Milliseconds that one call of the bus may take; as usual unless said. */
  readonly timeoutMilliseconds?: number;
}

interface Written {
  readonly told: ToldChange;
  readonly message: ServiceBusMessage;
}

/**
 * Sends changes to a queue or topic.
 *
 * @returns those that it does not take.
 * @throws what the bus throws, where `explain` does not explain it.
 */
export async function sendChanges(
  changes: readonly ToldChange[],
  { sender, write, explain, timeoutMilliseconds }: ChangeSending,
): Promise<readonly UnpublishedChange[]> {
  const unpublished: UnpublishedChange[] = [];
  const tryToWrite = (told: ToldChange, withValues: boolean): Written[] => {
    try {
      return [{ told, message: write(told, withValues) }];
    } catch (error) {
      unpublished.push({ told, reason: `It cannot be written as an event: ${String(error)}` });
      return [];
    }
  };
  const send = (all: readonly Written[]) =>
    sendInBatches(sender, all, {
      encode: ({ message }) => message,
      timeoutMilliseconds,
      onFault(error, unsent) {
        const fault = explain(error);
        if (fault === undefined) {
          throw error;
        }
        unpublished.push(...unsent.map(({ told }) => ({ told, ...fault })));
      },
    });
  const large = await send(changes.flatMap((told) => tryToWrite(told, true)));
  const hopeless = await send(large.flatMap(({ told }) => tryToWrite(told, false)));
  const tooLarge = hopeless.map(({ told }) => ({
    told,
    reason: 'It does not fit into a message of the bus.',
  }));
  return [...unpublished, ...tooLarge];
}

/** Codes of ServiceBusError that name what stays as it is until somebody does something about the queue or topic. */
const LASTING = {
  QuotaExceeded: 'full',
  MessagingEntityNotFound: 'missing',
  MessagingEntityDisabled: 'disabled',
  UnauthorizedAccess: 'forbidden',
} as const;

export type LastingFault = (typeof LASTING)[keyof typeof LASTING];

/** What is wrong for longer than a moment, put into words; undefined for what passes by itself. */
export function lastingFault(
  error: unknown,
  words: Readonly<Record<LastingFault, string>>,
): string | undefined {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return Object.hasOwn(LASTING, code)
    ? `${words[LASTING[code as keyof typeof LASTING]]} (${code})`
    : undefined;
}
