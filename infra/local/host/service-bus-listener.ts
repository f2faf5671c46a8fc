import {
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from '@azure/service-bus';
import type { Random } from '../../../shared/platform/random.ts';
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
  readonly #client: ServiceBusClient;
  readonly #receiver: ServiceBusReceiver;
  readonly #outage: Outage;
  readonly #processing = new Set<Promise<void>>();
  #unsubscribed: Promise<void> = Promise.resolve();

  /** @throws Error if the connection string is malformed. */
  constructor(options: ServiceBusListenerOptions) {
    const { definition, connectionString, defaults, log, random } = options;
    this.#options = options;
    this.#trigger = definition.trigger;
    this.#client = new ServiceBusClient(connectionString, { retryOptions: RETRY_OPTIONS });
    this.#receiver = this.#client.createReceiver(this.#trigger.queueName, {
      receiveMode: 'peekLock',
      skipParsingBodyAsJson: true,
      maxAutoLockRenewalDurationInMs: defaults.maxAutoLockRenewalDuration,
    });
    this.#outage = new Outage(`Service Bus queue '${this.#trigger.queueName}'`, CATEGORY, log, random);
  }

  async start(signal: AbortSignal): Promise<void> {
    const subscription = this.#receiver.subscribe(
      {
        processMessage: (message) => this.#track(this.#process(message, signal)),
        // The SDK itself subscribes again, for as long as the receiver is open.
        processError: async ({ error }) => {
          if (!signal.aborted) this.#outage.failed(error);
        },
      },
      { autoCompleteMessages: false, maxConcurrentCalls: this.#options.defaults.maxConcurrentCalls },
    );
    const unsubscribe = () => {
      this.#unsubscribed = subscription.close().catch(() => undefined);
    };
    signal.addEventListener('abort', unsubscribe, { once: true });
  }

  async close(): Promise<void> {
    await Promise.all(this.#processing);
    await this.#unsubscribed;
    await this.#client.close();
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#processing.add(work);
    await work.finally(() => this.#processing.delete(work));
  }

  async #process(message: ServiceBusReceivedMessage, signal: AbortSignal): Promise<void> {
    this.#outage.succeeded();
    // What was on its way when the host was told to stop goes back to the queue.
    const succeeded = !signal.aborted && (await this.#run(message));
    const { autoCompleteMessages = this.#options.defaults.autoCompleteMessages } = this.#trigger;
    try {
      if (!succeeded) await this.#receiver.abandonMessage(message);
      else if (autoCompleteMessages) await this.#receiver.completeMessage(message);
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
