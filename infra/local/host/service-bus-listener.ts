import {
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from '@azure/service-bus';
import type { Random } from '../../../shared/platform/random.ts';
import { hostClock } from './clock.ts';
import type { FunctionDefinition, ServiceBusTrigger } from './function-definition.ts';
import type { HostJson } from './host-json.ts';
import type { TriggerEvent } from './invocation.ts';
import type { Listener } from './listener.ts';
import { describeError, type Log } from './log.ts';
import { Outage } from './outage.ts';
import { toMessageInput, toMessageMetadata } from './service-bus-message.ts';

const CATEGORY = 'Host.ServiceBus';
/** Reconnects quickly: a local broker is back as soon as it has been started again. */
const RETRY_OPTIONS = { retryDelayInMs: 200, maxRetries: 10 };
/**
 * How long, in milliseconds, the SDK may try on before it is given up for a new client: a connection that breaks while
 * its management link is being opened can keep it waiting for ever.
 */
const CLIENT_PATIENCE = 3_000;
/** Faults of settling single messages, which say nothing about receiving. */
const SETTLING: ReadonlySet<string> = new Set(['abandon', 'complete', 'processMessageCallback']);

/** A client with the one receiver that this listener has. */
interface Connection {
  readonly client: ServiceBusClient;
  readonly receiver: ServiceBusReceiver;
  unsubscribe: () => Promise<void>;
}

export interface ServiceBusListenerOptions {
  readonly definition: FunctionDefinition<ServiceBusTrigger>;
  readonly connectionString: string;
  /** host.json's settings, where the trigger has none of its own. */
  readonly defaults: HostJson['extensions']['serviceBus'];
  readonly random: Pick<Random, 'fraction'>;
  readonly log: Log;
  /** Runs the function; failures are logged there. */
  readonly run: (event: TriggerEvent) => Promise<void>;
}

/**
 * Feeds one function with the messages of a queue under peek-lock: completed if the function succeeds, abandoned if it
 * fails. It is the broker that dead-letters a message after its last delivery.
 */
export class ServiceBusListener implements Listener {
  readonly #options: ServiceBusListenerOptions;
  readonly #trigger: ServiceBusTrigger;
  readonly #outage: Outage;
  readonly #processing = new Set<Promise<void>>();
  #connection: Connection;
  #isReconnecting = false;
  #closed: Promise<unknown> = Promise.resolve();

  /** @throws Error if the connection string is malformed. */
  constructor(options: ServiceBusListenerOptions) {
    const { definition, log, random } = options;
    this.#options = options;
    this.#trigger = definition.trigger;
    this.#outage = new Outage(`Service Bus queue '${this.#trigger.queueName}'`, CATEGORY, log, random);
    this.#connection = this.#connect();
  }

  async start(signal: AbortSignal): Promise<void> {
    this.#subscribe(signal);
    const unsubscribe = () => {
      this.#closed = this.#connection.unsubscribe().catch(() => undefined);
    };
    signal.addEventListener('abort', unsubscribe, { once: true });
  }

  async close(): Promise<void> {
    await Promise.all(this.#processing);
    await this.#closed;
    await this.#connection.client.close();
  }

  #connect(): Connection {
    const { connectionString, defaults } = this.#options;
    const client = new ServiceBusClient(connectionString, { retryOptions: RETRY_OPTIONS });
    const receiver = client.createReceiver(this.#trigger.queueName, {
      receiveMode: 'peekLock',
      skipParsingBodyAsJson: true,
      maxAutoLockRenewalDurationInMs: defaults.maxAutoLockRenewalDuration,
    });
    return { client, receiver, unsubscribe: async () => {} };
  }

  #subscribe(signal: AbortSignal): void {
    const connection = this.#connection;
    const subscription = connection.receiver.subscribe(
      {
        processMessage: (message) => this.#track(this.#process(message, connection.receiver, signal)),
        processError: async ({ error, errorSource }) => {
          if (signal.aborted || connection !== this.#connection) return;
          this.#outage.failed(error);
          if (!SETTLING.has(errorSource)) this.#reconnectLater(signal);
        },
      },
      { autoCompleteMessages: false, maxConcurrentCalls: this.#options.defaults.maxConcurrentCalls },
    );
    connection.unsubscribe = () => subscription.close();
  }

  /** Leaves the SDK some time to recover by itself; messages under way keep the receiver that they came from. */
  #reconnectLater(signal: AbortSignal): void {
    if (this.#isReconnecting) return;
    this.#isReconnecting = true;
    void hostClock.sleep(CLIENT_PATIENCE, signal).then(() => {
      this.#isReconnecting = false;
      if (signal.aborted || !this.#outage.isOn) return;
      const abandoned = this.#connection;
      this.#connection = this.#connect();
      this.#subscribe(signal);
      void abandoned.client.close().catch(() => undefined);
    });
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#processing.add(work);
    await work.finally(() => this.#processing.delete(work));
  }

  async #process(
    message: ServiceBusReceivedMessage,
    receiver: ServiceBusReceiver,
    signal: AbortSignal,
  ): Promise<void> {
    this.#outage.succeeded();
    // What was on its way when the host was told to stop goes back to the queue.
    const succeeded = !signal.aborted && (await this.#run(message));
    const { autoCompleteMessages = this.#options.defaults.autoCompleteMessages } = this.#trigger;
    try {
      if (!succeeded) await receiver.abandonMessage(message);
      else if (autoCompleteMessages) await receiver.completeMessage(message);
    } catch (error) {
      const { definition, log } = this.#options;
      const outcome = `Message '${String(message.messageId)}' of function '${definition.name}' could not be settled and will come again`;
      log.write('warning', CATEGORY, `${outcome}: ${describeError(error)}`);
    }
  }

  async #run(message: ServiceBusReceivedMessage): Promise<boolean> {
    try {
      await this.#options.run({
        input: toMessageInput(message, this.#trigger.dataType === 'binary'),
        metadata: toMessageMetadata(message),
        traceParent: traceParentOf(message),
      });
      return true;
    } catch {
      return false;
    }
  }
}

/** Azure's SDKs send the trace context of a message as its `Diagnostic-Id`. */
function traceParentOf({ applicationProperties }: ServiceBusReceivedMessage): string | undefined {
  const id = applicationProperties?.['Diagnostic-Id'];
  return typeof id === 'string' ? id : undefined;
}
