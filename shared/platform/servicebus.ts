import type { ServiceBusClient, ServiceBusMessage, ServiceBusSender } from '@azure/service-bus';
import type { Connection } from './connection.ts';
import { unavailable } from './errors.ts';
import { azureCredential } from './identity.ts';

/** The SDK alone would wait for a minute, several times over. */
const SEND_TIMEOUT_MILLISECONDS = 20_000;

/**
 * A Service Bus client. The SDK is loaded at the first call, because most processes answer requests without
 * it, and it connects at the first use. Its own default is to wait 30 s before a retry, which leaves a link
 * dead for that long after the service was away for a moment.
 */
export async function connectServiceBus(connection: Connection): Promise<ServiceBusClient> {
  const { RetryMode, ServiceBusClient } = await import('@azure/service-bus');
  const options = {
    retryOptions: {
      mode: RetryMode.Exponential,
      maxRetries: 4,
      retryDelayInMs: 200,
      maxRetryDelayInMs: 2_000,
    },
  };
  return typeof connection === 'string'
    ? new ServiceBusClient(connection, options)
    : new ServiceBusClient(connection.endpoint, azureCredential(connection), options);
}

/** What the SDK calls a service that is out of reach or does not answer, where it does not say itself that a retry may help. */
const PASSING_CODES: ReadonlySet<unknown> = new Set([
  'ServiceCommunicationProblem',
  'ServiceTimeout',
  'ServiceBusy',
]);

/**
 * Runs one call of the Service Bus SDK and turns its passing faults into `unavailable`.
 *
 * @throws SkerryError `unavailable` when the service cannot be reached or does not answer in time; other errors pass through.
 */
export async function askServiceBus<Answer>(call: () => Promise<Answer>): Promise<Answer> {
  try {
    return await call();
  } catch (error) {
    if (isPassingServiceBusFault(error)) {
      throw unavailable('The service bus cannot be reached at the moment.', { cause: error });
    }
    throw error;
  }
}

function isPassingServiceBusFault(error: unknown): boolean {
  if (error instanceof AggregateError) {
    return error.errors.some(isPassingServiceBusFault);
  }
  return (
    error instanceof Error &&
    (error.name === 'AbortError' ||
      error.name === 'TimeoutError' ||
      ('retryable' in error && error.retryable === true) ||
      ('code' in error && PASSING_CODES.has(error.code)) ||
      isBrokenConnection(error))
  );
}

/** The SDK takes a refused or reset connection for no reason to try again, and has but plain errors for one that broke while it was made. */
function isBrokenConnection(error: Error): boolean {
  return 'code' in error
    ? 'syscall' in error && error.syscall !== undefined
    : Object.getPrototypeOf(error) === Error.prototype;
}

/** How long one call of a sender may take. */
export function sendDeadline(milliseconds = SEND_TIMEOUT_MILLISECONDS): { abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(milliseconds) };
}

export interface BatchSending<Item> {
  readonly encode: (item: Item) => ServiceBusMessage;
  /** Of each call. */
  readonly timeoutMilliseconds?: number | undefined;
  /** Takes note of items that were not sent, so that the others are; without it, or when it throws, none that follow are sent either. */
  readonly onFault?: (error: unknown, unsent: readonly Item[]) => void;
}

/**
 * Sends a message for each item, as many in one transfer as it holds.
 *
 * @returns the items whose message alone is too large for the bus.
 * @throws what the bus throws when it does not answer or refuses.
 */
export async function sendInBatches<Item>(
  sender: () => Promise<ServiceBusSender>,
  items: readonly Item[],
  { encode, timeoutMilliseconds, onFault = rethrow }: BatchSending<Item>,
): Promise<Item[]> {
  const refused: Item[] = [];
  let next = 0;
  while (next < items.length) {
    const batched: Item[] = [];
    try {
      const open = await sender();
      const batch = await open.createMessageBatch(sendDeadline(timeoutMilliseconds));
      for (; next < items.length; next += 1) {
        const item = items[next] as Item;
        if (batch.tryAddMessage(encode(item))) {
          batched.push(item);
        } else if (batched.length === 0) {
          refused.push(item);
        } else {
          break;
        }
      }
      if (batched.length > 0) {
        await open.sendMessages(batch, sendDeadline(timeoutMilliseconds));
      }
    } catch (error) {
      // A batch that could not even be opened says as much of one item as of all.
      onFault(error, batched.length > 0 ? batched : items.slice(next));
      next = batched.length > 0 ? next : items.length;
    }
  }
  return refused;
}

/**
 * Sends a message that arrives no earlier than `at`, in milliseconds since the Unix epoch.
 *
 * @throws what the bus throws when it does not answer or refuses.
 */
export async function scheduleMessage(
  sender: () => Promise<ServiceBusSender>,
  message: ServiceBusMessage,
  at: number,
): Promise<void> {
  const open = await sender();
  await open.scheduleMessages(message, new Date(at), sendDeadline());
}

function rethrow(error: unknown): void {
  throw error;
}
