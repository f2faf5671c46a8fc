import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import {
  ServiceBusClient,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from '@azure/service-bus';
import type { Connection } from '../../../shared/platform/connection.ts';
import { azureCredential } from '../../../shared/platform/identity.ts';
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
export interface ServiceBusListenerOptions {
  readonly definition: FunctionDefinition<ServiceBusTrigger>;
  readonly connection: Connection;
  /** host.json's settings, where the trigger has none of its own. */
  readonly defaults: HostJson['extensions']['serviceBus'];
  readonly log: Log;
  /** Runs the function; failures are logged there. */
  readonly run: (event: TriggerEvent) => Promise<void>;
}

/**
 * Feeds one function with the messages of a queue or subscription under peek-lock: completed if the function succeeds,
 * abandoned if it fails. It is the broker that dead-letters a message after its last delivery. Of an entity with
 * sessions it serves several at once, each in order, and lets one go that has been idle.
 */
export class ServiceBusListener implements Listener {
  readonly #options: ServiceBusListenerOptions;
  readonly #trigger: ServiceBusTrigger;
  readonly #outage: Outage;
  readonly #processing = new Set<Promise<void>>();
  #client: ServiceBusClient;

  /** @throws Error if the connection string is malformed. */
  constructor(options: ServiceBusListenerOptions) {
    const { definition, log } = options;
    this.#options = options;
    this.#trigger = definition.trigger;
    const { queueName, topicName, subscriptionName } = this.#trigger;
    const entity = queueName ?? `${topicName}/${subscriptionName}`;
    const kind = queueName === undefined ? 'subscription' : 'queue';
    this.#outage = new Outage(`Service Bus ${kind} '${entity}'`, CATEGORY, log);
    this.#client = this.#createClient();
  }

  async start(signal: AbortSignal): Promise<void> {
    const count = this.#trigger.isSessionsEnabled ? this.#options.defaults.maxConcurrentSessions : 1;
    for (let each = 0; each < count; each++) void this.#listen(signal);
  }

  async close(): Promise<void> {
    await Promise.all(this.#processing);
    // Sessions end with the connection, and so does the waiting for one, though the SDK may not say so for a minute.
    await this.#client.close();
  }

  async #listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const client = this.#client;
      try {
        const receiver = await this.#open(client);
        if (signal.aborted) return await receiver.close();
        await this.#serve(receiver, signal);
      } catch (error) {
        if (signal.aborted) return;
        // No session has messages that nobody else receives.
        if ((error as { code?: unknown }).code === 'ServiceTimeout') continue;
        await hostClock.sleep(this.#outage.failed(error), signal);
      }
      // One receiver without sessions ends only when it is broken.
      if (this.#outage.isOn && client === this.#client && !signal.aborted) {
        this.#client = this.#createClient();
        void client.close().catch(() => undefined);
      }
    }
  }

  #createClient(): ServiceBusClient {
    const { connection } = this.#options;
    const options = { retryOptions: RETRY_OPTIONS };
    return typeof connection === 'string'
      ? new ServiceBusClient(connection, options)
      : new ServiceBusClient(connection.endpoint, azureCredential(connection), options);
  }

  /** Waits for a session, if it is sessions that are listened to. */
  async #open(client: ServiceBusClient): Promise<ServiceBusReceiver> {
    const { queueName, topicName = '', subscriptionName = '', isSessionsEnabled } = this.#trigger;
    const options = {
      receiveMode: 'peekLock',
      skipParsingBodyAsJson: true,
      skipConvertingDate: true,
      maxAutoLockRenewalDurationInMs: this.#options.defaults.maxAutoLockRenewalDuration,
    } as const;
    if (!isSessionsEnabled) {
      return queueName === undefined
        ? client.createReceiver(topicName, subscriptionName, options)
        : client.createReceiver(queueName, options);
    }
    const session = await (queueName === undefined
      ? client.acceptNextSession(topicName, subscriptionName, options)
      : client.acceptNextSession(queueName, options));
    this.#outage.succeeded();
    return session;
  }

  /** Runs the function with what comes, until the host stops, the connection is broken or the session idle. */
  async #serve(receiver: ServiceBusReceiver, signal: AbortSignal): Promise<void> {
    const { isSessionsEnabled } = this.#trigger;
    const { maxConcurrentCalls, maxConcurrentCallsPerSession, sessionIdleTimeout } = this.#options.defaults;
    const over = new AbortController();
    const processing = new Set<Promise<void>>();
    const idle = isSessionsEnabled
      ? setTimeout(() => processing.size === 0 && over.abort(), sessionIdleTimeout)
      : undefined;
    const subscription = receiver.subscribe(
      {
        processMessage: async (message) => {
          const work = this.#process(message, receiver, signal);
          for (const set of [processing, this.#processing]) set.add(work);
          await work;
          for (const set of [processing, this.#processing]) set.delete(work);
          idle?.refresh();
        },
        processError: async ({ error, errorSource }) => {
          if (signal.aborted || over.signal.aborted) return;
          if (isSessionsEnabled) {
            if (!SETTLING.has(errorSource)) over.abort();
            return;
          }
          this.#outage.failed(error);
          // The SDK may recover by itself.
          if (SETTLING.has(errorSource)) return;
          await hostClock.sleep(CLIENT_PATIENCE, signal);
          if (this.#outage.isOn) over.abort();
        },
      },
      {
        autoCompleteMessages: false,
        maxConcurrentCalls: isSessionsEnabled ? maxConcurrentCallsPerSession : maxConcurrentCalls,
      },
    );
    await aborted(AbortSignal.any([signal, over.signal]));
    clearTimeout(idle);
    await subscription.close().catch(() => undefined);
    // Messages under way keep the receiver that they came from.
    if (isSessionsEnabled || signal.aborted) await Promise.all(processing);
    if (isSessionsEnabled) await receiver.close();
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
      if (!succeeded) {
        // rhea writes outcomes once a turn of the event loop, and gives the second one what the first one is.
        await setImmediate();
        await receiver.abandonMessage(message);
      } else if (autoCompleteMessages) await receiver.completeMessage(message);
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

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort');
}
